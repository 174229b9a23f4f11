//! `KEY=value`, `"key": "value"`, `Header: value`, `<key>value</key>`, `IDENTIFIED BY 'value'`, anywhere in a text.

use std::ops::Range;

use super::names::{is_name, names_secret, names_secret_parameter};
use super::tail;

/// Authorization schemes, which stay readable.
const SCHEMES: &[&str] =
    &["apikey", "aws4-hmac-sha256", "basic", "bearer", "digest", "negotiate", "token"];

/// Words before a quoted secret.
const QUOTED_AFTER: &[&str] =
    &["pass", "password", "passwd", "passphrase", "requirepass", "masterauth"];

/// How far back a name is looked for, in bytes.
const NAME_MAX: usize = 128;

/// How far its operator may be behind it.
const GAP_MAX: usize = 64;

pub(super) fn find(text: &str, spans: &mut Vec<Range<usize>>) {
    let mut scan = Scan {
        text,
        word: Ahead::new(|text| until(text, |c| c.is_whitespace() || "\"'&;|<>`".contains(c))),
        line: Ahead::new(|text| until(text, |c| "\"'\r\n".contains(c))),
        brace: Ahead::new(|text| until(text, |c| c == '}')),
        element: Ahead::new(|text| text.find("</").unwrap_or(text.len())),
    };
    for (at, c) in text.char_indices() {
        match c {
            '=' | ':' => spans.extend(scan.assigned(at, c)),
            '>' => spans.extend(scan.element(at)),
            '\'' | '"' => spans.extend(quoted_after_word(text, at, c)),
            _ => {}
        }
    }
}

/// A text, and where values in it end.
struct Scan<'a> {
    text: &'a str,
    word: Ahead,
    line: Ahead,
    brace: Ahead,
    element: Ahead,
}

/// The next end after a place. It is kept, so that a text made of beginnings takes no longer than another.
struct Ahead {
    find: fn(&str) -> usize,
    /// No end is between these.
    clear: Range<usize>,
}

impl Ahead {
    fn new(find: fn(&str) -> usize) -> Self {
        Self { find, clear: 0..0 }
    }

    fn from(&mut self, text: &str, start: usize) -> usize {
        if !self.clear.contains(&start) {
            self.clear = start..start + (self.find)(&text[start..]);
        }
        self.clear.end
    }
}

impl Scan<'_> {
    fn assigned(&mut self, at: usize, operator: char) -> Option<Range<usize>> {
        let text = self.text;
        let gap = tail(&text[..at], GAP_MAX);
        let named = gap.trim_end_matches(|c: char| c.is_whitespace() || "\"'\\]+:?!~=".contains(c));
        let gap = &gap[named.len()..];
        let before = &text[..at - gap.len()];
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
                return Some(start + 1..self.brace.from(text, start + 1));
            }
            let begins = |c: char| c.is_whitespace() || "\"'\\".contains(c);
            if !gap.contains(['"', '\'']) && !rest.starts_with(begins) {
                return None;
            }
        } else if rest.starts_with('>') {
            // PHP and Ruby: 'password' => 'x'
            start += 1;
        }
        if operator == ':' || gap.contains(char::is_whitespace) {
            start += text[start..].len() - text[start..].trim_start_matches([' ', '\t']).len();
        }
        if let Some(inner) = quoted_at(&text[start..]) {
            return Some(start + inner.start..start + inner.end);
        }
        let span = if operator == '=' {
            start..self.word.from(text, start)
        } else {
            // A header's value goes on to the end of the line, or of the quotes around the whole header.
            let end = self.line.from(text, start);
            start + scheme_length(name, &text[start..end])..end
        };
        (span.start < span.end).then_some(span)
    }

    /// `<password>x</password>`
    fn element(&mut self, at: usize) -> Option<Range<usize>> {
        let name = last_name(&self.text[..at]);
        let opens = self.text[..at - name.len()].ends_with('<');
        (opens && names_secret(name)).then(|| at + 1..self.element.from(self.text, at + 1))
    }
}

/// `Bearer ` in front of the secret.
fn scheme_length(name: &str, value: &str) -> usize {
    if !name.to_ascii_lowercase().ends_with("authorization") {
        return 0;
    }
    let is_scheme = |word: &str| SCHEMES.contains(&word.to_ascii_lowercase().as_str());
    value.split_once(' ').filter(|(word, _)| is_scheme(word)).map_or(0, |(word, _)| word.len() + 1)
}

/// `IDENTIFIED BY 'x'`, `ENCRYPTED PASSWORD 'x'`, `PASSWORD('x')`
fn quoted_after_word(text: &str, at: usize, quote: char) -> Option<Range<usize>> {
    let gap = tail(&text[..at], GAP_MAX);
    let named = gap.trim_end_matches(|c: char| c.is_whitespace() || "(\\".contains(c));
    if named.len() == gap.len() {
        return None;
    }
    let before = &text[..at - (gap.len() - named.len())];
    let word = last_name(before).to_ascii_lowercase();
    let identified = || tail(before, GAP_MAX).to_ascii_lowercase().contains("identified");
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
    let near = tail(text, NAME_MAX);
    &near[near.trim_end_matches(is_name).len()..]
}

fn until(text: &str, ends: impl Fn(char) -> bool) -> usize {
    text.find(ends).unwrap_or(text.len())
}
