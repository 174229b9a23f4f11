//! A text in which what is already hidden is one character, so that no rule can look inside.

use std::ops::Range;

/// A noncharacter, meant for internal use. One that was in the text becomes U+FFFD.
const HIDDEN: char = '\u{FDD0}';

pub(super) struct Masked {
    text: String,
    /// In order, what each [`HIDDEN`] stands for.
    hidden: Vec<String>,
}

impl Masked {
    pub(super) fn new(raw: String) -> Self {
        if !raw.contains("{secret:") && !raw.contains(HIDDEN) {
            return Self { text: raw, hidden: Vec::new() };
        }
        let mut text = String::with_capacity(raw.len());
        let mut hidden = Vec::new();
        let mut rest = raw.as_str();
        while let Some(c) = rest.chars().next() {
            if let Some(placeholder) = placeholder_at(rest) {
                hidden.push(placeholder.to_owned());
                text.push(HIDDEN);
                rest = &rest[placeholder.len()..];
            } else {
                text.push(if c == HIDDEN { char::REPLACEMENT_CHARACTER } else { c });
                rest = &rest[c.len_utf8()..];
            }
        }
        Self { text, hidden }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Hides the spans, overlapping ones as one; false when there was nothing left to hide.
    pub(super) fn hide(
        &mut self,
        mut spans: Vec<Range<usize>>,
        name: impl Fn(&str) -> String,
    ) -> bool {
        spans.retain_mut(|span| {
            *span = without_quotes(&self.text, span.clone());
            !self.text[span.clone()].chars().all(|c| c == HIDDEN)
        });
        spans.sort_by_key(|span| span.start);
        spans.dedup_by(|next, span| {
            let overlaps = next.start < span.end;
            if overlaps {
                span.end = span.end.max(next.end);
            }
            overlaps
        });
        // From the end, so that what is still to be done keeps its place.
        for span in spans.iter().rev() {
            let first = self.text[..span.start].matches(HIDDEN).count();
            let inside = self.text[span.clone()].matches(HIDDEN).count();
            let mut already = self.hidden[first..first + inside].iter();
            let secret: String = self.text[span.clone()]
                .chars()
                .map(|c| match c {
                    HIDDEN => already.next().cloned().unwrap_or_default(),
                    other => other.to_string(),
                })
                .collect();
            self.hidden.splice(first..first + inside, [name(&secret)]);
            self.text.replace_range(span.clone(), HIDDEN.encode_utf8(&mut [0; 4]));
        }
        !spans.is_empty()
    }

    pub(super) fn into_text(self) -> String {
        let mut hidden = self.hidden.into_iter();
        self.text.chars().fold(String::new(), |mut text, c| {
            match c {
                HIDDEN => text.push_str(&hidden.next().unwrap_or_default()),
                other => text.push(other),
            }
            text
        })
    }
}

/// Quotes around a value are not part of it.
fn without_quotes(text: &str, span: Range<usize>) -> Range<usize> {
    let value = &text[span.clone()];
    for quote in ["\\\"", "\\'", "\"", "'"] {
        if value.len() >= 2 * quote.len() && value.starts_with(quote) && value.ends_with(quote) {
            return span.start + quote.len()..span.end - quote.len();
        }
    }
    span
}

fn placeholder_at(text: &str) -> Option<&str> {
    let hash = text.strip_prefix("{secret:")?.get(..8)?;
    let ends = text[16..].starts_with('}');
    let hex = hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (ends && hex).then(|| &text[..17])
}
