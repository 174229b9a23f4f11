//! A program was started.

use aya_ebpf::{
    helpers::bpf_get_current_task_btf,
    macros::{btf_tracepoint, map},
    programs::BtfTracePointContext,
};
use aya_log_ebpf::debug;
use profiler_common::event::{EXEC_FILELESS, EXEC_FIRST, EXEC_INJECTED, EXEC_UPPER, Exec, Kind};

use crate::{
    container::Container,
    escape, exec_file, identity,
    inode::Inode,
    join::{self, Origin},
    kernel::{DIAGNOSTICS, at, load, may_read, offset, read},
    member,
    near::{self, Asker, Near, Whereabouts},
    overlay,
    owner::Owner,
    path::{self, Place},
    record::{Record, ScratchMap},
    seen::{self, Scope},
};

/// Nested pid namespaces in which a process is known by its own number where only typed pointers are left.
const PID_LEVELS: u32 = 4;

#[map]
static EXEC_SCRATCH: ScratchMap = ScratchMap::with_max_entries(1, 0);

/// `void sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`: the new program's memory
/// and credentials are in place, its first instruction has not run.
#[btf_tracepoint(function = "sched_process_exec")]
pub(crate) fn exec(ctx: BtfTracePointContext) -> i32 {
    let (near, flags) = match near::current(Asker::Exec) {
        Whereabouts::Outside => return 0,
        // SAFETY: this program's own.
        Whereabouts::Inside(near) if member::is_of(&unsafe { near::scope(near) }) => (near, 0),
        Whereabouts::Inside(near) | Whereabouts::Unclear(near) => match began(near) {
            Some(flags) => (near, flags),
            None => return 0,
        },
    };
    // SAFETY: this program's own.
    let scope = unsafe { near::scope(near) };
    if record(&ctx, &scope, flags).is_none() {
        scope.count_lost(Kind::Exec);
    }
    0
}

/// What an exec is to a container in which not everything is its own. None where it is the runtime's, or in no container.
#[inline(always)]
fn began(near: *mut Near) -> Option<u32> {
    let container = Container::current()?;
    let origin = join::executed(&container);
    if origin == Origin::Runtime {
        return None;
    }
    let flags = match origin {
        Origin::CameFirst if container.enter() => EXEC_FIRST,
        Origin::CameFirst | Origin::Joined => {
            container.start();
            EXEC_INJECTED
        }
        _ if container.start() => EXEC_FIRST,
        _ => 0,
    };
    container.ensure_root();
    // SAFETY: this program's own.
    unsafe { near::keep(near, &container) };
    Some(flags)
}

#[inline(always)]
fn record(ctx: &BtfTracePointContext, scope: &Scope, flags: u32) -> Option<()> {
    let bprm: *const u8 = ctx.arg(2);
    let mut record = Record::<Exec>::new(&EXEC_SCRATCH)?;
    let [flags, ..] = record.by_memory([u64::from(flags), 0, 0, 0, 0, 0]);
    let mut flags = flags as u32;
    escape::executed(scope);
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
    seen::executed(scope, file);
    // SAFETY: the same.
    let (inode, upper) = unsafe { (Inode::load(inode), overlay::is_upper(inode)) };
    if inode.unnamed {
        flags |= EXEC_FILELESS;
    }
    if upper {
        flags |= EXEC_UPPER;
    }

    let (executable, given, cwd) = if may_read() {
        (
            // SAFETY: a BTF-typed pointer; the path is embedded in what it points to.
            unsafe {
                let place = Place::of(at(file, &offset::FILE_PATH));
                path::push_loaded(&mut record, scope, place)
            },
            record.push_kernel_path(filename),
            // SAFETY: loaded through BTF-typed pointers.
            unsafe { path::push_loaded(&mut record, scope, Place::task_cwd()) },
        )
    } else {
        // SAFETY: a BTF-typed pointer; the string's copy at the top of the new stack.
        let copy = unsafe { load::<u64>(bprm, &offset::BPRM_EXEC) };
        (
            exec_file::push_executable(&mut record, file),
            record.push_user_text(copy),
            exec_file::push_cwd(&mut record, file),
        )
    };
    let args_total = arg_end.wrapping_sub(arg_start);
    let args = record.push_args(arg_start, args_total);
    let header = scope.header(Kind::Exec, flags);
    if DIAGNOSTICS.load() != 0 {
        debug!(ctx, "exec: pid {} path form {} args {}", header.pid, executable.form, args);
    }
    let fixed = Exec {
        header,
        inode: inode.number,
        parent_pid: parent(task),
        vpid: vpid(task),
        device: inode.device,
        args,
        args_total: args_total as u32,
        padding: 0,
        executable,
        given,
        cwd,
    };
    record.submit(scope, Kind::Exec, fixed);
    identity::executed(scope);
    Some(())
}

/// The parent's process id.
#[inline(always)]
fn parent(task: *const u8) -> u32 {
    // SAFETY: `task` is BTF-typed.
    unsafe { load(load::<*const u8>(task, &offset::TASK_REAL_PARENT), &offset::TASK_TGID) }
}

/// The task's id in its innermost pid namespace; 0 where it is not known.
#[inline(always)]
pub(crate) fn vpid(task: *const u8) -> u32 {
    // SAFETY: `task` is BTF-typed.
    let (pid, level) = unsafe {
        let pid = load::<*const u8>(task, &offset::TASK_THREAD_PID);
        (pid, load::<u32>(pid, &offset::PID_LEVEL))
    };
    // Typed pointers take constant offsets only, and past the structure's end only where its type says that it goes on.
    let levels = if offset::PID_SIZE.load() > offset::PID_NUMBERS.load() { 1 } else { PID_LEVELS };
    for known in 0..PID_LEVELS {
        if known < levels && level == known {
            let upid = pid.wrapping_add((known * offset::UPID_SIZE.load()) as usize);
            // SAFETY: an element of an array in a BTF-typed structure.
            return unsafe { load(upid, &offset::PID_NUMBERS) };
        }
    }
    let upid = pid.wrapping_add((level * offset::UPID_SIZE.load()) as usize);
    read(upid, &offset::PID_NUMBERS).unwrap_or(0)
}
