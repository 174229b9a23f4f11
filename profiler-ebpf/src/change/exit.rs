//! The return of a call that changed a file: what its caller asked for, and where that starts from.

use aya_ebpf::{
    helpers::bpf_probe_read_user,
    macros::{btf_tracepoint, map},
    programs::BtfTracePointContext,
};
use profiler_common::event::{CHANGE_CLAIMED, Change, Kind, Operation, PathPart};

use super::{Parts, submit};
use crate::{
    arch::{Call, Changing},
    container::Container,
    kernel::offset,
    open::{AT_FDCWD, file_of},
    path::{self, Place},
    record::{Record, ScratchMap},
};

#[map]
static CHANGE_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);

const MODE_BITS: u32 = 0o7777;

/// `void sys_exit(struct pt_regs *regs, long ret)`, of calls that changed a file.
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn change_exit(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the hook's argument.
    let Some(call) = (unsafe { Call::new(ctx.arg(0)) }) else { return 0 };
    if let Some(container) = Container::current_started()
        && changed(&call.changing(), &container).is_none()
    {
        container.count_lost(Kind::Change);
    }
    0
}

/// None if not even the caller's words could be read.
#[inline(always)]
fn changed(changing: &Changing, container: &Container) -> Option<()> {
    let mut record = Record::<Change>::new(&CHANGE_SCRATCH)?;
    let [operation, directory, asked, other_directory, other_asked, mode] = record.by_memory([
        changing.operation as u64,
        changing.directory as u64,
        changing.path,
        changing.other_directory as u64,
        changing.other,
        u64::from(changing.mode & MODE_BITS),
    ]);
    let path = text(&mut record, asked)?;
    let base = base(&mut record, container, directory as i32, asked);
    let other = text(&mut record, other_asked)?;
    let has_two = operation == Operation::Rename as u64 || operation == Operation::HardLink as u64;
    let other_base = if has_two {
        self::base(&mut record, container, other_directory as i32, other_asked)
    } else {
        PathPart::NONE
    };
    let (operation, mode) = (operation as u32, mode as u32);
    let parts = Parts { operation, mode, path, base, other, other_base };
    submit(record, container, CHANGE_CLAIMED, parts);
    Some(())
}

/// The caller's string; none was given where its address is 0.
#[inline(always)]
fn text(record: &mut Record<Change>, address: u64) -> Option<PathPart> {
    if address == 0 {
        return Some(PathPart::NONE);
    }
    let text = record.push_user_path(address);
    (text.len > 0).then_some(text)
}

/// Where the caller's path starts from: the task's root, its working directory, or an open one.
#[inline(always)]
fn base(record: &mut Record<Change>, container: &Container, directory: i32, path: u64) -> PathPart {
    // SAFETY: the helper checks the address.
    let first = unsafe { bpf_probe_read_user(path as *const u8) };
    let place = if first == Ok(b'/') {
        Place::root()
    } else if directory == AT_FDCWD {
        Place::cwd()
    } else {
        file_of(directory as u64).and_then(|file| Place::at(file, &offset::FILE_PATH))
    };
    path::push(record, container, place)
}
