//! A file was mapped executable.
//!
//! First choice `fexit/vm_mmap_pgoff`, the one way of all mappings. Where the kernel takes no trampolines, the
//! return of `mmap`: descriptor → file.

use aya_ebpf::{
    macros::{btf_tracepoint, fexit, map},
    programs::{BtfTracePointContext, FExitContext},
};
use profiler_common::event::{Kind, MAP_UNNAMED, Map};

use crate::{
    arch::Call,
    container::Container,
    inode::Inode,
    kernel::{load, offset, read},
    member,
    near::{self, Asker},
    open::{FMODE_EXEC, file_of},
    path::{self, Place},
    record::{Record, ScratchMap},
    seen::{Class, Fingerprint, Scope},
};

const PROT_EXEC: u64 = 4;
/// Above it, a result is a negative error.
const ERRORS: u64 = -4096_i64 as u64;

#[map]
static MAP_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);

/// `unsigned long vm_mmap_pgoff(struct file *file, unsigned long addr, unsigned long len, unsigned long prot,
/// unsigned long flag, unsigned long pgoff)`
#[fexit(function = "vm_mmap_pgoff")]
pub(crate) fn map_done(ctx: FExitContext) -> i32 {
    let (file, protection): (*const u8, u64) = (ctx.arg(0), ctx.arg(3));
    let is_address = ctx.ret().is_ok_and(|address: u64| address < ERRORS);
    if file.is_null() || protection & PROT_EXEC == 0 || !is_address {
        return 0;
    }
    // SAFETY: the hook's argument is BTF-typed.
    if is_started(unsafe { load(file, &offset::FILE_FLAGS) }) {
        return 0;
    }
    let Some(near) = near::current_started(Asker::Map) else { return 0 };
    // SAFETY: this program's own.
    let scope = unsafe { near::scope(near) };
    let known = Fingerprint::of_executable(&scope, Class::Map, 0)
        .and_then(|known| known.with_file(file, &scope));
    if !known.is_some_and(Fingerprint::is_known)
        && let Some(container) = Container::of_id(scope.container)
        && member::is_of(&container)
        && report(file, &container, known).is_none()
    {
        container.count_lost(Kind::Map);
    }
    0
}

/// `void sys_exit(struct pt_regs *regs, long ret)`, of `mmap`.
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn map_exit(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the hook's argument.
    let Some(call) = (unsafe { Call::new(ctx.arg(0)) }) else { return 0 };
    let mapping = call.mapping();
    if mapping.protection & PROT_EXEC == 0 || mapping.anonymous {
        return 0;
    }
    if let Some(container) = Container::current_started()
        && file_of(mapping.descriptor).and_then(|file| mapped(file, &container)).is_none()
    {
        container.count_lost(Kind::Map);
    }
    0
}

/// A program or its loader as the kernel itself maps them: `exec` tells of these.
#[inline(always)]
fn is_started(file_flags: u32) -> bool {
    file_flags & FMODE_EXEC != 0
}

/// None if the file could not be looked at.
#[inline(always)]
fn mapped(file: *const u8, container: &Container) -> Option<()> {
    if is_started(read(file, &offset::FILE_FLAGS)?) {
        return Some(());
    }
    let scope = Scope::of(container);
    let known = Fingerprint::of_executable(&scope, Class::Map, 0)
        .and_then(|known| known.with_found_file(file, &scope));
    if known.is_some_and(Fingerprint::is_known) {
        return Some(());
    }
    report(file, container, known)
}

#[inline(always)]
fn report(file: *const u8, container: &Container, known: Option<Fingerprint>) -> Option<()> {
    if !container.may_send(Kind::Map) {
        return Some(());
    }
    let inode = read::<*const u8>(file, &offset::FILE_INODE)?;
    let mut record = Record::<Map>::new(&MAP_SCRATCH)?;
    let path = path::push(&mut record, container, Place::at(file, &offset::FILE_PATH));
    let inode = Inode::read(inode);
    let fixed = Map {
        header: container.header(Kind::Map, if inode.unnamed { MAP_UNNAMED } else { 0 }),
        inode: inode.number,
        device: inode.device,
        padding: 0,
        path,
    };
    if record.submit(container, Kind::Map, fixed)
        && let Some(known) = known
    {
        known.keep();
    }
    Some(())
}
