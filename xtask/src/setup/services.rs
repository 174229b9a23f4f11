//! Packages that bring a service must not start it: neither while they are installed nor at the next boot.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::pinned;
use crate::sh::{self, say};

/// Debian asks this program whether a package may start its service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

const OURS: &str = "# Temporary: Driftline's set-up made this.";

/// Removes our policy when dropped.
pub(super) struct Denied {
    ours: bool,
}

/// Keeps services from starting; a policy of the machine's owner stays as it is.
pub(super) fn deny_start() -> Result<Denied> {
    let policy = Path::new(POLICY);
    let left_over = fs::read_to_string(policy).is_ok_and(|text| text.contains(OURS));
    if policy.exists() && !left_over {
        return Ok(Denied { ours: false });
    }
    let pid = std::process::id();
    // Should we be killed, the policy no longer denies anything.
    let text = format!("#!/bin/sh\n{OURS}\n[ -d /proc/{pid} ] && exit 101\nexit 0\n");
    fs::write(policy, text)
        .and_then(|()| fs::set_permissions(policy, fs::Permissions::from_mode(0o755)))
        .with_context(|| {
            format!("{POLICY}, which keeps new services from starting, cannot be written")
        })?;
    Ok(Denied { ours: true })
}

impl Drop for Denied {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            say(format!(
                "warning: {POLICY} could not be removed ({error}); it denies nothing any more"
            ));
        }
    }
}

/// Keeps the services of packages just installed from starting at the next boot.
pub(super) fn disable(installed: &[&str]) -> Result<()> {
    if !Path::new("/run/systemd/system").exists() {
        return Ok(());
    }
    for (package, service) in pinned::SERVICES {
        if installed.contains(package) {
            say(format!("set-up: {service} came with `{package}` and stays disabled"));
            sh::output(sh::command("systemctl").args(["disable", "--quiet", service]))?;
        }
    }
    Ok(())
}
