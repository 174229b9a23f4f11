//! Modes, owners and lengths, where one function does it and says whether it did.

use aya_ebpf::{
    macros::{fexit, map},
    programs::FExitContext,
};
use profiler_common::event::{Change, Kind, Operation};

use super::{of_one, submit};
use crate::{
    container::Container,
    path::{self, Place},
    record::{Record, ScratchMap},
};

/// `S_IALLUGO`: what of a mode can be changed.
const MODE_BITS: u32 = 0o7777;

#[map]
static MODE_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);
#[map]
static OWNER_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);
#[map]
static TRUNCATE_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);

/// `int chmod_common(const struct path *path, umode_t mode)`
#[fexit(function = "chmod_common")]
pub(crate) fn mode_done(ctx: FExitContext) -> i32 {
    let mode = ctx.arg::<u32>(1) & MODE_BITS;
    done(&ctx, &MODE_SCRATCH, Operation::Mode, mode)
}

/// `int chown_common(const struct path *path, uid_t user, gid_t group)`
#[fexit(function = "chown_common")]
pub(crate) fn owner_done(ctx: FExitContext) -> i32 {
    done(&ctx, &OWNER_SCRATCH, Operation::Owner, 0)
}

/// `long vfs_truncate(const struct path *path, loff_t length)`: by path; what is open is truncated elsewhere.
#[fexit(function = "vfs_truncate")]
pub(crate) fn truncate_done(ctx: FExitContext) -> i32 {
    done(&ctx, &TRUNCATE_SCRATCH, Operation::Truncate, 0)
}

#[inline(always)]
fn done(ctx: &FExitContext, scratch: &'static ScratchMap, operation: Operation, mode: u32) -> i32 {
    if ctx.ret::<i32>() != Ok(0) {
        return 0;
    }
    let Some(container) = Container::current_started() else { return 0 };
    let Some(mut record) = Record::<Change>::new(scratch) else {
        container.count_lost(Kind::Change);
        return 0;
    };
    // SAFETY: the hooked functions' first argument is a `struct path`.
    let place = unsafe { Place::of(ctx.arg(0)) };
    let path = path::push(&mut record, &container, Some(place));
    submit(record, &container, 0, of_one(operation, mode, path));
    0
}
