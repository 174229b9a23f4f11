//! What an argument is by its look, and so which wildcard may stand for it.
//!
//! A wildcard stands for arguments of its class alone, never for an option, a secret, a path where names are evidence, one that
//! climbs (`..`), or something with other signs in it than names have: `of=/dev/sda`, `@file`, `host:path`, `a;b`.

use super::pattern::secret_at;
use super::place::{self, Place};

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// `name`: a word, a number, a relative path.
    Name,
    /// `/data`: an absolute path in this directory of the root's.
    Path(String),
    /// `https://host:443`: a URL of this authority.
    Url(String),
    /// `text:select`: several words, of which this is the first.
    Text(String),
}

impl Class {
    /// `arg`: generalised.
    pub(super) fn of(arg: &str) -> Option<Self> {
        let flat = flat(arg).filter(|flat| !flat.is_empty() && !flat.starts_with(['-', '+']))?;
        if flat.starts_with('/') {
            let top = arg[1..].split('/').next().filter(|top| is_plain(top))?;
            return is_ordinary(&flat).then(|| Self::Path(format!("/{top}")));
        }
        if flat.contains(char::is_whitespace) {
            let end = arg.find(|c: char| !c.is_ascii_alphabetic())?;
            let ends = arg[end..].starts_with(char::is_whitespace);
            return (end > 0 && ends).then(|| Self::Text(arg[..end].to_owned()));
        }
        if let Some((scheme, rest)) = arg.split_once("://") {
            let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
            let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
            let host = &authority[..authority.len() - port.len()].trim_end_matches(':');
            let known = is_plain(scheme) && is_plain(host) && is_digits(port);
            return known.then(|| Self::Url(format!("{scheme}://{authority}")));
        }
        let belongs = |c: char| c.is_alphanumeric() || "_./+,%-".contains(c);
        let is_name = flat.chars().all(belongs) && is_ordinary(&format!("/{flat}"));
        is_name.then_some(Self::Name)
    }

    /// As it stands in a wildcard.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Name => "name".to_owned(),
            Self::Path(of) | Self::Url(of) => of.clone(),
            Self::Text(first) => format!("text:{first}"),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let class = match text.strip_prefix("text:") {
            Some(first) => Self::of(&format!("{first} x")),
            None if text == "name" => Some(Self::Name),
            None => Self::of(text).filter(|class| *class != Self::Name),
        };
        class.filter(|class| class.text() == text)
    }
}

/// Whether an argument in the place of a command, right behind the program's name, is one: `commit`, `install`, `GET`, a name
/// without any sign of being a file's. Another one is another deed.
pub(super) fn is_command(arg: &str) -> bool {
    arg.starts_with(|c: char| c.is_ascii_alphabetic())
        && arg.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}

/// With something for each placeholder; none where that is a secret.
fn flat(arg: &str) -> Option<String> {
    let mut flat = String::with_capacity(arg.len());
    let mut rest = arg;
    while let Some(brace) = rest.find('{') {
        flat.push_str(&rest[..brace]);
        rest = &rest[brace..];
        if secret_at(rest).is_some() {
            return None;
        }
        if let Some(literal) = rest.strip_prefix("{{") {
            flat.push('{');
            rest = literal;
        } else {
            flat.push('0');
            rest = rest.find('}').map_or("", |end| &rest[end + 1..]);
        }
    }
    flat.push_str(rest);
    Some(flat)
}

/// Names in it are nobody's evidence.
fn is_ordinary(path: &str) -> bool {
    !path.split('/').any(|part| part == "..")
        && !path.contains(char::is_control)
        && place::of(path) != Place::Fixed
}

/// What can stand in a wildcard.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    !text.is_empty() && text.bytes().all(plain)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_of_the_class_that_it_looks_like() {
        for (arg, class) in [
            ("a.png", "name"),
            ("./in/{num}.png", "name"),
            ("{num}", "name"),
            ("/data/in/a b.png", "/data"),
            ("/tmp/tmp{rand:8}", "/tmp"),
            ("http://10.0.0.7:8080/item/{num}?x={num}", "http://10.0.0.7:8080"),
            ("https://host/x", "https://host"),
            ("select * from t where id = {num}", "text:select"),
        ] {
            let of = Class::of(arg).unwrap_or_else(|| panic!("{arg}"));
            assert_eq!(of.text(), class, "{arg}");
            assert_eq!(Class::parse(class), Some(of), "{arg}");
        }
    }

    #[test]
    fn what_decides_is_of_none() {
        for arg in [
            "",
            "-o",
            "--to=x",
            "+x",
            "/etc/passwd",
            "/root",
            "/data/../etc/passwd",
            "/srv/.ssh/id",
            "/{num}/x",
            "../x",
            "etc/passwd",
            ".ssh/id",
            "of=/dev/sda",
            "@file",
            "host:path",
            "a;b",
            "*",
            "$x",
            "{{pid}",
            "x{secret:0011aabb}",
            "http://u@host/x",
            "\\! id",
            "{num} x",
            "…",
        ] {
            assert_eq!(Class::of(arg), None, "{arg}");
        }
        for text in ["", "Name", "/", "/etc", "/data/x", "text:", "text:a b", "x://", "{num}"] {
            assert_eq!(Class::parse(text), None, "{text}");
        }
    }
}
