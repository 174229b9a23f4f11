//! What a machine must offer before anything is loaded, each with what to do where it does not.

use std::path::Path;

use serde::Serialize;

use crate::{cgroup::Hierarchy, error::Error};

/// Where the kernel shows its own types.
pub const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";

const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// One thing that must be there.
#[derive(Debug, Serialize)]
pub struct Requirement {
    pub name: &'static str,
    /// What was found, or why it is not enough and what to do.
    pub finding: Result<String, String>,
}

/// Every requirement, met or not.
pub fn all() -> Vec<Requirement> {
    vec![
        Requirement { name: "capabilities", finding: capabilities() },
        Requirement { name: "kernel BTF", finding: btf(Path::new(BTF_PATH)) },
        Requirement {
            name: "cgroup2",
            finding: Hierarchy::find().map(|found| found.to_string()).map_err(|e| e.to_string()),
        },
    ]
}

/// The first requirement that is not met, as an error.
pub fn check() -> Result<(), Error> {
    all().into_iter().try_for_each(|requirement| match requirement.finding {
        Ok(_) => Ok(()),
        Err(why) => Err(Error::Machine(why)),
    })
}

fn capabilities() -> Result<String, String> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("cannot read /proc/self/status: {error}; mount /proc"))?;
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .ok_or("/proc/self/status names no effective capabilities; is /proc the kernel's own?")?;
    missing(effective)
}

/// `CAP_SYS_ADMIN` stands for all of them, as in the kernel.
fn missing(effective: u64) -> Result<String, String> {
    let has = |capability: u32| effective & (1 << capability) != 0;
    let needed =
        [(CAP_BPF, "CAP_BPF"), (CAP_PERFMON, "CAP_PERFMON"), (CAP_NET_ADMIN, "CAP_NET_ADMIN")];
    let missing: Vec<_> =
        needed.iter().filter(|(bit, _)| !has(*bit)).map(|(_, name)| *name).collect();
    if has(CAP_SYS_ADMIN) || missing.is_empty() {
        return Ok("may load eBPF".to_owned());
    }
    Err(format!(
        "this process lacks {}, without which the kernel loads no eBPF; run driftline as root (sudo), or in a \
         privileged container",
        missing.join(", ")
    ))
}

fn btf(path: &Path) -> Result<String, String> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(path.display().to_string()),
        Err(error) => Err(format!(
            "cannot read the kernel's type information at {}: {error}; Driftline needs a kernel built with \
             CONFIG_DEBUG_INFO_BTF (Debian, Ubuntu, Fedora and RHEL kernels are), and /sys mounted",
            path.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{btf, missing};

    #[test]
    fn missing_capabilities_are_named() {
        let why = missing(1 << super::CAP_BPF).unwrap_err();
        assert!(why.contains("CAP_PERFMON, CAP_NET_ADMIN") && why.contains("sudo"), "{why}");
        assert!(missing(1 << super::CAP_SYS_ADMIN).is_ok());
        assert!(missing(1 << 12 | 1 << 38 | 1 << 39).is_ok());
    }

    #[test]
    fn a_kernel_without_btf_is_named() {
        let why = btf(std::path::Path::new("/nonexistent/btf")).unwrap_err();
        assert!(why.contains("CONFIG_DEBUG_INFO_BTF"), "{why}");
    }
}
