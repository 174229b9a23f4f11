//! The few calls of `bpf(2)` that this takes: programs of two instructions need no loader.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use anyhow::Context as _;
use profiler_user::cgroup::Hierarchy;

use crate::link::Hook;

const PROG_LOAD: i32 = 5;
const PROG_GET_FD_BY_ID: i32 = 13;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const RAW_TRACEPOINT_OPEN: i32 = 17;
const LINK_CREATE: i32 = 28;

/// `BPF_PROG_TYPE_TRACING` and `BPF_PROG_TYPE_LSM`, attached by the id of their target.
const BY_TARGET: [u32; 2] = [26, 29];
/// `BPF_PROG_TYPE_CGROUP_SKB` and what else may forbid: 1 lets the kernel go on.
const CGROUP: [u32; 5] = [8, 9, 15, 18, 25];

/// What the kernel knows of a program.
pub(crate) struct Program {
    pub(crate) type_number: u32,
    pub(crate) name: String,
    pub(crate) attach_btf_id: u32,
    pub(crate) verified: u32,
    /// What the kernel's statistics say, while they are on: nanoseconds, and how often it ran.
    pub(crate) run_time: u64,
    pub(crate) run_count: u64,
}

/// The beginning of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
#[derive(Default)]
struct Load {
    program_type: u32,
    instructions_count: u32,
    instructions: u64,
    license: u64,
    log: [u32; 4],
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
    btf: u32,
    function_info_size: u32,
    function_info: u64,
    function_info_count: u32,
    line_info_size: u32,
    line_info: u64,
    line_info_count: u32,
    attach_btf_id: u32,
}

/// The beginning of `struct bpf_prog_info`, as far as it is read here.
#[repr(C)]
struct Info {
    program_type: u32,
    before_name: [u32; 15],
    name: [u8; 16],
    between: [u32; 28],
    run_time: u64,
    run_count: u64,
    missed: u64,
    verified: u32,
    attach_btf: [u32; 2],
}

const _: () = assert!(std::mem::offset_of!(Info, name) == 64);
const _: () = assert!(std::mem::offset_of!(Info, run_time) == 192);
const _: () = assert!(std::mem::offset_of!(Info, verified) == 216);

/// `union bpf_attr` for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct Ask {
    descriptor: RawFd,
    length: u32,
    info: u64,
}

/// What the kernel says of a loaded program.
pub(crate) fn program(id: u32) -> anyhow::Result<Program> {
    let descriptor = bpf(PROG_GET_FD_BY_ID, &[id, 0, 0]).context("asking for a program")?;
    // SAFETY: all integers, for which zero is a value.
    let mut info: Info = unsafe { std::mem::zeroed() };
    let length = u32::try_from(size_of::<Info>())?;
    let ask = Ask {
        descriptor: descriptor.as_raw_fd(),
        length,
        info: (&raw mut info).expose_provenance() as u64,
    };
    // SAFETY: the kernel writes `length` bytes at most, which is what is there.
    unsafe { call(OBJ_GET_INFO_BY_FD, &ask) }.context("asking what a program is")?;
    let name = CStr::from_bytes_until_nul(&info.name).context("a program's name")?;
    Ok(Program {
        type_number: info.program_type,
        name: name.to_string_lossy().into_owned(),
        attach_btf_id: info.attach_btf[1],
        verified: info.verified,
        run_time: info.run_time,
        run_count: info.run_count,
    })
}

/// Loads and attaches a program that does nothing; it goes when what is returned is dropped.
pub(crate) fn attach_empty(hook: &Hook) -> anyhow::Result<[OwnedFd; 2]> {
    let in_cgroup = CGROUP.contains(&hook.program_type);
    // `r0 = 0` or 1, `exit`.
    let instructions = [0xb7_u64 | u64::from(in_cgroup) << 32, 0x95];
    let load = Load {
        program_type: hook.program_type,
        instructions_count: 2,
        instructions: instructions.as_ptr().expose_provenance() as u64,
        license: c"GPL".as_ptr().expose_provenance() as u64,
        attach_type: hook.attach_type,
        attach_btf_id: hook.target,
        ..Load::default()
    };
    // SAFETY: instructions and license live through the call.
    let program = unsafe { opened(PROG_LOAD, &load) }
        .with_context(|| format!("loading an empty program for {hook:?}"))?;
    let link = if BY_TARGET.contains(&hook.program_type) {
        bpf(RAW_TRACEPOINT_OPEN, &[0, 0, program.as_raw_fd().cast_unsigned(), 0])
    } else {
        anyhow::ensure!(in_cgroup, "no way to attach to {hook:?} is known");
        let cgroup: File = Hierarchy::find()?.open()?;
        let [program, cgroup] = [program.as_raw_fd(), cgroup.as_raw_fd()].map(i32::cast_unsigned);
        bpf(LINK_CREATE, &[program, cgroup, hook.attach_type, 0])
    };
    Ok([program, link.with_context(|| format!("attaching an empty program to {hook:?}"))?])
}

/// A call whose attributes are plain numbers and whose result is a descriptor.
fn bpf<const N: usize>(command: i32, attributes: &[u32; N]) -> io::Result<OwnedFd> {
    // SAFETY: no pointer among the attributes.
    unsafe { opened(command, attributes) }
}

/// # Safety
/// As for [`call`].
unsafe fn opened<T>(command: i32, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise; a descriptor that was just made is nobody else's.
    unsafe { call(command, attributes).map(|descriptor| OwnedFd::from_raw_fd(descriptor)) }
}

/// # Safety
/// What the attributes point at is as the kernel expects it for this command.
unsafe fn call<T>(command: i32, attributes: &T) -> io::Result<RawFd> {
    // SAFETY: the caller's promise, and the size is the attributes' own.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>())
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    RawFd::try_from(result).map_err(io::Error::other)
}
