//! Driftline's kernel side: what a container does, per cgroup, into one ring buffer.
//!
//! One file per behaviour, each a leaf that gathers what its hook offers and submits one record of
//! `profiler_common::event`. The user side tries the probes and attaches what this kernel takes; nothing here asks for a
//! kernel version.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(not(test), no_main)]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![expect(
    clippy::inline_always,
    reason = "at a call the verifier forgets what it knows of a pointer"
)]
#![expect(clippy::needless_pass_by_value, reason = "the probe macros hand the context over")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "registers are 64 bits wide, what the kernel keeps in them is not"
)]

mod accept;
mod arch;
mod atomic;
mod bind;
mod capability;
mod cgroup;
mod change;
mod connect;
mod container;
mod dns;
mod escape;
mod exec;
mod exec_file;
mod exit;
mod follow;
mod fork;
mod identity;
mod inode;
mod join;
mod kernel;
mod limit;
mod listen;
mod map;
mod member;
mod near;
mod novel;
mod open;
mod overlay;
mod owner;
mod path;
mod record;
mod seen;
mod sock_addr;
mod sock_state;
mod socket;
mod syscall;
mod told;
mod unix;
mod user_text;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: the verifier rejects any program in which this could be reached.
    unsafe { core::hint::unreachable_unchecked() }
}

#[cfg(test)]
fn main() {}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
