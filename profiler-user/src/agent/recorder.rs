//! `driftline record` on a node: one baseline for each image and role, saved every second that brought something.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    goal::Goal,
    saver::{Saved, Saver, Stamp, stamp},
    task::{Member, Task},
};
use crate::{
    baseline::{self, Baseline, Image, LoadError, Run, RunId},
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
    directory: PathBuf,
    key_id: String,
    host: String,
    tier: String,
    /// Behaviours that no probe sees.
    blind: BTreeSet<String>,
    /// The present one, see [`baseline::WINDOW`].
    window: i64,
    books: BTreeMap<String, Book>,
    /// Labels of baselines that cannot be used; it was said why.
    unusable: HashMap<String, String>,
    saver: Saver,
    goal: Option<Goal>,
}

/// A baseline that is being recorded.
struct Book {
    baseline: Baseline,
    dirty: bool,
    /// When its entries are looked at for siblings; none where nothing came since.
    join_due: Option<Instant>,
    /// Where the files of its image are, since a container of it was seen alive.
    shipped: Option<Shipped>,
    /// The saver has it.
    saving: bool,
    /// Not before then.
    due: Instant,
    /// The file as it was last written here: another one was written by somebody else.
    stamp: Option<Stamp>,
    failing: bool,
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
        host: String,
        tier: String,
        blind: BTreeSet<String>,
        until: Option<f64>,
    ) -> Self {
        let window = baseline::window_of(Timestamp::now());
        let directory = directory.to_owned();
        let (books, unusable) = (BTreeMap::new(), HashMap::new());
        let saver = Saver::start(directory.clone());
        Self {
            directory,
            key_id,
            host,
            tier,
            blind,
            window,
            books,
            unusable,
            saver,
            goal: until.map(Goal::new),
        }
    }

    fn book(&mut self, image: Image) -> Result<&mut Book, LoadError> {
        let label = image.label();
        if !self.books.contains_key(&label) {
            let path = baseline::path_of(&self.directory, &image);
            let stamp = stamp(&path);
            let baseline = match baseline::load(&self.directory, &image) {
                Ok(baseline) => baseline,
                Err(LoadError::NotFound { .. }) => Baseline::new(image.clone()),
                Err(error) => return Err(error),
            };
            let (dirty, saving, due, failing) = (false, false, Instant::now(), false);
            let (join_due, shipped) = (Some(Instant::now() + JOIN_EVERY), None);
            let book = Book { baseline, dirty, join_due, shipped, saving, due, stamp, failing };
            self.books.insert(label.clone(), book);
        }
        let book = self.books.get_mut(&label).expect("it was just put there");
        book.baseline.image.repo_digests.extend(image.repo_digests);
        book.baseline.image.references.extend(image.references);
        Ok(book)
    }

    fn finish(&mut self, job: &Recording, lost: &[u64], ended: Option<Timestamp>) {
        let Some(book) = self.books.get_mut(&job.label) else { return };
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

    /// Takes what the saver has done, and hands it the baselines that are due. Saving is off the way of the records.
    fn save_due(&mut self) {
        while let Ok(saved) = self.saver.done.try_recv() {
            self.saved(saved);
        }
        let now = Instant::now();
        for (label, book) in &mut self.books {
            if book.join_due.is_some_and(|due| due <= now) {
                book.join_siblings(now);
            }
            if book.dirty && !book.saving && book.due <= now {
                book.dirty = false;
                book.saving = true;
                self.saver.save(label.clone(), book.baseline.clone(), book.stamp);
            }
        }
    }

    fn saved(&mut self, saved: Saved) {
        let Some(book) = self.books.get_mut(&saved.label) else { return };
        book.saving = false;
        book.due = saved.started + SAVE_EVERY;
        match saved.result {
            Ok((stamp, others)) => {
                book.stamp = stamp;
                book.failing = false;
                if let Some(others) = others
                    && let Ok(both) = others.merge(book.baseline.clone())
                {
                    book.baseline = both;
                }
            }
            Err(error) => {
                book.dirty = true;
                if !book.failing {
                    eprintln!("driftline: {error:#}; it is tried again");
                }
                book.failing = true;
            }
        }
    }
}

impl Book {
    fn look_for_files(&mut self, pid: u32, container: &ContainerId, began: Timestamp) {
        if self.shipped.is_none() {
            self.shipped = Shipped::of(pid, container, began);
        }
    }

    /// Only where it is known which files the image has.
    fn join_siblings(&mut self, now: Instant) {
        if let Some(tree) = self.shipped.as_ref().and_then(Shipped::open) {
            let changed = self.baseline.join_siblings(|pattern| tree.has(pattern, |_| false));
            self.dirty |= changed > 0;
            self.join_due = None;
        } else {
            // Whoever is seen next knows better.
            self.shipped = None;
            self.join_due = Some(now + JOIN_EVERY);
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
        let (label, key_id) = (image.label(), self.key_id.clone());
        let details = Run {
            blind: self.blind.clone(),
            partial: member.capture != Capture::FromStart,
            ..Run::new(member.identity.started.unwrap_or(now), &self.host, &self.tier)
        };
        let (run, container) =
            (RunId::of_container(&member.identity.id), member.identity.id.clone());
        let began = member.identity.started.unwrap_or(now);
        match self.book(image) {
            Ok(book) => {
                book.baseline.begin_run(run.clone(), details, &key_id);
                book.dirty = true;
                if let Some(pid) = member.identity.pid {
                    book.look_for_files(pid, &container, began);
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
        let Some(book) = self.books.get_mut(&job.label) else { return };
        // Whoever did it: learned, it would be allowed to every process of which nothing is known.
        if *observation.process.executable == *UNKNOWN
            && !matches!(observation.behaviour, Behaviour::Syscall(_))
        {
            job.unattributed += 1;
        } else {
            let new = book.baseline.learn(&job.run, &observation);
            book.dirty = true;
            if new > 0 {
                book.join_due.get_or_insert_with(|| Instant::now() + JOIN_EVERY);
                book.look_for_files(observation.process.pid, &job.container, job.began);
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
        let baselines = self.books.values().map(|book| &book.baseline);
        self.goal.as_mut().is_some_and(|goal| goal.is_reached(baselines, now))
    }

    fn save(&mut self) {
        self.save_due();
    }

    fn baselines(&self) -> (usize, usize) {
        (self.books.len(), 0)
    }

    fn count(_job: &Recording, containers: &mut Containers) {
        containers.recorded += 1;
    }

    fn stop(&mut self) {
        loop {
            while let Ok(saved) = self.saver.done.try_recv() {
                self.saved(saved);
            }
            // What cannot be written was said, and is not waited for.
            for book in self.books.values_mut().filter(|book| !book.failing) {
                book.due = Instant::now();
                book.join_due = book.join_due.and(Some(book.due));
            }
            self.save_due();
            if !self.books.values().any(|book| book.saving) {
                return;
            }
            // What was being saved meanwhile may have changed since.
            let Ok(saved) = self.saver.done.recv() else { return };
            self.saved(saved);
        }
    }

    fn baseline(&self, _job: &Recording) -> Option<(Option<String>, BaselineStatus)> {
        None
    }
}
