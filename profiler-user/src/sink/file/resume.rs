//! Going on with a file that an earlier run left, however that run ended.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::EventsError;
use crate::sink::Format;

const BLOCK: u64 = 64 * 1024;

/// No line of ours comes near it: a longer one is somebody else's, and is not read into memory.
const LINE_MAX: u64 = 16 * 1024 * 1024;

/// Leaves the file at the end of a whole line, and returns that line, without its newline.
///
/// The end of a file that has no newline is cut off only if it is plainly the beginning of one of
/// our lines; a whole object keeps its place. Anything else belongs to somebody else and is not
/// touched.
pub(super) fn resume(path: &Path, file: &mut File) -> Result<Option<Vec<u8>>, EventsError> {
    let failed = |source| EventsError::Open { path: path.to_owned(), source };
    let length = file.metadata().map_err(failed)?.len();
    let mut end = length;
    let (start, rest) = line_before(file, end).map_err(failed)?;
    let Some(rest) = rest else { return Err(EventsError::Foreign(path.to_owned())) };
    if !rest.is_empty() {
        let is_ours =
            |beginning: &[u8]| rest.starts_with(beginning) || beginning.starts_with(&rest);
        if !Format::BEGINNINGS.into_iter().any(is_ours) {
            return Err(EventsError::Foreign(path.to_owned()));
        }
        if serde_json::from_slice::<serde::de::IgnoredAny>(&rest).is_ok() {
            file.write_all(b"\n").map_err(failed)?;
            return Ok(Some(rest));
        }
        file.set_len(start).map_err(failed)?;
        end = start;
    }
    if end == 0 {
        return Ok(None);
    }
    // Before the newline that the last line ends with.
    let (_, line) = line_before(file, end - 1).map_err(failed)?;
    line.map(Some).ok_or_else(|| EventsError::Foreign(path.to_owned()))
}

/// The last line of ours in a file that is done with; none where there is none, or half a one.
pub(super) fn last_of(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let length = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    let (_, end) = line_before(&file, length).ok()?;
    if length == 0 || !end?.is_empty() {
        return None;
    }
    let (_, line) = line_before(&file, length - 1).ok()?;
    line.filter(|line| Format::BEGINNINGS.iter().any(|beginning| line.starts_with(beginning)))
}

/// The line that ends at `end`, and where it begins; no text where it is longer than [`LINE_MAX`].
fn line_before(file: &File, end: u64) -> io::Result<(u64, Option<Vec<u8>>)> {
    let start = line_start(file, end)?;
    let line = (end - start <= LINE_MAX).then(|| read(file, start, end)).transpose()?;
    Ok((start, line))
}

/// Behind the last newline before `end`, or 0. Gives up looking once the line is too long.
fn line_start(file: &File, end: u64) -> io::Result<u64> {
    let mut to = end;
    while to > 0 && end - to <= LINE_MAX {
        let from = to.saturating_sub(BLOCK);
        let block = read(file, from, to)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            // An index into a block of 64 KiB.
            return Ok(from + at as u64 + 1);
        }
        to = from;
    }
    Ok(0)
}

fn read(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(to - from).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}
