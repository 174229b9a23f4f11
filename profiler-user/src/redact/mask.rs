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
        if spans.is_empty() {
            return false;
        }
        let mut text = String::with_capacity(self.text.len());
        let mut hidden = Vec::new();
        let mut already = std::mem::take(&mut self.hidden).into_iter();
        let mut at = 0;
        for span in spans {
            let kept = &self.text[at..span.start];
            text.push_str(kept);
            hidden.extend(already.by_ref().take(kept.matches(HIDDEN).count()));
            let secret = expanded(&self.text[span.clone()], &mut already);
            text.push(HIDDEN);
            hidden.push(name(&secret));
            at = span.end;
        }
        text.push_str(&self.text[at..]);
        hidden.extend(already);
        *self = Self { text, hidden };
        true
    }

    pub(super) fn into_text(self) -> String {
        if self.hidden.is_empty() {
            return self.text;
        }
        expanded(&self.text, &mut self.hidden.into_iter())
    }
}

fn expanded(text: &str, hidden: &mut impl Iterator<Item = String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            HIDDEN => expanded.push_str(&hidden.next().unwrap_or_default()),
            other => expanded.push(other),
        }
    }
    expanded
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
