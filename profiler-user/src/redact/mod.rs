//! Secrets, taken out where arguments are decoded: nothing downstream ever sees one.
//!
//! A secret becomes `{secret:xxxxxxxx}`, the start of a keyed hash, so that a baseline can still tell whether it is the
//! same. The rules are generous: a word hidden for nothing costs some readability, a password shown cannot be taken back.
//! **Invariant:** redacting twice is redacting once.

mod assign;
mod flags;
mod mask;
mod names;
mod shapes;
mod tools;
mod url;
mod words;

use std::ops::Range;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use mask::Masked;

/// The key that secrets are hashed with, 32 random bytes.
pub type Key = [u8; 32];

/// A key for one run: equal secrets still look equal within it.
pub(crate) fn throw_away_key() -> anyhow::Result<Key> {
    use std::io::Read as _;
    let mut key = Key::default();
    std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key)
}

/// Rules see their own results: after this many rounds a text is built to be redacted for ever and hidden whole.
const ROUNDS: usize = 16;

/// How deep a script may hold a script: `sh -c "su -c 'mysql -p…'"`.
const DEPTH: usize = 4;

#[derive(Clone)]
pub struct Redactor {
    key: Key,
    key_id: String,
}

/// The hash says nothing about the key.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Redactor {
    pub fn new(key: Key) -> Self {
        let hash = Sha256::new().chain_update(b"driftline redaction key").chain_update(key);
        Self { key, key_id: short_hex(&hash.finalize()) }
    }

    /// Names the key without revealing it: hashes compare only under one key.
    pub fn key_id(&self) -> String {
        self.key_id.clone()
    }

    /// The one function through which a program's arguments pass when they are decoded.
    pub fn redact_args(&self, args: Vec<String>) -> Vec<String> {
        if args.iter().all(|arg| is_harmless(arg)) { args } else { self.redact(args, find_in_args) }
    }

    /// A single text: a path, a script, a log line.
    pub fn redact_text(&self, text: &str) -> String {
        self.redact(vec![text.to_owned()], |texts| vec![find_in_text(texts[0])]).remove(0)
    }

    fn redact(
        &self,
        texts: Vec<String>,
        find: impl Fn(&[&str]) -> Vec<Vec<Range<usize>>>,
    ) -> Vec<String> {
        let mut masked: Vec<_> = texts.into_iter().map(Masked::new).collect();
        for round in 0.. {
            let mut found = find(&masked.iter().map(Masked::text).collect::<Vec<_>>());
            let mut changed = false;
            for (masked, spans) in masked.iter_mut().zip(&mut found) {
                if round >= ROUNDS && !spans.is_empty() {
                    *spans = std::iter::once(0..masked.text().len()).collect();
                }
                changed |= masked.hide(std::mem::take(spans), |secret| self.placeholder(secret));
            }
            if !changed {
                break;
            }
        }
        masked.into_iter().map(Masked::into_text).collect()
    }

    fn placeholder(&self, secret: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(secret.as_bytes());
        format!("{{secret:{}}}", short_hex(&mac.finalize().into_bytes()))
    }
}

fn short_hex(bytes: &[u8]) -> String {
    bytes.iter().take(4).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Of an argument as most are: nothing in it is secret, and it announces nothing about the others.
fn is_harmless(arg: &str) -> bool {
    let Some(run) = longest_run(arg) else { return false };
    !arg.contains('{')
        && flags::glued(arg).is_none()
        && !names::may_name_secret(arg)
        && tools::tool(arg).is_none()
        && (run < shapes::SHORTEST || shapes::find(arg).is_empty())
}

fn find_in_args(args: &[&str]) -> Vec<Vec<Range<usize>>> {
    let mut found: Vec<_> = args.iter().map(|arg| find_in_text(arg)).collect();
    let is_script = |at: usize| at > 0 && flags::takes_script(args[at - 1]);
    for (at, span) in flags::find(args) {
        // `PASSWORD=x command` is an assignment in a script, a password with a space in it anywhere else.
        if !(is_script(at) && args[at].contains(char::is_whitespace)) {
            found[at].push(span);
        }
    }
    found
}

fn find_in_text(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    // As most arguments are: one word of no script, that assigns nothing.
    let Some(run) = longest_run(text) else { return find_in_any_text(text) };
    if run >= shapes::SHORTEST {
        spans.extend(shapes::find(text));
    }
    spans.extend(flags::glued(text));
    spans
}

/// The most letters, digits and joining signs in a row, in a word that only shapes could tell from another; none for any
/// other text.
fn longest_run(text: &str) -> Option<usize> {
    let (mut run, mut longest) = (0, 0);
    for byte in text.bytes() {
        run = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => run + 1,
            b'=' | b':' | b'@' => return None,
            _ if words::is_plain(byte) => 0,
            _ => return None,
        };
        longest = longest.max(run);
    }
    Some(longest)
}

fn find_in_any_text(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    assign::find(text, &mut spans);
    url::find(text, &mut spans);
    spans.extend(shapes::find(text));
    find_in_script(text, 0, DEPTH, &mut spans);
    spans
}

/// Flags and assignments of the commands in a script that begins at `start` of the whole text.
fn find_in_script(script: &str, start: usize, depth: usize, spans: &mut Vec<Range<usize>>) {
    if depth == 0 {
        return;
    }
    for command in words::commands(script) {
        let words: Vec<_> = command.iter().map(|word| &script[word.clone()]).collect();
        for (at, span) in flags::find(&words) {
            let offset = start + command[at].start;
            spans.push(offset + span.start..offset + span.end);
        }
        for (word, range) in words.iter().zip(&command) {
            if word.contains(char::is_whitespace) {
                // A quoted script in a script, or the same text again without its quotes.
                find_in_script(word, start + range.start, depth - 1, spans);
            }
        }
    }
}

/// The last bytes of a text, whole characters.
fn tail(text: &str, bytes: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes))..]
}

/// The first bytes of a text, whole characters.
fn head(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests;
