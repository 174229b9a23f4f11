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
        let dates = self.parts.iter().position(|part| *part == Part::Date);
        let (certain, rest) = self.parts.split_at(dates.unwrap_or(self.parts.len()));
        let mut end = 0;
        for part in certain {
            let Some(length) = part.length(&value[end..], secrets) else { return false };
            end += length;
        }
        // A date can end in several places. Each is gone on from once, however many ways led there: a hostile pattern may
        // be a row of dates as long as a file allows.
        let mut ends = BTreeSet::from([end]);
        for part in rest {
            ends = ends.into_iter().flat_map(|end| part.ends(value, end, secrets)).collect();
            if ends.is_empty() {
                return false;
            }
        }
        ends.contains(&value.len())
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

impl Part {
    /// How much of the start of `text` it takes. A date's longest.
    fn length(&self, text: &str, secrets: Secrets) -> Option<usize> {
        match self {
            Self::Literal(literal) => text.starts_with(literal.as_str()).then_some(literal.len()),
            Self::Number => Some(text.bytes().take_while(u8::is_ascii_digit).count())
                .filter(|digits| *digits > 0),
            Self::Uuid => token::uuid_length(text),
            Self::Date => date::lengths(text).next(),
            Self::Hex(length) => text.get(..*length).filter(|hex| token::is_hex(hex)).map(str::len),
            Self::Random { length, alphabet, bare } => {
                let fits = |random: &&str| {
                    alphabet.holds(random)
                        && (!*bare || token::is_random(random) || !word::is_word(random))
                };
                text.get(..*length).filter(fits).map(str::len)
            }
            Self::Net(range) => range.length(text),
            Self::Sibling(shape) => shape.length(text),
            Self::Either(words) => {
                let length = word_length(text);
                words.contains(&text[..length]).then_some(length)
            }
            Self::Secret(secret) => match secrets {
                Secrets::Exact => text.starts_with(secret.as_str()).then_some(SECRET_LENGTH),
                Secrets::Any => secret_at(text).map(str::len),
            },
        }
    }

    /// The ends it can have in `text` when it begins at `start`.
    fn ends(&self, text: &str, start: usize, secrets: Secrets) -> Vec<usize> {
        let text = &text[start..];
        let lengths: Vec<_> = match self {
            Self::Date => date::lengths(text).collect(),
            _ => self.length(text, secrets).into_iter().collect(),
        };
        lengths.into_iter().map(|length| start + length).collect()
    }
}

#[cfg(test)]
mod tests;
