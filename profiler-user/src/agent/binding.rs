//! The bind file of an agent, read again when it changes.

use std::path::{Path, PathBuf};

use super::saver::{Stamp, stamp};
use crate::bind::{Bind, BindError};

pub(super) struct Binding {
    path: PathBuf,
    stamp: Option<Stamp>,
    bind: Bind,
}

impl Binding {
    pub(super) fn open(path: &Path) -> Result<Self, BindError> {
        let stamp = stamp(path);
        Ok(Self { path: path.to_owned(), stamp, bind: Bind::load(path)? })
    }

    pub(super) fn bind(&self) -> &Bind {
        &self.bind
    }

    /// Whether it says something else now. One that breaks leaves what it said before, which is said once: without it every
    /// peer would be drift.
    pub(super) fn refresh(&mut self) -> bool {
        let now = stamp(&self.path);
        if now == self.stamp {
            return false;
        }
        self.stamp = now;
        match Bind::load(&self.path) {
            Ok(bind) => {
                let is_other = bind.id != self.bind.id;
                self.bind = bind;
                is_other
            }
            Err(error) => {
                eprintln!("driftline: {error}; until then it goes on as it was read before");
                false
            }
        }
    }
}
