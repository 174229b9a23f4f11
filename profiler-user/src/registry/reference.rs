//! `HOST/NAME:TAG` and `HOST/NAME@sha256:…`. The host is never left out: what is implied elsewhere is a registry of
//! somebody else's.

use std::fmt;
use std::str::FromStr;

use super::error::RegistryError;
use super::manifest::Digest;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reference {
    /// With the port, where one is given.
    pub host: String,
    pub repository: String,
    pub target: Target,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    Tag(String),
    Digest(Digest),
}

impl FromStr for Reference {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let wrong = |why| RegistryError::Reference { text: text.to_owned(), why };
        let (host, rest) = text.split_once('/').ok_or_else(|| wrong("no registry is named"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let is_host = host == "localhost" || host.contains(['.', ':']);
        if !is_host || !host.chars().all(plain) {
            return Err(wrong("its first part is no host of a registry"));
        }
        let (name, digest) = match rest.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (rest, None),
        };
        let (repository, tag) = name.split_once(':').unwrap_or((name, "latest"));
        if !is_repository(repository) {
            return Err(wrong("the repository's name has other than a-z, 0-9, ., _, - and /"));
        }
        if !is_tag(tag) {
            return Err(wrong("its tag has other than letters, digits, ., _ and -"));
        }
        let target = match digest {
            Some(digest) => {
                Target::Digest(digest.parse().map_err(|_| wrong("its digest is no sha256"))?)
            }
            None => Target::Tag(tag.to_owned()),
        };
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), target })
    }
}

fn is_repository(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| {
        part.starts_with(plain)
            && part.ends_with(plain)
            && part.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-'))
            && !part.contains("..")
    };
    name.len() <= 255 && name.split('/').all(part)
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.starts_with(word)
        && tag.len() <= 128
        && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => write!(f, "{digest}"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if matches!(self.target, Target::Tag(_)) { ':' } else { '@' };
        write!(f, "{}/{}{sign}{}", self.host, self.repository, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_host_repository_and_tag_or_digest() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        for (text, shown) in [
            ("registry.test/shop/web:1.27", "registry.test/shop/web:1.27".to_owned()),
            ("localhost/web", "localhost/web:latest".to_owned()),
            ("[::1]:5000/web", "[::1]:5000/web:latest".to_owned()),
            (&format!("r.test:5000/a@{digest}"), format!("r.test:5000/a@{digest}")),
            (&format!("r.test/a:1@{digest}"), format!("r.test/a@{digest}")),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "web",
            "shop/web",
            "r.test/",
            "r.test/Web",
            "r.test/a/../b",
            "r.test/a//b",
            "r.test/a:",
            "r.test/a:b/c",
            "r.test/a?b",
            "me@r.test/a",
            "r.test/a@sha256:0f",
            "r.test/a@md5:0f",
            "http://r.test/a",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
