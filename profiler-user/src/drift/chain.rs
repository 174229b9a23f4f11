//! Ties each written event to the one before, so that a line taken out or changed shows.

use sha2::{Digest as _, Sha256};

use super::event::Event;

/// Where one sink's chain stands.
///
/// `event.seq` goes up with every event meant for the sink, `event.prev_hash` speaks of lines that
/// were really written: after events that could not be, the numbers have a gap and the chain still
/// holds.
#[derive(Debug, Default)]
pub struct Chain {
    seq: u64,
    previous: Option<String>,
}

impl Chain {
    /// Goes on after a line (without its newline) that is already there.
    pub fn after(line: &[u8]) -> Self {
        let seq = serde_json::from_slice::<serde_json::Value>(line)
            .ok()
            .and_then(|event| event.get("event.seq")?.as_u64())
            .unwrap_or(0);
        Self { seq, previous: Some(hash(line)) }
    }

    /// Goes on after line `seq`, whose hash is known.
    pub(crate) fn at(seq: u64, previous: Option<String>) -> Self {
        Self { seq, previous }
    }

    /// Number of the next line, and what it is to say of the one before.
    pub(crate) fn next(&mut self) -> (u64, Option<String>) {
        self.seq += 1;
        (self.seq, self.previous.clone())
    }

    /// The hash of the newest line.
    pub(crate) fn previous(&self) -> Option<&str> {
        self.previous.as_deref()
    }

    /// Numbers and links the event; the line to write, without a newline.
    pub fn link(&mut self, event: &mut Event) -> Result<String, serde_json::Error> {
        let (seq, previous) = self.next();
        event.seq = Some(seq);
        event.prev_hash = previous;
        serde_json::to_string(event)
    }

    /// The line was written as a whole.
    pub fn written(&mut self, line: &str) {
        self.previous = Some(hash(line.as_bytes()));
    }
}

/// `sha256:…` of a line without its newline.
pub(crate) fn hash(line: &[u8]) -> String {
    use std::fmt::Write as _;

    let mut text = String::from("sha256:");
    for byte in Sha256::digest(line) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::kind::DriftKind;
    use crate::drift::sample;

    fn parts(line: &str) -> (u64, Option<String>) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let previous = value.get("event.prev_hash").map(|hash| hash.as_str().unwrap().to_owned());
        (value["event.seq"].as_u64().unwrap(), previous)
    }

    #[test]
    fn an_event_that_was_not_written_leaves_a_gap_and_a_whole_chain() {
        let mut event = sample::event(DriftKind::FileRead, &sample::read("/a"));
        let mut chain = Chain::default();
        let first = chain.link(&mut event).unwrap();
        assert_eq!(parts(&first), (1, None));
        chain.written(&first);
        chain.link(&mut event).unwrap();
        let third = chain.link(&mut event).unwrap();
        assert_eq!(parts(&third), (3, Some(hash(first.as_bytes()))));

        chain.written(&third);
        let fourth = Chain::after(third.as_bytes()).link(&mut event).unwrap();
        assert_eq!(parts(&fourth), (4, Some(hash(third.as_bytes()))));
    }

    #[test]
    fn the_hash_is_sha256_as_everybody_computes_it() {
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(b"abc"), expected);
    }
}
