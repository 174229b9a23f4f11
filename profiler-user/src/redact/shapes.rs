//! Secrets known by their look, wherever they stand.

use std::ops::Range;

struct Shape {
    prefix: &'static str,
    /// Characters after the prefix, at least.
    least: usize,
    /// Characters besides letters and digits.
    also: &'static str,
}

const fn shape(prefix: &'static str, least: usize, also: &'static str) -> Shape {
    Shape { prefix, least, also }
}

const SHAPES: &[Shape] = &[
    shape("AKIA", 16, ""),
    shape("ASIA", 16, ""),
    shape("ghp_", 20, "_"),
    shape("gho_", 20, "_"),
    shape("ghu_", 20, "_"),
    shape("ghs_", 20, "_"),
    shape("ghr_", 20, "_"),
    shape("github_pat_", 20, "_"),
    shape("glpat-", 16, "_-."),
    shape("xoxb-", 10, "-"),
    shape("xoxa-", 10, "-"),
    shape("xoxp-", 10, "-"),
    shape("xoxr-", 10, "-"),
    shape("xoxs-", 10, "-"),
    shape("xapp-", 10, "-"),
    shape("hooks.slack.com/services/", 20, "/"),
    shape("sk-", 16, "_-"),
    shape("sk_live_", 16, "_"),
    shape("sk_test_", 16, "_"),
    shape("rk_live_", 16, "_"),
    shape("whsec_", 16, "_"),
    shape("AIza", 35, "_-"),
    shape("ya29.", 20, "_-"),
    shape("npm_", 30, ""),
    shape("pypi-", 40, "_-"),
    shape("dckr_pat_", 20, "_-"),
    shape("hvs.", 20, "_-"),
    shape("SG.", 30, "_-."),
    shape("shpat_", 20, ""),
    shape("dop_v1_", 32, ""),
    shape("AGE-SECRET-KEY-1", 20, ""),
];

pub(super) fn find(text: &str, spans: &mut Vec<Range<usize>>) {
    let mut before = None;
    for (at, c) in text.char_indices() {
        let rest = &text[at..];
        if before.is_none_or(|c: char| !c.is_ascii_alphanumeric()) {
            let length =
                SHAPES.iter().find_map(|shape| shape.length(rest)).or_else(|| web_token(rest));
            spans.extend(length.map(|length| at..at + length));
        }
        if c == '-' {
            spans.extend(private_key(rest).map(|length| at..at + length));
        }
        before = Some(c);
    }
}

impl Shape {
    fn length(&self, text: &str) -> Option<usize> {
        let rest = text.strip_prefix(self.prefix)?;
        let length = run(rest, self.also);
        (length >= self.least).then_some(self.prefix.len() + length)
    }
}

/// A JSON Web Token: its header, which begins `{"` in base 64, a payload and a signature that may be empty.
fn web_token(text: &str) -> Option<usize> {
    if !text.starts_with("eyJ") {
        return None;
    }
    let header = run(text, "_-");
    let payload = run(text[header..].strip_prefix('.')?, "_-");
    let end = header + 1 + payload;
    let signature = text[end..].strip_prefix('.').map_or(0, |rest| 1 + run(rest, "_-"));
    (header >= 10 && payload >= 4).then_some(end + signature)
}

/// A PEM block, whole; one that is cut off goes on to the end.
fn private_key(text: &str) -> Option<usize> {
    let label = text.strip_prefix("-----BEGIN ")?;
    let label = &label[..label.find("-----")?];
    if !label.contains("PRIVATE KEY") {
        return None;
    }
    let ends = format!("-----END {label}-----");
    Some(text.find(&ends).map_or(text.len(), |at| at + ends.len()))
}

fn run(text: &str, also: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && !also.contains(c)).unwrap_or(text.len())
}
