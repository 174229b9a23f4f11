//! Writes baselines in a thread of its own: a large one takes longer than the ring buffer may wait.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc,
    time::{Instant, SystemTime},
};

use crate::baseline::{self, Baseline, LoadError};

/// What changes when a file does.
pub(super) type Stamp = (SystemTime, u64);

pub(super) struct Saver {
    work: mpsc::Sender<Work>,
    pub(super) done: mpsc::Receiver<Saved>,
}

struct Work {
    label: String,
    baseline: Baseline,
    stamp: Option<Stamp>,
}

/// What became of a baseline.
pub(super) struct Saved {
    pub(super) label: String,
    pub(super) started: Instant,
    /// The file as it is now, and what somebody else had written there, which is part of it.
    pub(super) result: anyhow::Result<(Option<Stamp>, Option<Baseline>)>,
}

impl Saver {
    pub(super) fn start(directory: PathBuf) -> Self {
        let (work, queue) = mpsc::channel::<Work>();
        let (told, done) = mpsc::channel();
        std::thread::spawn(move || {
            for Work { label, baseline, stamp } in queue {
                let started = Instant::now();
                let result = save(&directory, baseline, stamp);
                if told.send(Saved { label, started, result }).is_err() {
                    return;
                }
            }
        });
        Self { work, done }
    }

    /// `stamp`: the file as it was when it was last written here. Every call is answered.
    pub(super) fn save(&self, label: String, baseline: Baseline, stamp: Option<Stamp>) {
        // The thread ends with this handle only.
        let _it_listens = self.work.send(Work { label, baseline, stamp });
    }
}

/// Merges with what somebody else may have saved meanwhile, so that neither loses.
fn save(
    directory: &Path,
    baseline: Baseline,
    before: Option<Stamp>,
) -> anyhow::Result<(Option<Stamp>, Option<Baseline>)> {
    fs::create_dir_all(directory)?;
    let lock = fs::File::open(directory)?;
    lock.lock()?;
    let path = baseline::path_in(directory, &baseline.image, &baseline.scope);
    let mut others = None;
    if before != stamp(&path) {
        match baseline::load_in(directory, &baseline.image, &baseline.scope) {
            Ok(on_disk) => others = Some(on_disk),
            Err(LoadError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let whole = match &others {
        Some(others) => others.clone().merge(baseline)?,
        None => baseline,
    };
    baseline::save(directory, &whole)?;
    Ok((stamp(&path), others))
}

pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
