//! A directory of attestations: envelopes one to a file, or one to a line.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::statement::{self, Claim};
use crate::attest::PublicKey;
use crate::baseline::read_up_to;

/// A scan or a bill of materials of a large image is some MiB.
const FILE_MAX: u64 = 64 * 1024 * 1024;
const FILES_MAX: usize = 4096;
/// In one file.
const LINES_MAX: usize = 4096;
/// What is told of one file at most: a hostile one could fill a log.
const TOLD_MAX: usize = 8;

const EXTENSIONS: [&str; 6] = ["json", "jsonl", "dsse", "att", "sigstore", "bundle"];

pub(super) type Stamp = Option<(SystemTime, u64)>;

/// What was read of each file, so that only what changed is read again.
#[derive(Debug, Default)]
pub(super) struct Read {
    files: HashMap<PathBuf, (Stamp, Vec<Arc<Claim>>)>,
}

/// All that is claimed, by the image's digest.
pub(super) type Index = HashMap<String, Vec<Arc<Claim>>>;

impl Read {
    /// Whether anything is other than before; `afresh` where other keys are trusted.
    pub(super) fn again(
        &mut self,
        directory: &Path,
        trusted: &[PublicKey],
        afresh: bool,
    ) -> io::Result<bool> {
        let mut now = HashMap::new();
        let mut changed = afresh;
        for (path, stamp) in files(directory)? {
            let known = self.files.remove(&path).filter(|(before, _)| !afresh && *before == stamp);
            changed |= known.is_none();
            let claims = known.map_or_else(|| of_file(&path, trusted), |(_, claims)| claims);
            now.insert(path, (stamp, claims));
        }
        changed |= !self.files.is_empty();
        self.files = now;
        Ok(changed)
    }

    /// What was read is not believed any more.
    pub(super) fn forget(&mut self) {
        self.files.clear();
    }

    pub(super) fn index(&self) -> Index {
        let mut index = Index::new();
        for claim in self.files.values().flat_map(|(_, claims)| claims) {
            for subject in &claim.subjects {
                index.entry(subject.clone()).or_default().push(Arc::clone(claim));
            }
        }
        index
    }
}

/// A `ConfigMap`'s own names begin with a dot.
fn files(directory: &Path) -> io::Result<Vec<(PathBuf, Stamp)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if EXTENSIONS.contains(&extension) && !is_hidden {
            // A directory or a device is told of when it is read.
            let stamp =
                fs::metadata(&path).and_then(|file| Ok((file.modified()?, file.len()))).ok();
            files.push((path, stamp));
        }
        if files.len() > FILES_MAX {
            return Err(io::Error::other(format!("it has more than {FILES_MAX} attestations")));
        }
    }
    Ok(files)
}

fn of_file(path: &Path, trusted: &[PublicKey]) -> Vec<Arc<Claim>> {
    let mut told = 0;
    let mut tell = |line: Option<usize>, why: &str| {
        told += 1;
        let place = line.map_or_else(String::new, |line| format!(", line {line}"));
        match told {
            1..TOLD_MAX => eprintln!(
                "driftline: the attestation {}{place} says nothing: {why}",
                path.display()
            ),
            TOLD_MAX => eprintln!("driftline: so it is with more lines of {}", path.display()),
            _ => {}
        }
    };
    // A pipe would be waited for.
    let is_file = fs::metadata(path).is_ok_and(|file| file.is_file());
    let read =
        if is_file { read_up_to(path, FILE_MAX) } else { Err(io::Error::other("it is no file")) };
    let text = match read {
        Ok(text) => text,
        Err(error) => {
            tell(None, &error.to_string());
            return Vec::new();
        }
    };
    // One envelope may go over lines; several are one to a line.
    let is_one = serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok();
    let lines: Vec<&[u8]> =
        if is_one { vec![&text] } else { text.split(|byte| *byte == b'\n').collect() };
    let mut claims = Vec::new();
    let lines = lines.into_iter().enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    for (count, (number, line)) in lines.enumerate() {
        if count == LINES_MAX {
            tell(
                Some(number + 1),
                &format!("more than {LINES_MAX} are not read; use several files"),
            );
            break;
        }
        let read = statement::read(line, trusted);
        if let Some(why) = read.why {
            tell((!is_one).then_some(number + 1), &why);
        }
        claims.extend(read.claim.map(Arc::new));
    }
    claims
}
