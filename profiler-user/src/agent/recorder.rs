//! `driftline record` on a node: one baseline for each image, role and scope, saved every second that brought something.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    goal::Goal,
    shelf::{Book, Shelf},
    task::{Member, Observed, Task},
};
use crate::{
    baseline::{self, Baseline, Image, LoadError, RunId, Whereabouts, Width},
    behaviour::{Behaviour, Observation},
    container::{ContainerId, Role, Shipped},
    drift::BaselineStatus,
    http::Containers,
    observe::{UNKNOWN, losses},
    store::{Capture, Write},
};

/// What is not saved yet is what a crash loses: at most a second's.
const SAVE_EVERY: Duration = Duration::from_millis(350);

/// Every entry is looked at for siblings, which is not for every time that one came.
const JOIN_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Recorder {
    key_id: String,
    observed: Observed,
    /// The present one, see [`baseline::WINDOW`].
    window: i64,
    /// Which containers of an image have a baseline of their own.
    width: Width,
    shelf: Shelf,
    /// By label, as on the shelf.
    joining: BTreeMap<String, Joining>,
    /// Labels of baselines that cannot be used; it was said why.
    unusable: HashMap<String, String>,
    goal: Option<Goal>,
}

/// Which of a baseline's names are one of many, and what is known of its image for that.
struct Joining {
    /// When its entries are looked at for siblings; none where nothing came since.
    due: Option<Instant>,
    /// Where the files of its image are, since a container of it was seen alive.
    shipped: Option<Shipped>,
}

pub(super) struct Recording {
    label: String,
    run: RunId,
    container: ContainerId,
    began: Timestamp,
    unattributed: u64,
}

impl Recorder {
    pub(super) fn new(
        directory: &Path,
        key_id: String,
        observed: Observed,
        until: Option<f64>,
        width: Width,
    ) -> Self {
        let window = baseline::window_of(Timestamp::now());
        let shelf = Shelf::new(directory, SAVE_EVERY);
        let (joining, unusable) = (BTreeMap::new(), HashMap::new());
        let goal = until.map(Goal::new);
        Self { key_id, observed, window, width, shelf, joining, unusable, goal }
    }

    fn book(&mut self, label: &str, fresh: Baseline) -> Result<&mut Book, LoadError> {
        let Image { repo_digests, references, .. } = fresh.image.clone();
        let book = self.shelf.open(label, fresh)?;
        book.baseline.image.repo_digests.extend(repo_digests);
        book.baseline.image.references.extend(references);
        let due = Some(Instant::now() + JOIN_EVERY);
        self.joining.entry(label.to_owned()).or_insert(Joining { due, shipped: None });
        Ok(book)
    }

    fn finish(&mut self, job: &Recording, lost: &[u64], ended: Option<Timestamp>) {
        let Some(book) = self.shelf.get_mut(&job.label) else { return };
        let mut lost = losses(lost);
        if job.unattributed > 0 {
            lost.insert("unattributed".to_owned(), job.unattributed);
        }
        match ended {
            Some(ended) => book.baseline.end_run(&job.run, ended, &lost),
            None => book.baseline.lose(&job.run, &lost),
        }
        book.dirty = true;
    }

    /// `all`: without waiting for more to come.
    fn join_due(&mut self, all: bool) {
        let now = Instant::now();
        for (label, book) in self.shelf.iter_mut() {
            let Some(joining) = self.joining.get_mut(label) else { continue };
            if joining.due.is_some_and(|due| all || due <= now) {
                joining.join(book, now);
            }
        }
    }
}

impl Joining {
    fn look_for_files(&mut self, pid: u32, container: &ContainerId, began: Timestamp) {
        if self.shipped.is_none() {
            self.shipped = Shipped::of(pid, container, began);
        }
    }

    /// Only where it is known which files the image has.
    fn join(&mut self, book: &mut Book, now: Instant) {
        if let Some(tree) = self.shipped.as_ref().and_then(Shipped::open) {
            let changed = book.baseline.join_siblings(|pattern| tree.has(pattern, |_| false));
            book.dirty |= changed > 0;
            self.due = None;
        } else {
            // Whoever is seen next knows better.
            self.shipped = None;
            self.due = Some(now + JOIN_EVERY);
        }
    }
}

