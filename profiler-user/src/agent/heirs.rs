//! What images without a baseline of their own were seen to do of what their ancestors hold: a file for each, below the store, for
//! somebody to review. Nobody is judged by it.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

use super::{catalogue::Inheritance, shelf::Shelf, task::Observed};
use crate::{
    baseline::{self, Image, RunId},
    behaviour::Observation,
    container::Identity,
    observe::losses,
};

/// Something new is on disk so much later at the latest.
const SAVE_EVERY: Duration = Duration::from_secs(10);

/// Every rollout leaves a file or more. Of so many the one that was written least lately goes.
const KEPT: usize = 500;

pub(super) struct Heirs {
    directory: PathBuf,
    observed: Observed,
    shelf: Shelf,
    /// How many containers run, by label.
    running: BTreeMap<String, usize>,
    /// Labels of files that cannot be used, and what was said of it.
    unusable: HashMap<String, String>,
}

/// A container of such an image.
pub(super) struct Heir {
    label: String,
    run: RunId,
    inheritance: Inheritance,
}

impl Heir {
    /// Whether that is what it inherits already.
    pub(super) fn is_of(&self, inheritance: &Inheritance) -> bool {
        Arc::ptr_eq(&self.inheritance.ancestor, &inheritance.ancestor)
    }
}

impl Heirs {
    pub(super) fn new(directory: &Path, observed: Observed) -> Self {
        let shelf = Shelf::new(directory, SAVE_EVERY);
        let (running, unusable) = (BTreeMap::new(), HashMap::new());
        Self { directory: directory.to_owned(), observed, shelf, running, unusable }
    }

    pub(super) fn tier(&self) -> &str {
        &self.observed.tier
    }

    /// None where its file cannot be used, which is said. `partial`: not all that it did is seen.
    pub(super) fn begin(
        &mut self,
        identity: &Identity,
        inheritance: &Inheritance,
        partial: bool,
        now: Timestamp,
    ) -> Option<Heir> {
        let fresh = inheritance.ancestor.heir(Image::of_container(identity)?);
        let label = fresh.label();
        if self.shelf.get_mut(&label).is_none() {
            self.make_room();
        }
        let book = match self.shelf.open(&label, fresh.clone()) {
            Ok(book) => book,
            Err(error) => {
                let error = error.to_string();
                if self.unusable.get(&label) != Some(&error) {
                    eprintln!(
                        "driftline: {error}; until then it is not kept what {label} does of what its ancestor holds"
                    );
                }
                self.unusable.insert(label, error);
                return None;
            }
        };
        self.unusable.remove(&label);
        let own = &mut book.baseline;
        if own.generaliser == fresh.generaliser {
            own.image.repo_digests.extend(fresh.image.repo_digests);
            own.image.references.extend(fresh.image.references);
            own.redaction_key.extend(fresh.redaction_key);
            own.ancestors.extend(fresh.ancestors);
            own.hold_to(&inheritance.judge);
        } else {
            // Its patterns meant other things.
            *own = fresh;
        }
        let run = RunId::of_container(&identity.id);
        own.take_up_run(run.clone(), self.observed.run(identity, partial, now));
        book.dirty = true;
        *self.running.entry(label.clone()).or_default() += 1;
        Some(Heir { label, run, inheritance: inheritance.clone() })
    }

    /// Only what is there for the first time is worth writing: counts go with it.
    pub(super) fn take(&mut self, heir: &Heir, observation: &Observation) {
        let Some(book) = self.shelf.get_mut(&heir.label) else { return };
        let judge = &heir.inheritance.judge;
        book.dirty |= book.baseline.inherit(judge, &heir.run, observation) > 0;
    }

    /// `ended`: none where only the watching does.
    pub(super) fn end(&mut self, heir: &Heir, lost: &[u64], ended: Option<Timestamp>) {
        if let Some(running) = self.running.get_mut(&heir.label) {
            *running -= 1;
        }
        self.running.retain(|_, running| *running > 0);
        let Some(book) = self.shelf.get_mut(&heir.label) else { return };
        let lost = losses(lost);
        match ended {
            Some(ended) => book.baseline.end_run(&heir.run, ended, &lost),
            None => book.baseline.lose(&heir.run, &lost),
        }
        book.dirty = true;
    }

    pub(super) fn save_due(&mut self) {
        self.shelf.save_due();
        self.shelf.put_away(|label| self.running.contains_key(label));
    }

    pub(super) fn close(&mut self) {
        self.shelf.close();
    }

    fn make_room(&self) {
        let written = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified());
        let listed = baseline::list(&self.directory).unwrap_or_default().into_iter();
        let mut files: Vec<(SystemTime, PathBuf)> =
            listed.filter_map(|listed| Some((written(&listed.path).ok()?, listed.path))).collect();
        files.sort();
        let too_many = (files.len() + 1).saturating_sub(KEPT);
        for (_, path) in files.into_iter().take(too_many) {
            if let Err(error) = fs::remove_file(&path) {
                eprintln!("driftline: cannot remove {}: {error}", path.display());
            }
        }
    }
}

#[cfg(test)]
mod tests;
