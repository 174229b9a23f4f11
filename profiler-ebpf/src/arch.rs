//! x86-64: system call numbers and the registers that carry them. Another architecture is another file like this.

use aya_ebpf::helpers::{bpf_get_current_task_btf, bpf_probe_read_user};

use profiler_common::event::Operation;

use crate::{
    kernel::{load, may_read, offset},
    open::AT_FDCWD,
    user_text,
};

/// `TS_COMPAT` in `thread_info.status`: the call came through `int 0x80` or a 32-bit entry.
const TS_COMPAT: u32 = 2;
/// `__X32_SYSCALL_BIT`.
const X32: u32 = 0x4000_0000;
/// What `creat` stands for: `O_WRONLY | O_CREAT | O_TRUNC`.
const O_CREAT_WRITE: u64 = 0o1101;

/// A system call as the registers hold it when it returns.
pub(crate) struct Call {
    regs: *const u8,
    pub(crate) number: u32,
    /// i386 or x32; `number` is that ABI's.
    pub(crate) foreign: bool,
    compat: bool,
}

/// How an opening call passes what it opens.
pub(crate) struct Opening {
    /// The directory's descriptor, where the call takes one.
    pub(crate) directory: Option<u64>,
    /// The user's path.
    pub(crate) path: u64,
    /// Open flags as passed; 0 where they are in a structure.
    pub(crate) flags: u64,
}

/// How `mmap` passes what it maps.
pub(crate) struct Mapping {
    pub(crate) protection: u64,
    pub(crate) anonymous: bool,
    pub(crate) descriptor: u64,
}

/// How a call passes which file it changes, and how. Plain values throughout: a missing one is 0, or
/// [`AT_FDCWD`] for a directory.
pub(crate) struct Changing {
    pub(crate) operation: Operation,
    pub(crate) directory: i32,
    /// The user's path; 0 where the descriptor alone says it.
    pub(crate) path: u64,
    pub(crate) other_directory: i32,
    pub(crate) other: u64,
    pub(crate) mode: u32,
}

impl Call {
    /// None where no call returns (a signal frame restored other registers).
    ///
    /// # Safety
    /// `regs` must be the `pt_regs` argument of `sys_exit`.
    #[inline(always)]
    pub(crate) unsafe fn new(regs: *const u8) -> Option<Self> {
        // SAFETY: both are BTF-typed pointers, the first by the caller's promise.
        let (number, status) = unsafe {
            let task = bpf_get_current_task_btf().cast::<u8>().cast_const();
            (load::<u64>(regs, &offset::PT_REGS_ORIG_AX), load::<u32>(task, &offset::TASK_STATUS))
        };
        // The kernel takes the lower half alone; whatever a program leaves in the upper one means nothing.
        let number = number as u32;
        if (number as i32) < 0 {
            return None;
        }
        let compat = status & TS_COMPAT != 0;
        let x32 = number & X32 != 0;
        Some(Self { regs, number: number & !X32, foreign: compat || x32, compat })
    }

    /// The number of the current task's call, if that is a native one below `end`: of [`Self::new`] what nearly every call
    /// needs.
    ///
    /// # Safety
    /// As for [`Self::new`], and `task` must be BTF-typed.
    #[inline(always)]
    pub(crate) unsafe fn native_number(regs: *const u8, task: *const u8, end: u32) -> Option<u32> {
        // SAFETY: the caller's promise; of the number the lower half counts, which comes first.
        let number = unsafe { load::<u32>(regs, &offset::PT_REGS_ORIG_AX) };
        if number >= end {
            return None;
        }
        // SAFETY: the caller's promise.
        let status = unsafe { load::<u32>(task, &offset::TASK_STATUS) };
        (status & TS_COMPAT == 0).then_some(number)
    }

    /// The first three arguments; of a call that is not foreign.
    #[inline(always)]
    pub(crate) fn arguments(&self) -> (u64, u64, u64) {
        // SAFETY: `regs` is BTF-typed, see `new`.
        unsafe {
            (
                load::<u64>(self.regs, &offset::PT_REGS_DI),
                load::<u64>(self.regs, &offset::PT_REGS_SI),
                load::<u64>(self.regs, &offset::PT_REGS_DX),
            )
        }
    }

