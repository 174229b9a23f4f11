//! Heads that a sink was told earlier, to be found again.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// `SEQ:HASH`, as `chain.seq` and `chain.hash` of a `driftline.chain/v1` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    pub seq: i64,
    /// `sha256:` and 64 digits.
    pub hash: String,
}

/// What became of a head.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeadFound {
    pub seq: i64,
    pub hash: String,
    /// Whether the log still has it. Absent where retention took that row: nobody can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no head; write SEQ:HASH, as chain.seq and chain.hash of a record, such as 42:sha256:9f86…"
)]
pub struct HeadError(String);

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let parsed = || {
            let (seq, hash) = text.split_once(':')?;
            let hash = hash.strip_prefix("sha256:").unwrap_or(hash);
            let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            let seq = seq.parse().ok().filter(|seq| *seq > 0)?;
            is_hash.then(|| Self { seq, hash: format!("sha256:{}", hash.to_ascii_lowercase()) })
        };
        parsed().ok_or_else(|| HeadError(text.to_owned()))
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// The heads that are looked for.
#[derive(Debug)]
pub(super) struct Sought(Vec<(Head, Option<bool>)>);

impl Sought {
    pub(super) fn new(heads: Vec<Head>) -> Self {
        Self(heads.into_iter().map(|head| (head, None)).collect())
    }

    /// The row `seq` has this hash. What it should have, where that is another.
    pub(super) fn meet(&mut self, seq: i64, hash: &str) -> Option<String> {
        let mut wrong = None;
        for (head, holds) in self.0.iter_mut().filter(|(head, _)| head.seq == seq) {
            *holds = Some(head.hash == hash);
            if head.hash != hash {
                wrong = Some(head.hash.clone());
            }
        }
        wrong
    }

    /// The first that lies behind the end of the log, which is then cut off.
    pub(super) fn beyond(&mut self, last: i64) -> Option<Head> {
        let mut first: Option<Head> = None;
        for (head, holds) in self.0.iter_mut().filter(|(head, _)| head.seq > last) {
            *holds = Some(false);
            if first.as_ref().is_none_or(|first| head.seq < first.seq) {
                first = Some(head.clone());
            }
        }
        first
    }

    pub(super) fn found(self) -> Vec<HeadFound> {
        let found = |(Head { seq, hash }, holds)| HeadFound { seq, hash, holds };
        self.0.into_iter().map(found).collect()
    }
}