impl Task for Recorder {
    type Job = Recording;

    fn begin(
        &mut self,
        member: &Member,
        now: Timestamp,
        _out: &mut Vec<Write>,
    ) -> Option<Recording> {
        if member.identity.role == Role::Sandbox {
            return None;
        }
        let Some(image) = Image::of_container(&member.identity) else {
            eprintln!(
                "driftline: container {} is not recorded: no runtime says what its image is",
                member.identity.id.short()
            );
            return None;
        };
        let (namespace, workload) = (member.identity.namespace(), member.identity.workload());
        let at = Whereabouts { namespace, workload: workload.as_deref() };
        let fresh = Baseline { scope: self.width.scope(at), ..Baseline::new(image) };
        let (label, key_id) = (fresh.label(), self.key_id.clone());
        let details =
            self.observed.run(&member.identity, member.capture != Capture::FromStart, now);
        let (run, container) =
            (RunId::of_container(&member.identity.id), member.identity.id.clone());
        let began = member.identity.started.unwrap_or(now);
        match self.book(&label, fresh) {
            Ok(book) => {
                book.baseline.begin_run(run.clone(), details, &key_id);
                book.dirty = true;
                if let Some(pid) = member.identity.pid
                    && let Some(joining) = self.joining.get_mut(&label)
                {
                    joining.look_for_files(pid, &container, began);
                }
                self.unusable.remove(&label);
                Some(Recording { label, run, container, began, unattributed: 0 })
            }
            Err(error) => {
                let error = error.to_string();
                if self.unusable.get(&label) != Some(&error) {
                    eprintln!("driftline: {error}; until then {label} is not recorded");
                }
                self.unusable.insert(label, error);
                None
            }
        }
    }

    fn take(&mut self, job: &mut Recording, observation: Observation, _out: &mut Vec<Write>) {
        let Some(book) = self.shelf.get_mut(&job.label) else { return };
        // Whoever did it: learned, it would be allowed to every process of which nothing is known.
        if *observation.process.executable == *UNKNOWN
            && !matches!(observation.behaviour, Behaviour::Syscall(_))
        {
            job.unattributed += 1;
        } else {
            let new = book.baseline.learn(&job.run, &observation);
            book.dirty = true;
            if new > 0
                && let Some(joining) = self.joining.get_mut(&job.label)
            {
                joining.due.get_or_insert_with(|| Instant::now() + JOIN_EVERY);
                joining.look_for_files(observation.process.pid, &job.container, job.began);
            }
        }
    }

    fn tick(&mut self, _: &mut Recording, _: u64, _: Timestamp, _: &mut Vec<Write>) {}

    fn end(&mut self, job: Recording, lost: &[u64], now: Timestamp, _out: &mut Vec<Write>) {
        self.finish(&job, lost, Some(now));
    }

    fn leave(&mut self, job: Recording, lost: &[u64], _now: Timestamp, _out: &mut Vec<Write>) {
        self.finish(&job, lost, None);
    }

    /// In each window everything is to cross again: so each tells what is done in it.
    fn every_second(&mut self, now: Timestamp) -> bool {
        let window = baseline::window_of(now);
        std::mem::replace(&mut self.window, window) != window
    }

    fn is_done(&mut self, now: Timestamp) -> bool {
        let baselines = self.shelf.baselines();
        self.goal.as_mut().is_some_and(|goal| goal.is_reached(baselines, now))
    }

    fn save(&mut self) {
        self.join_due(false);
        self.shelf.save_due();
    }

    fn baselines(&self) -> (usize, usize) {
        (self.shelf.baselines().len(), 0)
    }

    fn count(_job: &Recording, containers: &mut Containers) {
        containers.recorded += 1;
    }

    fn stop(&mut self) {
        self.join_due(true);
        self.shelf.close();
    }

    fn baseline(&self, _job: &Recording) -> Option<(Option<String>, BaselineStatus)> {
        None
    }
}
