//! Baselines that grow while containers run, each a file of a directory: read once, written off the way of the records.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::saver::{Saved, Saver, Stamp, stamp};
use crate::baseline::{self, Baseline, LoadError};

pub(super) struct Shelf {
    directory: PathBuf,
    books: BTreeMap<String, Book>,
    saver: Saver,
    /// Between two writings of one file.
    every: Duration,
}

/// A baseline, and its file.
pub(super) struct Book {
    pub(super) baseline: Baseline,
    /// There is something to write.
    pub(super) dirty: bool,
    /// The saver has it.
    saving: bool,
    /// Not before then.
    due: Instant,
    /// The file as it was last written here: another one was written by somebody else.
    stamp: Option<Stamp>,
    failing: bool,
}

impl Shelf {
    pub(super) fn new(directory: &Path, every: Duration) -> Self {
        let saver = Saver::start(directory.to_owned());
        Self { directory: directory.to_owned(), books: BTreeMap::new(), saver, every }
    }

    /// The book of this label; one that is not here is read from its file, or begun as `fresh`.
    pub(super) fn open(&mut self, label: &str, fresh: Baseline) -> Result<&mut Book, LoadError> {
        if !self.books.contains_key(label) {
            let Baseline { image, scope, .. } = &fresh;
            let stamp = stamp(&baseline::path_in(&self.directory, image, scope));
            let baseline = match baseline::load_in(&self.directory, image, scope) {
                Ok(baseline) => baseline,
                Err(LoadError::NotFound { .. }) => fresh,
                Err(error) => return Err(error),
            };
            let (dirty, saving, due, failing) = (false, false, Instant::now(), false);
            let book = Book { baseline, dirty, saving, due, stamp, failing };
            self.books.insert(label.to_owned(), book);
        }
        Ok(self.books.get_mut(label).expect("it was just put there"))
    }

    pub(super) fn get_mut(&mut self, label: &str) -> Option<&mut Book> {
        self.books.get_mut(label)
    }

    pub(super) fn baselines(&self) -> impl ExactSizeIterator<Item = &Baseline> {
        self.books.values().map(|book| &book.baseline)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Book)> {
        self.books.iter_mut()
    }

    /// Puts away what is written and not in use.
    pub(super) fn put_away(&mut self, is_used: impl Fn(&str) -> bool) {
        self.books.retain(|label, book| book.dirty || book.saving || is_used(label));
    }

    /// Takes what the saver has done, and hands it what is due.
    pub(super) fn save_due(&mut self) {
        while let Ok(saved) = self.saver.done.try_recv() {
            self.saved(saved);
        }
        let now = Instant::now();
        for (label, book) in &mut self.books {
            if book.dirty && !book.saving && book.due <= now {
                book.dirty = false;
                book.saving = true;
                self.saver.save(label.clone(), book.baseline.clone(), book.stamp);
            }
        }
    }

    /// Writes everything now.
    pub(super) fn close(&mut self) {
        loop {
            while let Ok(saved) = self.saver.done.try_recv() {
                self.saved(saved);
            }
            // What cannot be written was said, and is not waited for.
            for book in self.books.values_mut().filter(|book| !book.failing) {
                book.due = Instant::now();
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

    fn saved(&mut self, saved: Saved) {
        let Some(book) = self.books.get_mut(&saved.label) else { return };
        book.saving = false;
        book.due = saved.started + self.every;
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
