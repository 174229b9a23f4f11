//! What is taken together of one container: its processes, their executables, and what was changed of its image's files.

mod process;
mod upper;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

use serde::Serialize;

pub use self::process::pids;
pub use self::upper::Upper;
use super::bundle::{Kept, Spool};
use super::{Collected, Missing};
use crate::redact::Redactor;

/// Of one executable, in bytes.
const EXECUTABLE_MAX: u64 = 64 << 20;

/// An executable, held open: the process may be gone, and its file deleted.
#[derive(Debug)]
pub struct Executable {
    pub pid: u32,
    /// As the kernel calls it.
    pub path: String,
    pub file: File,
}

impl Executable {
    /// Of a process that runs now.
    ///
    /// # Errors
    /// Where there is no such process any more.
    pub fn open(pid: u32) -> io::Result<Self> {
        let link = format!("/proc/{pid}/exe");
        let file = File::open(&link)?;
        let path = std::fs::read_link(&link)?.to_string_lossy().into_owned();
        Ok(Self { pid, path, file })
    }
}

#[derive(Serialize)]
struct Line {
    pid: u32,
    path: String,
    #[serde(flatten)]
    kept: Content,
}

#[derive(Serialize)]
struct Content {
    size: u64,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    piece: Option<String>,
}

impl From<Kept> for Content {
    fn from(Kept { size, sha256, piece }: Kept) -> Self {
        Self { size, sha256, piece }
    }
}

/// Everything of a container that has these processes now. `held`: executables that were caught before. `upper`: where its
/// changes lie, if that is known.
///
/// What others say of it is added here: each collector hands over its own [`Collected`].
pub fn container(
    spool: &mut Spool,
    pids: &[u32],
    held: &mut [Executable],
    upper: Option<&Upper>,
    redactor: &Redactor,
) -> io::Result<()> {
    let mut running: Vec<_> = pids.iter().filter_map(|pid| Executable::open(*pid).ok()).collect();
    executables(spool, held.iter_mut().chain(&mut running), redactor)?;
    spool.add(process::collect(pids, redactor))?;
    if let Some(upper) = upper {
        return upper.collect(spool, redactor);
    }
    spool.missing("changed.json", "no overlay is known that its root lies on");
    Ok(())
}

fn executables<'a>(
    spool: &mut Spool,
    all: impl Iterator<Item = &'a mut Executable>,
    redactor: &Redactor,
) -> io::Result<()> {
    use std::io::Seek as _;
    let (mut lines, mut told) = (Vec::new(), BTreeSet::new());
    for Executable { pid, path, file } in all {
        if !told.insert((*pid, path.clone())) {
            continue;
        }
        match file.rewind().and_then(|()| spool.content("exe", file, EXECUTABLE_MAX)) {
            Ok(kept) => {
                let path = redactor.redact_text(path);
                lines.push(Line { pid: *pid, path, kept: kept.into() });
            }
            Err(error) => {
                spool.missing(format!("exe of {pid}"), format!("it cannot be read: {error}"));
            }
        }
    }
    let mut collected = Collected::default();
    collected.piece("executables.json", json(&lines)?);
    spool.add(collected)
}

fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}

fn unread(name: impl Into<String>, path: &Path, error: &io::Error) -> Missing {
    Missing { name: name.into(), why: format!("cannot read {}: {error}", path.display()) }
}
