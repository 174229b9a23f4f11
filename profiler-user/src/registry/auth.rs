//! Who asks: credentials as Docker keeps them, and what a registry wants of them.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::error::RegistryError;

/// Never shown.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// What a registry answers to who has not said enough.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Challenge {
    Basic,
    /// A token of this place is wanted.
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: std::collections::BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    auth: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Those for `host`, from `config.json` in `DOCKER_CONFIG` or `~/.docker`; none where there is no such file.
    pub(super) fn of(host: &str) -> Result<Option<Self>, RegistryError> {
        let directory = std::env::var_os("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker")));
        let Some(path) = directory.map(|directory| directory.join("config.json")) else {
            return Ok(None);
        };
        let wrong =
            |why: String| RegistryError::Credentials { path: path.display().to_string(), why };
        match crate::baseline::read_up_to(&path, 1024 * 1024) {
            Ok(text) => Self::parse(&text, host).map_err(|why| wrong(why.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// As a header.
    pub(super) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)))
    }

    /// Errors show nothing of the file.
    fn parse(text: &[u8], host: &str) -> Result<Option<Self>, &'static str> {
        let config: Config =
            serde_json::from_slice(text).map_err(|_| "it is not as Docker writes it")?;
        let is_of = |key: &str| {
            let key = key.trim_start_matches("https://").trim_start_matches("http://");
            key.split('/').next() == Some(host)
        };
        let Some((_, auth)) = config.auths.iter().find(|(key, _)| is_of(key)) else {
            return Ok(None);
        };
        if auth.auth.is_empty() {
            // They are with a helper, which is not asked.
            return Ok(None);
        }
        let wrong = "an auth is no base64 of USER:PASSWORD";
        let text = STANDARD.decode(&auth.auth).map_err(|_| wrong)?;
        let text = String::from_utf8(text).map_err(|_| wrong)?;
        let (user, password) = text.split_once(':').ok_or(wrong)?;
        Ok(Some(Self { user: user.to_owned(), password: password.to_owned() }))
    }
}

impl Challenge {
    /// From a `WWW-Authenticate`; none where it is of a sort that nobody here knows.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, mut rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        while let Some((key, value)) = rest.split_once('=') {
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => value.split_at(value.find(',').unwrap_or(value.len())),
            };
            match key.trim_matches([' ', ',']) {
                "realm" => realm = Some(value.to_owned()),
                "service" => service = Some(value.to_owned()),
                _ => {}
            }
            rest = after;
        }
        Some(Self::Bearer { realm: realm?, service })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_by_the_registry_they_are_for() {
        let config = br#"{"auths": {"https://r.test:5000/v2/": {"auth": "bWU6cDpxcg=="}, "helped.test": {}}}"#;
        let found = Credentials::parse(config, "r.test:5000").unwrap().unwrap();
        assert_eq!((found.user.as_str(), found.password.as_str()), ("me", "p:qr"));
        for host in ["r.test", "helped.test", "5000"] {
            assert_eq!(Credentials::parse(config, host).unwrap(), None, "{host}");
        }
        for wrong in ["", "7", r#"{"auths": {"r.test": {"auth": "*"}}}"#] {
            assert!(Credentials::parse(wrong.as_bytes(), "r.test").is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_challenge_names_where_tokens_are() {
        let bearer = r#"Bearer realm="https://a.test/token?x=1,2",service="r.test",scope="repository:a:pull,push""#;
        let expected = Challenge::Bearer {
            realm: "https://a.test/token?x=1,2".to_owned(),
            service: Some("r.test".to_owned()),
        };
        assert_eq!(Challenge::parse(bearer), Some(expected));
        assert_eq!(Challenge::parse("Basic realm=\"r\""), Some(Challenge::Basic));
        for wrong in
            ["", "Bearer", "Digest realm=\"r\"", "Bearer realm=\"r", "Bearer service=\"r\""]
        {
            assert_eq!(Challenge::parse(wrong), None, "{wrong}");
        }
    }
}
