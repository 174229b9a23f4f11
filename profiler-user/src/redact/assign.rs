//! `KEY=value`, `"key": "value"`, `Header: value`, `<key>value</key>`, `IDENTIFIED BY 'value'`, anywhere in a text.

use std::ops::Range;

use super::names::{is_name, names_secret, names_secret_parameter};

/// Authorization schemes, which stay readable.
const SCHEMES: &[&str] =
    &["apikey", "aws4-hmac-sha256", "basic", "bearer", "digest", "negotiate", "token"];

/// Words before a quoted secret.
const QUOTED_AFTER: &[&str] =
    &["pass", "password", "passwd", "passphrase", "requirepass", "masterauth"];

/// How far back a name is looked for.
const NAME_MAX: usize = 128;

pub(super) fn find(text: &str, spans: &mut Vec<Range<usize>>) {
    for (at, c) in text.char_indices() {
        match c {
            '=' | ':' => spans.extend(assigned(text, at, c)),
            '>' => spans.extend(element(text, at)),
            '\'' | '"' => spans.extend(quoted_after_word(text, at, c)),
            _ => {}
        }
    }
}

fn assigned(text: &str, at: usize, operator: char) -> Option<Range<usize>> {
    let before =
        text[..at].trim_end_matches(|c: char| c.is_whitespace() || "\"'\\]+:?!~=".contains(c));
    let gap = &text[before.len()..at];
    let spaced = gap.contains(char::is_whitespace);
    let quoted = gap.contains(['"', '\'']);
    let name = last_name(before);
    let ahead = &before[..before.len() - name.len()];
    let is_parameter = ahead.ends_with(['?', '&']);
    if !(names_secret(name) || (is_parameter && names_secret_parameter(name))) {
        return None;
    }
    let mut start = at + 1;
    let rest = &text[start..];
    if operator == ':' {
        if ahead.ends_with("${") && rest.starts_with(['-', '=', '+', '?']) {
            // ${PASSWORD:-default}
            return Some(start + 1..start + until(rest, |c| c == '}'));
        }
        if !quoted && !rest.starts_with(|c: char| c.is_whitespace() || "\"'\\".contains(c)) {
            return None;
        }
    } else if rest.starts_with('>') {
        // PHP and Ruby: 'password' => 'x'
        start += 1;
    }
    if spaced || operator == ':' {
        start += text[start..].len() - text[start..].trim_start_matches([' ', '\t']).len();
    }
    let value = &text[start..];
    if let Some(inner) = quoted_at(value) {
        return Some(start + inner.start..start + inner.end);
    }
    if operator == '=' {
        let ends = |c: char| c.is_whitespace() || "\"'&;|<>`".contains(c);
        return Some(start..start + until(value, ends));
    }
    // A header's value goes on to the end of the line, or of the quotes around the whole header.
    let end = start + until(value, |c| "\"'\r\n".contains(c));
    Some(start + scheme_length(name, value)..end).filter(|span| span.start < span.end)
}

/// `Bearer ` in front of the secret.
fn scheme_length(name: &str, value: &str) -> usize {
    let is_authorization = name.to_ascii_lowercase().ends_with("authorization");
    match value.split_once(' ') {
        Some((scheme, _))
            if is_authorization && SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) =>
        {
            scheme.len() + 1
        }
        _ => 0,
    }
}

/// `<password>x</password>`
fn element(text: &str, at: usize) -> Option<Range<usize>> {
    let name = last_name(&text[..at]);
    let opens = text[..at - name.len()].ends_with('<');
    let end = at + 1 + text[at + 1..].find("</")?;
    (opens && names_secret(name)).then_some(at + 1..end)
}

/// `IDENTIFIED BY 'x'`, `ENCRYPTED PASSWORD 'x'`, `PASSWORD('x')`
fn quoted_after_word(text: &str, at: usize, quote: char) -> Option<Range<usize>> {
    let before = text[..at].trim_end_matches(|c: char| c.is_whitespace() || "(\\".contains(c));
    if before.len() == at {
        return None;
    }
    let word = last_name(before).to_ascii_lowercase();
    let identified = || {
        let tail = before.char_indices().rev().nth(63).map_or(0, |(at, _)| at);
        before[tail..].to_ascii_lowercase().contains("identified")
    };
    if !(QUOTED_AFTER.contains(&word.as_str())
        || (matches!(word.as_str(), "by" | "as") && identified()))
    {
        return None;
    }
    let start = at + quote.len_utf8();
    let end = start + until(&text[start..], |c| c == quote);
    Some(start..end)
}

/// The inside of the quotes that `value` begins with; an unclosed quote goes on to the end.
fn quoted_at(value: &str) -> Option<Range<usize>> {
    let escapes = value.len() - value.trim_start_matches('\\').len();
    let quote = value[escapes..].chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let start = escapes + 1;
    let inner = &value[start..];
    if escapes > 0 {
        // Inside another quotation: it ends as it begins.
        return Some(start..start + inner.find(&value[..start]).unwrap_or(inner.len()));
    }
    let mut is_escaped = false;
    let end = inner.find(|c| {
        let ends = c == quote && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    });
    Some(start..start + end.unwrap_or(inner.len()))
}

fn last_name(text: &str) -> &str {
    let start = text
        .char_indices()
        .rev()
        .take(NAME_MAX)
        .take_while(|(_, c)| is_name(*c))
        .last()
        .map_or(text.len(), |(at, _)| at);
    &text[start..]
}

fn until(text: &str, ends: impl Fn(char) -> bool) -> usize {
    text.find(ends).unwrap_or(text.len())
}
