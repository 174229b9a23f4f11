//! The kernel's audit with its daemon, told to see what Driftline sees of every process.
//!
//! Once it was on, each task that starts has a record of every system call made ready for it, until the next boot.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::sh;

pub(super) const NAME: &str = "auditd";

/// In the foreground, audit switched on, with the configuration that Debian ships.
pub(super) const ARGUMENTS: &[&str] = &["-n", "-s", "enable"];

/// Programs that start, files that are opened, connections that are made, by whomever and with whatever outcome.
const RULES: &[&[&str]] = &[
    &["-a", "always,exit", "-F", "arch=b64", "-S", "execve,execveat"],
    &["-a", "always,exit", "-F", "arch=b64", "-S", "open,openat,openat2,creat"],
    &["-a", "always,exit", "-F", "arch=b64", "-S", "connect"],
];

/// As Debian's `/etc/audit/rules.d/audit.rules` has it: records that wait before callers do.
const BACKLOG: &str = "8192";

/// Loads the rules into the kernel, once the daemon has it.
pub(super) fn set_rules() -> Result<()> {
    let mut tries = 0;
    while value("pid")? == 0 {
        tries += 1;
        if tries > 50 {
            bail!("the daemon did not register with the kernel");
        }
        sleep(Duration::from_millis(100));
    }
    control(&["-D"])?;
    control(&["-b", BACKLOG])?;
    RULES.iter().try_for_each(|rule| control(rule).map(drop))
}

/// The rules, and what was lost under them.
pub(super) fn description() -> Result<String> {
    let rules: Vec<_> = RULES.iter().map(|rule| format!("`{}`", rule.join(" "))).collect();
    Ok(format!("rules {}; backlog {BACKLOG}, {} records lost", rules.join(", "), value("lost")?))
}

/// A figure of the kernel's audit.
fn value(name: &str) -> Result<u64> {
    let status = control(&["-s"])?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    match line.map(str::parse) {
        Some(Ok(value)) => Ok(value),
        _ => bail!("auditctl tells no {name}: {status}"),
    }
}

fn control(arguments: &[&str]) -> Result<String> {
    sh::output(sh::command("auditctl").args(arguments))
}
