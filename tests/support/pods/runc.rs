//! What stands before runc and crun: it takes limits out of a container that need controllers which a hybrid host
//! does not have in its second version of cgroups.

use std::{ffi::OsString, fs, os::unix::process::CommandExt, path::Path, process::Command};

use anyhow::Context;
use serde_json::Value;

const LIMITS: [&str; 4] = ["blockIO", "cpu", "memory", "pids"];

/// crun raises a limit before it restricts devices, which takes a capability that tests in a container lack.
const CRUN_LIMITS: [&str; 1] = ["devices"];

/// Runs `RUNTIME ARGUMENTS…` in this process's place, after changing the bundle that it creates a container from.
pub fn run_runtime(arguments: &[OsString]) -> anyhow::Result<()> {
    let (runtime, arguments) = arguments.split_first().context("no runtime")?;
    let bundle = arguments.iter().position(|word| word == "--bundle");
    if let Some(bundle) = bundle
        && arguments.iter().any(|word| word == "create")
    {
        let bundle = Path::new(arguments.get(bundle + 1).context("no bundle")?);
        let is_crun = Path::new(runtime).ends_with("crun");
        let more: &[&str] = if is_crun { &CRUN_LIMITS } else { &[] };
        unlimit(bundle, &[&LIMITS, more].concat())?;
    }
    Err(Command::new(runtime).args(arguments).exec()).context("the runtime does not start")
}

fn unlimit(bundle: &Path, limits: &[&str]) -> anyhow::Result<()> {
    let path = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
    if let Some(resources) = config.pointer_mut("/linux/resources").and_then(Value::as_object_mut) {
        resources.retain(|name, _| !limits.contains(&name.as_str()));
    }
    Ok(fs::write(path, serde_json::to_vec(&config)?)?)
}
