//! What is taken together of one container: its processes, their executables, and what was changed of its image's files.

mod content;
mod process;
mod upper;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use self::content::Timed;
pub use self::process::pids;
pub use self::upper::Upper;
use super::bundle::{Kept, Spool};
use super::{Collected, Missing};
use crate::redact::Redactor;

/// Of one executable, in bytes.
const EXECUTABLE_MAX: u64 = 64 << 20;
/// Different ones of a container.
const EXECUTABLES_MAX: usize = 512;
/// For the contents of executables, and again for those of changed files.
const TIME: Duration = Duration::from_secs(30);

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

#[derive(Clone, Serialize)]
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
    held: Vec<Executable>,
    upper: Option<&Upper>,
    redactor: &Redactor,
) -> io::Result<()> {
    executables(spool, held, pids, redactor)?;
    process::collect(spool, pids, redactor)?;
    if let Some(upper) = upper {
        return upper.collect(spool, redactor, Instant::now() + TIME);
    }
    spool.missing("changed.json", "no overlay is known that its root lies on");
    Ok(())
}

/// A file that is read once, whoever runs it.
struct Program {
    file: File,
    of: Vec<(u32, String)>,
}

fn executables(
    spool: &mut Spool,
    held: Vec<Executable>,
    pids: &[u32],
    redactor: &Redactor,
) -> io::Result<()> {
    use std::io::Seek as _;
    let (mut programs, mut places) = (Vec::<Program>::new(), HashMap::new());
    let (mut told, mut more) = (BTreeSet::new(), 0_u64);
    // All of them are opened before any is read: processes end meanwhile.
    let running = pids.iter().filter_map(|pid| Executable::open(*pid).ok());
    for Executable { pid, path, file } in held.into_iter().chain(running) {
        let Ok(meta) = file.metadata() else { continue };
        if !told.insert((pid, path.clone())) {
            continue;
        }
        // While a file is held open nothing else has its number.
        let at = *places.entry((meta.dev(), meta.ino())).or_insert(programs.len());
        if let Some(program) = programs.get_mut(at) {
            program.of.push((pid, path));
        } else if at < EXECUTABLES_MAX {
            programs.push(Program { file, of: vec![(pid, path)] });
        } else {
            places.remove(&(meta.dev(), meta.ino()));
            more += 1;
        }
    }
    let (mut lines, until) = (Vec::new(), Instant::now() + TIME);
    for Program { mut file, of } in programs {
        let kept = file.rewind().and_then(|()| {
            let from = &mut Timed { file: &mut file, until };
            spool.content("exe", from, EXECUTABLE_MAX).map(Content::from)
        });
        for (pid, path) in of {
            match &kept {
                Ok(kept) => {
                    let path = redactor.redact_text(&path);
                    lines.push(Line { pid, path, kept: kept.clone() });
                }
                Err(error) => {
                    let why = format!("it cannot be read: {error}");
                    spool.missing(format!("exe of {pid}"), why);
                }
            }
        }
    }
    if more > 0 {
        let why = format!("{more} processes more run other programs than {EXECUTABLES_MAX}");
        spool.missing("executables.json", why);
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

#[cfg(test)]
mod tests;
