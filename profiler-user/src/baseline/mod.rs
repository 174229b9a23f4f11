//! A baseline: what an image does, learned in runs, merged, and judged by.
//!
//! **Invariant:** learning and judging name an observation the same way ([`facts`]), and a name is looked up the same way
//! ([`names`]): what was learned is known, and the entry that decided can always be named.

mod approval;
mod aspect;
mod bound;
mod candidates;
mod completeness;
mod entry;
mod facts;
mod fanout;
mod file;
#[cfg(test)]
mod fixtures;
mod frames;
mod heir;
mod holders;
mod judge;
mod key;
mod keys;
mod layout;
mod learn;
mod merge;
mod model;
mod names;
mod nearest;
mod portable;
mod run;
#[cfg(test)]
pub(crate) mod schema;
mod scope;
mod seen;
mod shown;
mod siblings;
mod thrown;

pub use crate::maturity::Interval;
pub use approval::{Approval, Drifted, Grant};
pub use aspect::Aspect;
pub use completeness::{Completeness, Limit, Measure, Units};
pub use entry::Entry;
pub(crate) use facts::kind_of;
pub use fanout::{CLIENTS, SERVERS};
pub use file::{
    Listed, LoadError, SaveError, list, load, load_file, load_in, path_for, path_in, path_of, save,
};
pub(crate) use file::{parse, read, read_file, read_up_to, render, write_file};
pub(crate) use heir::Ancestor;
pub use judge::Judge;
pub use key::{load_key, load_or_create_key};
pub use merge::MergeError;
pub use model::{Baseline, ENTRYPOINT, Executable, Image, SCHEMA};
pub(crate) use run::window_of;
pub use run::{Run, RunId};
pub use scope::{Scope, Whereabouts, Width};
pub use seen::{Phases, Seen, Sighting, WINDOW, Windows};
