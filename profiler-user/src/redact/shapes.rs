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

/// Of letters, digits and `_-.`, every one of them holds at least so many in a row, with what is before a slash.
pub(super) const SHORTEST: usize = {
    // The header of a web token, a dot, its payload.
    let (mut shortest, mut at) = (TOKEN_HEADER + 1 + TOKEN_PAYLOAD, 0);
    while at < SHAPES.len() {
        let prefix = SHAPES[at].prefix.as_bytes();
        let mut run = 0;
        while run < prefix.len() && prefix[run] != b'/' {
            run += 1;
        }
        if run == prefix.len() {
            run += SHAPES[at].least;
        }
        if run < shortest {
            shortest = run;
        }
        at += 1;
    }
    shortest
};

pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut before_is_word = false;
    // No shape is looked for inside its like, so that the time stays in proportion to the text.
    let (mut shape_end, mut key_end) = (0, 0);
    // Whatever is looked for begins with an ASCII character.
    for (at, byte) in text.bytes().enumerate() {
        let begins = !before_is_word && BEGINS[usize::from(byte)];
        if begins
            && at >= shape_end
            && let Some(length) = known(&text[at..])
        {
            shape_end = at + length;
            spans.push(at..shape_end);
        }
        if begins && let Some(value) = credentials(&text[at..]) {
            spans.push(at + value.start..at + value.end);
        }
        if byte == b'-'
            && at >= key_end
            && let Some(length) = private_key(&text[at..])
        {
            key_end = at + length;
            spans.push(at..key_end);
        }
        before_is_word = byte.is_ascii_alphanumeric();
    }
    spans
}

/// By the first byte, whether any shape, web token or scheme begins with it.
const BEGINS: [bool; 256] = {
    let mut begins = [false; 256];
    let mut at = 0;
    while at < SHAPES.len() {
        begins[SHAPES[at].prefix.as_bytes()[0] as usize] = true;
        at += 1;
    }
    begins[b'e' as usize] = true;
    begins[b'b' as usize] = true;
    begins[b'B' as usize] = true;
    begins
};

fn known(text: &str) -> Option<usize> {
    SHAPES.iter().find_map(|shape| shape.length(text)).or_else(|| web_token(text))
}

impl Shape {
    fn length(&self, text: &str) -> Option<usize> {
        let rest = text.strip_prefix(self.prefix)?;
        let length = run(rest, self.also);
        (length >= self.least).then_some(self.prefix.len() + length)
    }
}

/// Characters of a web token's parts, at least.
const TOKEN_HEADER: usize = 10;
const TOKEN_PAYLOAD: usize = 4;

/// Longer than the header of any token.
const HEADER_MAX: usize = 4096;

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// What follows `Bearer` or `Basic`, the schemes of HTTP's `Authorization` header, with the header's name or without.
fn credentials(text: &str) -> Option<Range<usize>> {
    const SCHEMES: [&str; 2] = ["bearer ", "basic "];
    /// Shorter ones are words of a sentence.
    const LEAST: usize = 8;
    if !text.starts_with(['b', 'B']) {
        return None;
    }
    let scheme = SCHEMES.iter().find(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })?;
    let value = &text[scheme.len()..];
    let length = run(value, "_-.~+/=");
    let spelled = value[..length].bytes().all(|byte| byte.is_ascii_lowercase());
    (length >= LEAST && !spelled).then_some(scheme.len()..scheme.len() + length)
}

/// A JSON Web Token: its header, which begins `{"` in base 64, a payload and a signature that may be empty.
fn web_token(text: &str) -> Option<usize> {
    if !text.starts_with("eyJ") {
        return None;
    }
    let header =
        text.as_bytes().iter().take(HEADER_MAX).take_while(|byte| is_base64(**byte)).count();
    let payload = run(text[header..].strip_prefix('.')?, "_-");
    let end = header + 1 + payload;
    let signature = text[end..].strip_prefix('.').map_or(0, |rest| 1 + run(rest, "_-"));
    (header >= TOKEN_HEADER && payload >= TOKEN_PAYLOAD).then_some(end + signature)
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
