//! x86-64: system call numbers and the registers that carry them. Another architecture is another file like this.

use aya_ebpf::helpers::{bpf_get_current_task_btf, bpf_probe_read_user};

use crate::kernel::{load, offset};

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

/// Calls that matter beyond their number.
pub(crate) mod number {
    pub(crate) const SOCKET: u32 = 41;
    pub(crate) const CONNECT: u32 = 42;
    pub(crate) const SOCKETPAIR: u32 = 53;
    pub(crate) const SETUID: u32 = 105;
    pub(crate) const SETREUID: u32 = 113;
    pub(crate) const SETRESUID: u32 = 117;
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
            return match self.number {
                5 | 8 | 295 | 437 => Some(Opening { directory: None, path: 0, flags: 0 }),
                _ => None,
            };
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

/// The first field of the `struct open_how` that `openat2` has just read.
#[inline(always)]
fn how_flags(how: u64) -> u64 {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(how as *const u64) }.unwrap_or(0)
}
