//! A process's eBPF links, as `/proc/PID/fdinfo` and the programs themselves tell of them.

use std::collections::HashMap;
use std::fs;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::kernel;

/// A place where a program can be attached.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Hook {
    /// The kernel's number of the program's type.
    pub(crate) program_type: u32,
    /// The kernel's number of the way it is attached.
    pub(crate) attach_type: u32,
    /// What it is attached to, in the kernel's BTF; 0 for a cgroup's hook.
    pub(crate) target: u32,
}

/// A program and where it is attached.
#[derive(Debug, Serialize)]
pub(crate) struct Link {
    program: String,
    #[serde(flatten)]
    hook: Hook,
    /// Instructions that the verifier looked at.
    verified: u32,
    /// Nanoseconds, and how often it ran, as far as the kernel counted.
    run_time: u64,
    run_count: u64,
}

/// `BPF_TRACE_RAW_TP`, which the kernel does not print for a tracepoint's link.
const RAW_TRACEPOINT: u32 = 23;

/// The links that a process holds, in the order of its descriptors.
pub(crate) fn links(pid: u32) -> anyhow::Result<Vec<Link>> {
    let directory = format!("/proc/{pid}/fdinfo");
    let mut descriptors: Vec<u32> = fs::read_dir(&directory)
        .with_context(|| format!("reading {directory}"))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    descriptors.sort_unstable();
    let mut links = Vec::new();
    for descriptor in descriptors {
        // It may be closed by now.
        let Ok(text) = fs::read_to_string(format!("{directory}/{descriptor}")) else { continue };
        let fields: HashMap<_, _> =
            text.lines().filter_map(|line| line.split_once(":\t")).collect();
        if !fields.contains_key("link_type") {
            continue;
        }
        let number = |name: &str| fields.get(name).and_then(|value| value.trim().parse().ok());
        let program = kernel::program(number("prog_id").context("a link without a program")?)?;
        let attach_type = number("attach_type").unwrap_or(RAW_TRACEPOINT);
        let hook =
            Hook { program_type: program.type_number, attach_type, target: program.attach_btf_id };
        let kernel::Program { name, verified, run_time, run_count, .. } = program;
        links.push(Link { program: name, hook, verified, run_time, run_count });
    }
    Ok(links)
}
