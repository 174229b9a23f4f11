//! One component of a path, or one word of an argument, token by token.

use super::pattern::{is_break, push_escaped, secret_at};
use super::token::{self, Token};
use super::{date, template};

/// Where a token stands, for a caller that wants to keep some numbers.
pub(super) struct Context<'a> {
    pub(super) before: &'a str,
    pub(super) after: &'a str,
}

/// Appends the pattern of `name`. `keeps` says of a number whether it stays literal.
pub(super) fn push(
    pattern: &mut String,
    name: &str,
    temporary: bool,
    keeps: impl Fn(&Context<'_>, &str) -> bool,
) {
    let mut at = 0;
    while let Some(c) = name[at..].chars().next() {
        let rest = &name[at..];
        let before = name[..at].chars().next_back();
        if let Some(secret) = secret_at(rest) {
            pattern.push_str(secret);
            at += secret.len();
        } else if !c.is_alphanumeric() && c != '_' {
            push_escaped(pattern, &rest[..c.len_utf8()]);
            at += c.len_utf8();
        } else if let Some((literal, random)) = template_at(rest, before) {
            pattern.push_str(&rest[..literal]);
            push_sized(pattern, "rand", random);
            at += literal + random;
        } else if temporary && let Some(length) = underscored_at(rest, before) {
            push_sized(pattern, "rand", length);
            at += length;
        } else if let Some(length) = made_at(rest, before) {
            push_sized(pattern, "rand", length);
            at += length;
        } else if c == '_' {
            pattern.push('_');
            at += 1;
        } else if let Some(length) = date_at(rest) {
            pattern.push_str("{date}");
            at += length;
        } else if let Some(length) = uuid_at(rest) {
            pattern.push_str("{uuid}");
            at += length;
        } else {
            let length = token_length(rest);
            let (word, after) = rest.split_at(length);
            let context = Context { before: &name[..at], after };
            push_token(pattern, word, temporary, |number| keeps(&context, number));
            at += length;
        }
    }
}

fn push_token(pattern: &mut String, word: &str, temporary: bool, keeps: impl Fn(&str) -> bool) {
    match token::classify(word, temporary) {
        Token::Number if keeps(word) => pattern.push_str(word),
        Token::Number => pattern.push_str("{num}"),
        Token::Hex => push_sized(pattern, "hex", word.len()),
        Token::Random => push_sized(pattern, "rand", word.len()),
        Token::Numbered(letters) => {
            pattern.push_str(letters);
            pattern.push_str("{num}");
        }
        Token::Literal => push_escaped(pattern, word),
    }
}

fn push_sized(pattern: &mut String, kind: &str, length: usize) {
    pattern.push('{');
    pattern.push_str(kind);
    pattern.push(':');
    pattern.push_str(&length.to_string());
    pattern.push('}');
}

/// A template begins a name; inside one the same letters are a word.
fn template_at(rest: &str, before: Option<char>) -> Option<(usize, usize)> {
    before.is_none_or(is_break).then(|| template::find(rest)).flatten()
}

fn underscored_at(rest: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(is_word) {
        return None;
    }
    let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    token::is_underscored(&rest[..length]).then_some(length)
}

/// What `mktemp` and its like put behind a prefix, wherever that is: `dump.I0prB5tu`, `.new-1ud_ejfv`.
fn made_at(rest: &str, before: Option<char>) -> Option<usize> {
    if !matches!(before, Some('.' | '-')) {
        return None;
    }
    let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let (made, after) = rest.split_at(length);
    let ends = after.is_empty() || after.starts_with('/');
    let fits = matches!(length, 8 | 10) && !token::is_hex(made) && token::is_random(made);
    (ends && fits).then_some(length)
}

fn date_at(rest: &str) -> Option<usize> {
    if !rest.starts_with(date::begins) {
        return None;
    }
    date::lengths(rest).find(|length| !rest[*length..].starts_with(char::is_alphanumeric))
}

fn uuid_at(rest: &str) -> Option<usize> {
    token::uuid_length(rest).filter(|length| !rest[*length..].starts_with(char::is_alphanumeric))
}

fn token_length(rest: &str) -> usize {
    // An architecture, not a number.
    if rest.starts_with("x86_64") {
        return "x86_64".len();
    }
    rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
