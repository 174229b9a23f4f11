//! A file was opened, or refused.
//!
//! First choice `fentry/security_file_open`, which prints the path itself. Where the kernel takes no trampolines,
//! the return of the opening system call: descriptor → file → names.

use aya_ebpf::{
    helpers::bpf_get_current_task_btf,
    macros::{btf_tracepoint, fentry, map},
    programs::{BtfTracePointContext, FEntryContext},
};
use profiler_common::event::{
    Kind, OPEN_CLAIMED, OPEN_CREATED, OPEN_DENIED, OPEN_READ, OPEN_UNNAMED, OPEN_WRITE, Open,
    PathPart,
};

use crate::{
    arch::{Call, Opening},
    container::Container,
    inode::Inode,
    kernel::{at, load, may_read, offset, read},
    member,
    near::{self, Asker},
    path::{self, Place},
    record::{Record, ScratchMap},
    seen::{Class, Fingerprint, Scope},
};

const FMODE_READ: u32 = 1;
const FMODE_WRITE: u32 = 2;
/// Opened for its path alone (`O_PATH`): nothing is read.
const FMODE_PATH: u32 = 0x4000;
const FMODE_CREATED: u32 = 0x10_0000;
/// Overlay's own open of the layer below, which follows every open of a merged file.
const FMODE_NOACCOUNT: u32 = 0x2000_0000;
/// `__FMODE_EXEC` in `f_flags`: the kernel opens a program to run it, which is `exec`'s to tell.
pub(crate) const FMODE_EXEC: u32 = 0x20;
const O_ACCMODE: u32 = 3;
const O_TRUNC: u32 = 0o1000;
const O_PATH: u32 = 0o1000_0000;
pub(crate) const AT_FDCWD: i32 = -100;

#[map]
static OPEN_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);
#[map]
static CLAIMED_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);

/// `int security_file_open(struct file *file)`: permission was checked, the open is about to happen.
#[fentry(function = "security_file_open")]
pub(crate) fn open_file(ctx: FEntryContext) -> i32 {
    let file: *const u8 = ctx.arg(0);
    // SAFETY: the hook's argument is BTF-typed.
    let (mode, flags) =
        unsafe { (load::<u32>(file, &offset::FILE_MODE), load::<u32>(file, &offset::FILE_FLAGS)) };
    let Some(access) = access(mode, flags, flags) else { return 0 };
    let Some(near) = near::current_started(Asker::Open) else { return 0 };
    // SAFETY: this program's own.
    let scope = unsafe { near::scope(near) };
    let known = Fingerprint::of_executable(&scope, Class::Open, access)
        .and_then(|known| known.with_file(file, &scope));
    if known.is_some_and(Fingerprint::is_known) {
        return 0;
    }
    if let Some(container) = Container::of_id(scope.container)
        && member::is_of(&container)
        && container.may_send(Kind::Open)
    {
        match opened(file, access, &container) {
            Some(submitted) => {
                if submitted && let Some(known) = known {
                    known.keep();
                }
            }
            None => container.count_lost(Kind::Open),
        }
    }
    0
}

/// Whether its event got through. None if something could not be read.
#[inline(always)]
fn opened(file: *const u8, access: u32, container: &Container) -> Option<bool> {
    // SAFETY: the hook's argument is BTF-typed.
    let inode = unsafe { load::<*const u8>(file, &offset::FILE_INODE) };
    let mut record = Record::<Open>::new(&OPEN_SCRATCH)?;
    // The kernel prints what the task sees from its own root.
    let path = if !may_read() || Place::task_root().is(container.root()) {
        // SAFETY: `f_path` is embedded in a trusted `struct file`; this hook is on the kernel's list for `bpf_d_path`.
        unsafe { record.push_printed_path(at(file, &offset::FILE_PATH)) }
    } else {
        path::push(&mut record, container, Place::at(file, &offset::FILE_PATH))
    };
    // SAFETY: BTF-typed, from the hook's argument.
    let inode = unsafe { Inode::load(inode) };
    Some(submit(record, container, access, inode, path, PathPart::NONE))
}

/// `void sys_exit(struct pt_regs *regs, long ret)`, of calls that opened a path.
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn open_exit(ctx: BtfTracePointContext) -> i32 {
    let descriptor: u64 = ctx.arg(1);
    if let Some((opening, container)) = opening(&ctx)
        && returned(&opening, descriptor, &container).is_none()
        // Another thread may have closed the descriptor by now.
        && claimed(&opening, &container, 0).is_none()
    {
        container.count_lost(Kind::Open);
    }
    0
}

/// `void sys_exit(struct pt_regs *regs, long ret)`, of calls that were refused a path: the file was never reached.
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn open_denied(ctx: BtfTracePointContext) -> i32 {
    if let Some((opening, container)) = opening(&ctx)
        && claimed(&opening, &container, OPEN_DENIED).is_none()
    {
        container.count_lost(Kind::Open);
    }
    0
}

