//! A pattern, read back from its text, and whether a value has its shape.

use std::collections::BTreeSet;

use super::address::Range;
use super::shape::{Shape, word_length};
use super::template::{self, Alphabet};
use super::{date, sibling, token, word};

/// How a redacted secret is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Secrets {
    /// Equal when the keyed hashes are.
    Exact,
    /// Any secret will do: the hashes were made with different keys.
    Any,
}

/// A parsed pattern. Text that only looks like a placeholder stands for itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Literal(String),
    /// `{num}` and `{pid}`: a whole run of digits.
    Number,
    Uuid,
    Date,
    Hex(usize),
    Random {
        length: usize,
        alphabet: Alphabet,
        /// Nothing literal in the name holds it, and any word of that length would do: words are then excluded.
        bare: bool,
    },
    /// An address in this range.
    Net(Range),
    /// A whole word.
    Sibling(Shape),
    /// One of these whole words.
    Either(BTreeSet<String>),
    /// With its braces.
    Secret(String),
}

/// `{secret:` and `}` around eight hexadecimal digits.
const SECRET_LENGTH: usize = 17;

/// Whether `value`, not generalised, has the shape of `pattern`.
pub fn matches(pattern: &str, value: &str) -> bool {
    Pattern::parse(pattern).matches(value, Secrets::Exact)
}

/// `text` as a pattern that matches nothing else. A redacted secret in it stays what it is.
pub fn escape(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    push_escaped(&mut pattern, text);
    pattern
}

pub(super) fn push_escaped(pattern: &mut String, text: &str) {
    let mut rest = text;
    while let Some(brace) = rest.find('{') {
        pattern.push_str(&rest[..brace]);
        rest = &rest[brace..];
        let taken = if let Some(secret) = secret_at(rest) {
            pattern.push_str(secret);
            secret.len()
        } else {
            pattern.push_str("{{");
            1
        };
        rest = &rest[taken..];
    }
    pattern.push_str(rest);
}

/// Whether every brace in a pattern is a placeholder's, or is escaped as [`escape`] does. A person may write `{odd}` for
/// itself; generalising never does.
pub fn is_escaped(pattern: &str) -> bool {
    let mut rest = pattern;
    while let Some(brace) = rest.find('{') {
        rest = &rest[brace..];
        let taken = match (placeholder(rest, ""), rest.starts_with("{{")) {
            (Some((_, length)), _) => length,
            (None, true) => 2,
            (None, false) => return false,
        };
        rest = &rest[taken..];
    }
    true
}

/// The redacted secret that `text` begins with.
pub(super) fn secret_at(text: &str) -> Option<&str> {
    let secret = text.get(..SECRET_LENGTH)?;
    let hash = secret.strip_prefix("{secret:")?.strip_suffix('}')?;
    hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(secret)
}

/// Where a name begins anew, so that what precedes holds it no longer.
pub(super) fn is_break(c: char) -> bool {
    c.is_whitespace() || "/=:,;|&<>()[]\"'`".contains(c)
}

impl Pattern {
    pub fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        // What precedes in the same component, without placeholders.
        let mut prefix = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some((part, length)) = placeholder(rest, &prefix) {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(part);
                rest = &rest[length..];
                continue;
            }
            literal.push(c);
            if is_break(c) {
                prefix.clear();
            } else {
                prefix.push(c);
            }
            rest = &rest[if rest.starts_with("{{") { 2 } else { c.len_utf8() }..];
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Self { parts }
    }

    /// It holds no placeholder: only one value matches.
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// It holds a word in which siblings differ.
    pub(super) fn differs(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Sibling(..) | Part::Either(_)))
    }

    /// The value that alone matches; none where there are several, or where it is empty.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Literal(literal)] => Some(literal),
            _ => None,
        }
    }

    pub fn matches(&self, value: &str, secrets: Secrets) -> bool {
        rest_matches(&self.parts, value, secrets)
    }
}

/// The placeholder that `text` begins with, and its length there.
fn placeholder(text: &str, prefix: &str) -> Option<(Part, usize)> {
    if let Some(secret) = secret_at(text) {
        return Some((Part::Secret(secret.to_owned()), secret.len()));
    }
    // Nothing but braces must not be looked through again from each of them.
    let end =
        text.strip_prefix('{')?.find(['{', '}']).filter(|end| text[end + 1..].starts_with('}'))?
            + 1;
    let part = match text[1..end].split_once(':') {
        None => match &text[1..end] {
            "num" | "pid" => Part::Number,
            "uuid" => Part::Uuid,
            "date" => Part::Date,
            _ => return None,
        },
        Some(("net", range)) => Part::Net(Range::parse(range)?),
        Some(("hex", length)) => Part::Hex(some(length)?),
        Some(("rand", length)) => {
            let length = some(length)?;
            Part::Random {
                length,
                alphabet: template::alphabet(prefix, length),
                bare: !prefix.contains(char::is_alphanumeric),
            }
        }
        Some((kind, rest)) => match Shape::parse(kind, rest) {
            Some(shape) => Part::Sibling(shape),
            None => Part::Either(sibling::either(kind, rest)?),
        },
    };
    Some((part, end + 1))
}

