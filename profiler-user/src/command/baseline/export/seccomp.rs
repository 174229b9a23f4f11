//! System calls as a seccomp profile, in the form that OCI's and Docker's have in common.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{baseline::Baseline, drift::clean};

/// Never seen to return, see ARCHITECTURE.md, or only where a signal interrupts.
const UNSEEN: [&str; 4] = ["exit", "exit_group", "restart_syscall", "rt_sigreturn"];

/// Made in the vDSO's place where the kernel does not trust the machine's clock, which it may find at any moment.
const CLOCK: [&str; 2] = ["clock_gettime", "gettimeofday"];

/// Waiting for a signal: whether a shell's `wait` comes to it is a matter of who is faster, and refused it spins for ever.
const WAITS: [&str; 2] = ["pause", "rt_sigsuspend"];

/// What runc and crun do in the container between the filter and the entrypoint, and on their way in to run a command there
/// (crun waits for its start by `select`, and asks for a file by `statx`); the baseline begins after it. What each needs
/// was found by taking one after the other away (runc 1.1, crun 1.8; `noNewPrivileges` or not; root or not); the rest is what Go's
/// run time does now and then, and what their newer versions use.
const RUNTIME: &[&str] = &[
    "capget",
    "capset",
    "chdir",
    "clone",
    "close",
    "close_range",
    "epoll_ctl",
    "epoll_pwait",
    "execve",
    "faccessat",
    "faccessat2",
    "fchdir",
    "fchown",
    "fcntl",
    "fstat",
    "fstatfs",
    "futex",
    "getcwd",
    "getdents64",
    "getpid",
    "getppid",
    "gettid",
    "lseek",
    "madvise",
    "mmap",
    "munmap",
    "nanosleep",
    "newfstatat",
    "openat",
    "openat2",
    "prctl",
    "pselect6",
    "read",
    "readlinkat",
    "rt_sigaction",
    "rt_sigprocmask",
    "sched_yield",
    "select",
    "setgid",
    "setgroups",
    "setresgid",
    "setresuid",
    "setuid",
    "sigaltstack",
    "statx",
    "tgkill",
    "write",
];

/// `ENOSYS`
const NO_SUCH_CALL: u32 = 38;

/// The profile, and what could not be said in it.
pub(super) fn profile(baseline: &Baseline) -> (Value, Vec<String>) {
    let mut left_out = Vec::new();
    let mut foreign = 0;
    let always = UNSEEN.iter().chain(&CLOCK).chain(&WAITS).chain(RUNTIME);
    let mut allowed: BTreeSet<&str> = always.copied().collect();
    for name in baseline.syscalls.keys() {
        match name.split_once(' ') {
            None if name.starts_with("syscall_") => left_out.push(format!(
                "{} has no name that a seccomp profile could say: it will be refused",
                clean(name)
            )),
            None => drop(allowed.insert(name)),
            Some((_, "(foreign)")) => foreign += 1,
            // It was refused when it was recorded; so it stays.
            Some(_) => {}
        }
    }
    if foreign > 0 {
        left_out.push(format!(
            "{foreign} calls of another ABI (32-bit programs) are known by number only: they will be refused"
        ));
    }
    let mut rules = vec![json!({"names": allowed, "action": "SCMP_ACT_ALLOW"})];
    if !allowed.contains("clone3") {
        // glibc tries it first, and falls back to clone only where it is not there.
        rules.push(
            json!({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": NO_SUCH_CALL}),
        );
    }
    let architecture = match baseline.image.architecture.as_str() {
        "aarch64" | "arm64" => "SCMP_ARCH_AARCH64",
        _ => "SCMP_ARCH_X86_64",
    };
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": [architecture],
        "syscalls": rules,
    });
    (profile, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::{Image, Seen};

    #[test]
    fn what_was_called_is_allowed_and_what_was_refused_is_not() {
        let mut baseline = Baseline::new(Image::here("x"));
        let seen: Seen = serde_json::from_value(json!({
            "first": "2026-01-01T00:00:00Z", "last": "2026-01-01T00:00:00Z", "runs": {"a": 1}
        }))
        .unwrap();
        for name in ["io_uring_setup", "unshare (denied)", "foreign_11 (foreign)", "syscall_9999"] {
            baseline.syscalls.insert(name.to_owned(), seen.clone());
        }
        let (profile, left_out) = profile(&baseline);
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        let names = profile["syscalls"][0]["names"].as_array().unwrap();
        let has = |name: &str| names.iter().any(|known| known == name);
        assert!(has("io_uring_setup") && has("exit_group") && has("execve") && has("rt_sigreturn"));
        assert!(has("clock_gettime"), "in the vDSO's place");
        assert!(!has("unshare") && !has("foreign_11") && !has("syscall_9999") && !has("ptrace"));
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        assert_eq!(profile["syscalls"][1]["names"][0], "clone3");
    }
}
