//! A full node for `cargo xtask bench`: `driftline-crowd DIRECTORY IMAGES`.
//!
//! A thousand containers of a real runtime are too heavy for a measurement. Here a container is a cgroup with the path that
//! a kubelet gives it and one small program in it, and the runtime is a socket that answers what the CRI is asked. Each line
//! `start COUNT` starts so many more and is answered by `start NANOSECONDS`; all end with the standard input.

mod baselines;
mod containers;

use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use containers::Containers;
use support::numbered::{self, digest, id, repository};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let usage = "usage: driftline-crowd DIRECTORY IMAGES";
    let directory = PathBuf::from(arguments.next().context(usage)?);
    let images = arguments.next().and_then(|count| count.to_str()?.parse().ok()).context(usage)?;
    baselines::write(&directory.join("baselines"), images)?;
    let mut containers = Containers::make()?;
    numbered::serve(&directory.join("runtime.sock"), images)?;

    let mut answers = std::io::stdout().lock();
    writeln!(answers, "ready {}", std::process::id())?;
    answers.flush()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let count = line.strip_prefix("start ").context("a line is `start COUNT`")?;
        let start = Instant::now();
        for _ in 0..count.parse()? {
            containers.start()?;
        }
        writeln!(answers, "start {}", start.elapsed().as_nanos())?;
        answers.flush()?;
    }
    Ok(())
}
