//! Where another process's eBPF programs hook in, and empty programs at the same places.
//!
//! `driftline-hooks list PID` prints one JSON object for each of the process's links. `driftline-hooks empty HOOK…` attaches
//! a program that does nothing at each hook, as listed, says `ready`, and stays until its input ends.

mod kernel;
mod link;

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, bail};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let mut answers = std::io::stdout().lock();
    match arguments.split_first().map(|(verb, rest)| (verb.as_str(), rest)) {
        Some(("list", [pid])) => {
            for link in link::links(pid.parse().context("a process id")?)? {
                writeln!(answers, "{}", serde_json::to_string(&link)?)?;
            }
        }
        Some(("empty", hooks)) if !hooks.is_empty() => {
            let hooks = hooks.iter().map(|hook| Ok(serde_json::from_str(hook)?));
            let hooks = hooks.collect::<anyhow::Result<Vec<link::Hook>>>()?;
            let _attached =
                hooks.iter().map(kernel::attach_empty).collect::<anyhow::Result<Vec<_>>>()?;
            writeln!(answers, "ready {}", std::process::id())?;
            answers.flush()?;
            std::io::stdin().read_to_end(&mut Vec::new())?;
        }
        _ => bail!("usage: driftline-hooks list PID | driftline-hooks empty HOOK…"),
    }
    Ok(())
}