    /// What this call opens, if it is one that opens a file by path.
    #[inline(always)]
    pub(crate) fn opening(&self) -> Option<Opening> {
        // i386 passes arguments in bx, cx, dx: its opens are reported by the file itself, without the user's path.
        if self.compat {
            let opening = Opening { directory: None, path: 0, flags: 0 };
            return self.is_foreign_open().then_some(opening);
        }
        // SAFETY: `regs` is BTF-typed, see `new`.
        let (di, si, dx) = unsafe {
            (
                load::<u64>(self.regs, &offset::PT_REGS_DI),
                load::<u64>(self.regs, &offset::PT_REGS_SI),
                load::<u64>(self.regs, &offset::PT_REGS_DX),
            )
        };
        match self.number {
            2 => Some(Opening { directory: None, path: di, flags: si }),
            85 => Some(Opening { directory: None, path: di, flags: O_CREAT_WRITE }),
            257 => Some(Opening { directory: Some(di), path: si, flags: dx }),
            437 => Some(Opening { directory: Some(di), path: si, flags: how_flags(dx) }),
            304 => Some(Opening { directory: None, path: 0, flags: dx }),
            _ => None,
        }
    }
}

impl Call {
    /// Its number, unless it is i386's.
    #[inline(always)]
    pub(crate) fn native(&self) -> Option<u32> {
        if self.compat { None } else { Some(self.number) }
    }

    /// Whether this is i386's opening of a path.
    #[inline(always)]
    pub(crate) fn is_foreign_open(&self) -> bool {
        self.compat && matches!(self.number, 5 | 8 | 295 | 437)
    }

    /// What `mmap` maps.
    #[inline(always)]
    pub(crate) fn mapping(&self) -> Mapping {
        const MAP_ANONYMOUS: u64 = 0x20;
        // SAFETY: `regs` is BTF-typed, see `new`.
        unsafe {
            Mapping {
                protection: load(self.regs, &offset::PT_REGS_DX),
                anonymous: load::<u64>(self.regs, &offset::PT_REGS_R10) & MAP_ANONYMOUS != 0,
                descriptor: u64::from(load::<u64>(self.regs, &offset::PT_REGS_R8) as u32),
            }
        }
    }

    /// What it changes.
    #[inline(always)]
    pub(crate) fn changing(&self) -> Changing {
        // SAFETY: `regs` is BTF-typed, see `new`.
        let (di, si, dx, r10) = unsafe {
            (
                load::<u64>(self.regs, &offset::PT_REGS_DI),
                load::<u64>(self.regs, &offset::PT_REGS_SI),
                load::<u64>(self.regs, &offset::PT_REGS_DX),
                load::<u64>(self.regs, &offset::PT_REGS_R10),
            )
        };
        let one = |operation, directory: u64, path, mode: u64| Changing {
            operation,
            directory: directory as i32,
            path,
            other_directory: AT_FDCWD,
            other: 0,
            mode: mode as u32,
        };
        let two = |operation, directory: u64, path, other_directory: u64, other| Changing {
            operation,
            directory: directory as i32,
            path,
            other_directory: other_directory as i32,
            other,
            mode: 0,
        };
        let here = AT_FDCWD as u64;
        match self.number {
            76 => one(Operation::Truncate, here, di, 0),
            84 | 87 => one(Operation::Delete, here, di, 0),
            263 => one(Operation::Delete, di, si, 0),
            82 => two(Operation::Rename, here, si, here, di),
            264 | 316 => two(Operation::Rename, dx, r10, di, si),
            86 => two(Operation::HardLink, here, si, here, di),
            265 => two(Operation::HardLink, dx, r10, di, si),
            88 => two(Operation::SymbolicLink, here, si, here, di),
            266 => two(Operation::SymbolicLink, si, dx, here, di),
            90 => one(Operation::Mode, here, di, si),
            91 => one(Operation::Mode, di, 0, si),
            268 | 452 => one(Operation::Mode, di, si, dx),
            93 => one(Operation::Owner, di, 0, 0),
            260 => one(Operation::Owner, di, si, 0),
            _ => one(Operation::Owner, here, di, 0),
        }
    }
}

/// The first field of the `struct open_how` that `openat2` has just read.
#[inline(always)]
fn how_flags(how: u64) -> u64 {
    if !may_read() {
        // Whatever says how it is opened stands in the lowest bytes.
        let bytes = [user_text::byte(how), user_text::byte(how + 1), user_text::byte(how + 2), 0];
        return u64::from(u32::from_le_bytes(bytes));
    }
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(how as *const u64) }.unwrap_or(0)
}
