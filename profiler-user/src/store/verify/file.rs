//! The walk along the lines of an events file.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use super::heads::Sought;
use super::{Break, Head, Verdict};
use crate::drift::chain::hash;

/// No line of ours comes near it.
const LINE_MAX: u64 = 16 * 1024 * 1024;

/// Why a file cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the events file {}: {source}; give --events a file that can be read", path.display())]
pub struct LogFileError {
    path: PathBuf,
    source: io::Error,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "event.seq")]
    seq: i64,
    #[serde(rename = "event.prev_hash")]
    previous: Option<String>,
    #[serde(rename = "time.last")]
    last: Timestamp,
}

/// Proves a file of lines by what each tells of the one before. It may begin anywhere, as a rotated file does, and it may
/// begin anew at 1 where a new store fills it. Numbers may be missing where the hashes fit: that is a line that could
/// not be written.
pub fn verify_events(path: &Path, heads: &[Head]) -> Result<Verdict, LogFileError> {
    let failed = |source| LogFileError { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let mut sought = Sought::new(heads.to_vec());
    let mut verdict = Verdict::of_nothing();
    let mut time = None;
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        file.by_ref().take(LINE_MAX).read_until(b'\n', &mut text).map_err(failed)?;
        if text.is_empty() {
            break;
        }
        let ended = text.pop_if(|byte| *byte == b'\n').is_some();
        let next = verdict.last.map_or(1, |seq| seq + 1);
        let stop = |seq, what: &str, expected: String, found: String| Break {
            seq,
            line: Some(number),
            what: what.to_owned(),
            expected,
            found,
            after: time,
            before: None,
        };
        let line = match serde_json::from_slice::<Line>(&text) {
            Ok(line) => line,
            Err(error) => {
                let what =
                    if ended { "the line cannot be read" } else { "the last line is cut off" };
                verdict.broken = Some(stop(next, what, "an event".to_owned(), error.to_string()));
                break;
            }
        };
        let this = hash(&text);
        let or_none = |hash: Option<&String>| hash.map_or_else(|| "none".to_owned(), String::clone);
        let anew = line.seq == 1 && line.previous.is_none();
        if anew && verdict.events > 0 {
            verdict.beginnings += 1;
        } else if verdict.events > 0 && line.previous != verdict.hash {
            let what = "it tells another hash of the line before than that line has";
            let (expected, found) =
                (or_none(verdict.hash.as_ref()), or_none(line.previous.as_ref()));
            verdict.broken =
                Some(Break { before: Some(line.last), ..stop(line.seq, what, expected, found) });
            break;
        } else if verdict.last.is_some_and(|last| line.seq <= last) {
            let (expected, found) = (format!("{next} or more"), line.seq.to_string());
            verdict.broken = Some(stop(line.seq, "its number does not go up", expected, found));
            break;
        }
        if let Some(expected) = sought.meet(line.seq, &this) {
            let what = "it is not the event whose hash a sink was told";
            verdict.broken = Some(stop(line.seq, what, expected, this));
            break;
        }
        verdict.events += 1;
        verdict.first.get_or_insert(line.seq);
        verdict.last = Some(line.seq);
        verdict.hash = Some(this);
        time = Some(line.last);
    }
    if verdict.broken.is_none()
        && let Some(head) = sought.beyond(verdict.last.unwrap_or(0))
    {
        verdict.broken = Some(Break {
            seq: head.seq,
            line: None,
            what: "the log ends before an event that a sink was told".to_owned(),
            expected: head.hash,
            found: "no line".to_owned(),
            after: time,
            before: None,
        });
    }
    verdict.whole = verdict.broken.is_none();
    verdict.heads = sought.found();
    Ok(verdict)
}