#[inline(always)]
fn opening(ctx: &BtfTracePointContext) -> Option<(Opening, Container)> {
    let container = Container::current_started()?;
    // SAFETY: the hook's argument.
    let opening = unsafe { Call::new(ctx.arg(0)) }?.opening()?;
    Some((opening, container))
}

/// None if the file could not be looked at.
#[inline(always)]
fn returned(opening: &Opening, descriptor: u64, container: &Container) -> Option<()> {
    let file = file_of(descriptor)?;
    let mode = read::<u32>(file, &offset::FILE_MODE)?;
    let flags = read::<u32>(file, &offset::FILE_FLAGS)?;
    let inode = read::<*const u8>(file, &offset::FILE_INODE)?;
    // The open itself clears O_TRUNC from the file's flags.
    let Some(access) = access(mode, flags, opening.flags as u32) else { return Some(()) };
    let scope = Scope::of(container);
    let known = Fingerprint::of_executable(&scope, Class::Open, access)
        .and_then(|known| known.with_found_file(file, &scope));
    if known.is_some_and(Fingerprint::is_known) || !container.may_send(Kind::Open) {
        return Some(());
    }
    let mut record = Record::<Open>::new(&OPEN_SCRATCH)?;
    let path = path::push(&mut record, container, Place::at(file, &offset::FILE_PATH));
    if submit(record, container, access, Inode::read(inode), path, PathPart::NONE)
        && let Some(known) = known
    {
        known.keep();
    }
    Some(())
}

/// An open by what the caller asked for. None if even that cannot be read.
#[inline(always)]
fn claimed(opening: &Opening, container: &Container, flags: u32) -> Option<()> {
    let mut record = Record::<Open>::new(&CLAIMED_SCRATCH)?;
    let directory = opening.directory.unwrap_or(AT_FDCWD as u64);
    let [directory, path, asked, flags, ..] =
        record.by_memory([directory, opening.path, opening.flags, u64::from(flags), 0, 0]);
    let (asked, flags) = (asked as u32, flags as u32);
    if asked & O_PATH != 0 {
        return Some(());
    }
    if path == 0 {
        return None;
    }
    if !container.may_send(Kind::Open) {
        return Some(());
    }
    let path = record.push_user_path(path);
    if path.len == 0 {
        return None;
    }
    let base = if directory as i32 == AT_FDCWD {
        Place::cwd()
    } else {
        file_of(directory).and_then(|file| Place::at(file, &offset::FILE_PATH))
    };
    let base = path::push(&mut record, container, base);
    // 3 is neither of the three modes; the kernel wants both permissions for it.
    let mode = if asked & O_ACCMODE == O_ACCMODE { 3 } else { (asked & O_ACCMODE) + 1 };
    let access = access(mode, 0, asked)? | OPEN_CLAIMED | flags;
    submit(record, container, access, Inode::UNKNOWN, path, base);
    Some(())
}

/// The access class, or none for an open that is not the program's reading or writing.
#[inline(always)]
fn access(mode: u32, file_flags: u32, asked: u32) -> Option<u32> {
    if mode & (FMODE_PATH | FMODE_NOACCOUNT) != 0 || file_flags & FMODE_EXEC != 0 {
        return None;
    }
    let mut access = 0;
    if mode & FMODE_READ != 0 {
        access |= OPEN_READ;
    }
    if mode & FMODE_WRITE != 0 || asked & O_TRUNC != 0 {
        access |= OPEN_WRITE;
    }
    if mode & FMODE_CREATED != 0 {
        access |= OPEN_CREATED;
    }
    Some(access)
}

/// The current task's file behind a descriptor.
#[inline(always)]
pub(crate) fn file_of(descriptor: u64) -> Option<*const u8> {
    // SAFETY: the helper returns a BTF-typed pointer.
    let files = unsafe {
        let task = bpf_get_current_task_btf().cast::<u8>().cast_const();
        load::<*const u8>(task, &offset::TASK_FILES)
    };
    let table = read::<*const u8>(files, &offset::FILES_FDT)?;
    if descriptor >= u64::from(read::<u32>(table, &offset::FDT_MAX_FDS)?) {
        return None;
    }
    let slots = read::<*const *const u8>(table, &offset::FDT_FD)?;
    if !may_read() {
        return None;
    }
    // SAFETY: the helper checks the address.
    let file = unsafe {
        aya_ebpf::helpers::bpf_probe_read_kernel(slots.wrapping_add(descriptor as usize))
    }
    .ok()?;
    (!file.is_null()).then_some(file)
}

#[inline(always)]
fn submit(
    record: Record<Open>,
    container: &Container,
    access: u32,
    inode: Inode,
    path: PathPart,
    base: PathPart,
) -> bool {
    let flags = access | if inode.unnamed { OPEN_UNNAMED } else { 0 };
    let fixed = Open {
        header: container.header(Kind::Open, flags),
        inode: inode.number,
        device: inode.device,
        padding: 0,
        path,
        base,
    };
    record.submit(container, Kind::Open, fixed)
}
