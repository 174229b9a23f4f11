//! Runs that the kernel skipped: a trampoline program cannot interrupt itself on one CPU, the kernel counts instead.

use std::os::fd::{AsFd, AsRawFd};

use aya::Ebpf;

/// The sum of `recursion_misses` over all loaded programs, from their descriptors' `fdinfo`.
pub(super) fn count(ebpf: &Ebpf) -> u64 {
    ebpf.programs()
        .filter_map(|(_, program)| {
            let descriptor = program.fd().ok()?;
            let path = format!("/proc/self/fdinfo/{}", descriptor.as_fd().as_raw_fd());
            misses(&std::fs::read_to_string(path).ok()?)
        })
        .sum()
}

fn misses(fdinfo: &str) -> Option<u64> {
    let line = fdinfo.lines().find_map(|line| line.strip_prefix("recursion_misses:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::misses;

    #[test]
    fn reads_the_kernels_counter() {
        assert_eq!(misses("prog_type:\t26\nrecursion_misses:\t7\nverified_insns:\t1\n"), Some(7));
        assert_eq!(misses("pos:\t0\n"), None);
    }
}