/// A length; of nothing nobody says that it is random.
fn some(length: &str) -> Option<usize> {
    length.parse().ok().filter(|length| *length > 0)
}

/// A loop, as far as one length alone can be meant: a pattern may be as long as a file allows, and a stack is not.
fn rest_matches(mut parts: &[Part], mut text: &str, secrets: Secrets) -> bool {
    while let Some((part, rest)) = parts.split_first() {
        let length = match part {
            Part::Literal(literal) => text.starts_with(literal.as_str()).then_some(literal.len()),
            Part::Number => Some(text.bytes().take_while(u8::is_ascii_digit).count())
                .filter(|digits| *digits > 0),
            Part::Uuid => token::uuid_length(text),
            Part::Date => {
                return date::lengths(text)
                    .any(|length| rest_matches(rest, &text[length..], secrets));
            }
            Part::Hex(length) => text.get(..*length).filter(|hex| token::is_hex(hex)).map(str::len),
            Part::Random { length, alphabet, bare } => {
                let fits = |random: &&str| {
                    alphabet.holds(random)
                        && (!*bare || token::is_random(random) || !word::is_word(random))
                };
                text.get(..*length).filter(fits).map(str::len)
            }
            Part::Net(range) => range.length(text),
            Part::Sibling(shape) => shape.length(text),
            Part::Either(words) => {
                let length = word_length(text);
                words.contains(&text[..length]).then_some(length)
            }
            Part::Secret(secret) => match secrets {
                Secrets::Exact => text.starts_with(secret.as_str()).then_some(SECRET_LENGTH),
                Secrets::Any => secret_at(text).map(str::len),
            },
        };
        let Some(length) = length else { return false };
        (parts, text) = (rest, &text[length..]);
    }
    text.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_placeholder_matches_its_own_shape_only() {
        let cases = [
            ("/tmp/tmp{rand:8}", "/tmp/tmpabcdefgh", true),
            ("/tmp/tmp{rand:8}", "/tmp/tmpk3_j9x1z", true),
            ("/tmp/tmp{rand:8}", "/tmp/tmpABCDEFGH", false),
            ("/tmp/tmp{rand:8}", "/tmp/backdoor", false),
            ("/tmp/tmp{rand:8}", "/tmp/evil", false),
            ("/tmp/tmp{rand:8}", "/tmp/tmpabcdefgh.sh", false),
            ("/tmp/tmp{rand:8}", "/tmp/tmpabcdefgh/x", false),
            ("/tmp/sh-thd.{rand:6}", "/tmp/sh-thd.secret", true),
            ("/tmp/sh-thd.{rand:6}", "/tmp/sh-thd.secrets", false),
            ("/tmp/{rand:8}", "/tmp/backdoor", false),
            ("/tmp/{rand:8}", "/tmp/k3j9x1zq", true),
            ("/tmp/{rand:8}", "/tmp/kqzvbwxj", true),
            ("/tmp/{rand:8}", "/tmp/ab_defgh", true),
            ("/proc/{pid}/stat", "/proc/1/stat", true),
            ("/proc/{pid}/stat", "/proc/self/stat", false),
            ("/a/{hex:8}", "/a/deadbeef", true),
            ("/a/{hex:8}", "/a/deadBEEF", false),
            ("/a/{date}.log", "/a/2026-01-02.log", true),
            ("/a/{date}.log", "/a/yesterday.log", false),
            ("/a/{{num}", "/a/{num}", true),
            ("/a/{{num}", "/a/12", false),
            ("/a/*", "/a/b", false),
            ("/a/{odd}", "/a/{odd}", true),
            ("/a/{hex:0}", "/a/", false),
            ("/a/{rand:0}", "/a/{rand:0}", true),
        ];
        for (pattern, value, expected) in cases {
            assert_eq!(matches(pattern, value), expected, "{pattern} {value}");
        }
    }

    #[test]
    fn secrets_compare_by_hash_unless_the_key_changed() {
        let pattern = Pattern::parse("--password={secret:0011aabb}");
        let same = "--password={secret:0011aabb}";
        let other = "--password={secret:ffffffff}";
        assert!(pattern.matches(same, Secrets::Exact));
        assert!(!pattern.matches(other, Secrets::Exact));
        assert!(pattern.matches(other, Secrets::Any));
        assert!(!pattern.matches("--password=plain", Secrets::Any));
    }

    proptest! {
        #[test]
        fn an_escaped_text_matches_itself(text in ".*") {
            prop_assert!(matches(&escape(&text), &text));
        }

        #[test]
        fn an_escaped_text_matches_nothing_else(text in "[{}a-z0-9:]{0,12}", other in "[{}a-z0-9:]{0,12}") {
            prop_assert_eq!(matches(&escape(&text), &other), text == other);
        }

        #[test]
        fn any_text_is_a_pattern_without_panic(pattern in ".*", value in ".*") {
            let _ = matches(&pattern, &value);
        }

        #[test]
        fn odd_placeholders_do_not_panic(pattern in "(\\{(num|rand:[0-9]{0,30}|hex:9|date|uuid|secret:ab)\\}|[é{}/])*", value in "[é0-9a-f/-]*") {
            let _ = matches(&pattern, &value);
        }
    }
}
