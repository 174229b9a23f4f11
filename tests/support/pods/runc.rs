//! What stands before runc and crun: it takes limits out of a container that need controllers which a hybrid host
//! does not have in its second version of cgroups.

use std::{ffi::OsString, fs, os::unix::process::CommandExt, path::Path, process::Command};

use anyhow::Context;
use serde_json::Value;

const LIMITS: [&str; 4] = ["blockIO", "cpu", "memory", "pids"];

/// Runs `RUNTIME ARGUMENTS…` in this process's place, after changing the bundle that it creates a container from.
pub fn run_runtime(arguments: Vec<OsString>) -> anyhow::Result<()> {
    let (runtime, arguments) = arguments.split_first().context("no runtime")?;
    let bundle = arguments.iter().position(|word| word == "--bundle");
    if let Some(bundle) = bundle
        && arguments.iter().any(|word| word == "create")
    {
        unlimit(Path::new(arguments.get(bundle + 1).context("no bundle")?))?;
    }
    Err(Command::new(runtime).args(arguments).exec()).context("the runtime does not start")
}

fn unlimit(bundle: &Path) -> anyhow::Result<()> {
    let path = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
    if let Some(resources) = config.pointer_mut("/linux/resources").and_then(Value::as_object_mut) {
        resources.retain(|name, _| !LIMITS.contains(&name.as_str()));
    }
    Ok(fs::write(path, serde_json::to_vec(&config)?)?)
}
