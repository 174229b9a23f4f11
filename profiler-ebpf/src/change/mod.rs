//! A file was changed otherwise than through an open descriptor.
//!
//! First choice, for names: what `security_path_*` is about, reported when the operation behind it has succeeded; for
//! modes, owners and lengths: the return of the one function that does it. Where the kernel takes no trampolines: the
//! return of the system call, with the names that its caller gave.

mod exit;
mod meta;
mod names;

use profiler_common::event::{Change, Kind, Operation, PathPart};

use crate::{container::Container, novel::Novelty, record::Record};

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
    let sort = u64::from(flags) << 32 | u64::from(operation);
    let [is, starts, was, started] = [path, base, other, other_base]
        .map(|part| u64::from(part.len) << 32 | u64::from(part.form));
    let said = [sort, u64::from(mode), is, starts, was, started];
    let Some(novelty) = Novelty::of_record(container, Kind::Change as u64, said, &record) else {
        return;
    };
    if !container.may_send(Kind::Change) {
        return;
    }
    let header = container.header(Kind::Change, flags);
    let fixed = Change { header, operation, mode, path, base, other, other_base };
    if record.submit(container, Kind::Change, fixed) {
        novelty.reported();
    }
}
