//! A file was changed otherwise than through an open descriptor.
//!
//! First choice, for names: what `security_path_*` is about, reported when the operation behind it has succeeded; for
//! modes, owners and lengths: the return of the one function that does it. Where the kernel takes no trampolines: the
//! return of the system call, with the names that its caller gave.

mod exit;
mod meta;
mod names;

use profiler_common::event::{Change, Kind, Operation, PathPart};

use crate::{container::Container, record::Record};

/// What a record says beside its header.
struct Parts {
    /// An [`Operation`].
    operation: u32,
    mode: u32,
    path: PathPart,
    base: PathPart,
    other: PathPart,
    other_base: PathPart,
}

/// A change of one file that was looked at.
#[inline(always)]
fn of_one(operation: Operation, mode: u32, path: PathPart) -> Parts {
    let none = PathPart::NONE;
    let operation = operation as u32;
    Parts { operation, mode, path, base: none, other: none, other_base: none }
}

#[inline(always)]
fn submit(record: Record<Change>, container: &Container, flags: u32, parts: Parts) {
    let Parts { operation, mode, path, base, other, other_base } = parts;
    // Names are new each time mostly: there is nothing to be known by.
    if !container.may_send(Kind::Change) {
        return;
    }
    let header = container.header(Kind::Change, flags);
    let fixed = Change { header, operation, mode, path, base, other, other_base };
    record.submit(container, Kind::Change, fixed);
}
