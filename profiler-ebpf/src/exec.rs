//! A program was started.

use aya_ebpf::{
    helpers::bpf_get_current_task_btf,
    macros::{btf_tracepoint, map},
    programs::BtfTracePointContext,
};
use aya_log_ebpf::debug;
use profiler_common::event::{EXEC_FILELESS, EXEC_FIRST, EXEC_INJECTED, Exec, Kind};

use crate::{
    container::Container,
    escape, identity,
    join::{self, Origin},
    kernel::{DIAGNOSTICS, load, offset, read},
    path::{self, Place},
    record::{Record, ScratchMap},
};

#[map]
static EXEC_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);

/// `void sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`: the new program's memory
/// and credentials are in place, its first instruction has not run.
#[btf_tracepoint(function = "sched_process_exec")]
pub(crate) fn exec(ctx: BtfTracePointContext) -> i32 {
    if let Some(container) = Container::current()
        && record(&ctx, &container).is_none()
    {
        container.count_lost(Kind::Exec);
    }
    0
}

#[inline(always)]
fn record(ctx: &BtfTracePointContext, container: &Container) -> Option<()> {
    let bprm: *const u8 = ctx.arg(2);
    let origin = join::executed(container);
    if origin == Origin::Runtime {
        return Some(());
    }
    let mut flags = match origin {
        _ if container.start() => EXEC_FIRST,
        Origin::Joined => EXEC_INJECTED,
        _ => 0,
    };
    container.ensure_root();
    escape::executed(container);
    // SAFETY: BTF-typed pointers, from the hook's arguments and the helper.
    let (task, file, filename, mm) = unsafe {
        let task = bpf_get_current_task_btf().cast::<u8>().cast_const();
        (
            task,
            load::<*const u8>(bprm, &offset::BPRM_FILE),
            load::<*const u8>(bprm, &offset::BPRM_FILENAME),
            load::<*const u8>(task, &offset::TASK_MM),
        )
    };
    // SAFETY: the same, one step further.
    let (inode, arg_start, arg_end) = unsafe {
        (
            load::<*const u8>(file, &offset::FILE_INODE),
            load::<u64>(mm, &offset::MM_ARG_START),
            load::<u64>(mm, &offset::MM_ARG_END),
        )
    };
    if read::<u32>(inode, &offset::INODE_NLINK) == Some(0) {
        flags |= EXEC_FILELESS;
    }

    let mut record = Record::<Exec>::new(&EXEC_SCRATCH)?;
    let executable = path::push(&mut record, container, Place::at(file, &offset::FILE_PATH));
    let given = record.push_kernel_path(filename);
    let cwd = path::push(&mut record, container, Place::cwd());
    let args_total = arg_end.wrapping_sub(arg_start);
    let args = record.push_args(arg_start, args_total);
    let header = container.header(Kind::Exec, flags);
    if DIAGNOSTICS.load() != 0 {
        debug!(ctx, "exec: pid {} path form {} args {}", header.pid, executable.form, args);
    }
    let fixed = Exec {
        header,
        inode: read(inode, &offset::INODE_INO).unwrap_or(0),
        parent_pid: parent(task),
        vpid: vpid(task),
        device: device(inode),
        args,
        args_total: args_total as u32,
        padding: 0,
        executable,
        given,
        cwd,
    };
    record.submit(container, Kind::Exec, fixed);
    identity::executed(container);
    Some(())
}

/// The parent's process id.
#[inline(always)]
fn parent(task: *const u8) -> u32 {
    // SAFETY: `task` is BTF-typed.
    let parent = unsafe { load::<*const u8>(task, &offset::TASK_REAL_PARENT) };
    read(parent, &offset::TASK_TGID).unwrap_or(0)
}

/// The task's id in its innermost pid namespace.
#[inline(always)]
pub(crate) fn vpid(task: *const u8) -> u32 {
    // SAFETY: `task` is BTF-typed.
    let pid = unsafe { load::<*const u8>(task, &offset::TASK_THREAD_PID) };
    let Some(level) = read::<u32>(pid, &offset::PID_LEVEL) else { return 0 };
    let upid = pid.wrapping_add((level * offset::UPID_SIZE.load()) as usize);
    read(upid, &offset::PID_NUMBERS).unwrap_or(0)
}

/// The device number of an inode's filesystem.
#[inline(always)]
pub(crate) fn device(inode: *const u8) -> u32 {
    read::<*const u8>(inode, &offset::INODE_SB)
        .and_then(|superblock| read(superblock, &offset::SB_DEV))
        .unwrap_or(0)
}
