//! What `cargo xtask bench` measures: does one operation many times and says how long one took.
//!
//! `driftline-workload DIRECTORY` reads a line `OPERATION COUNT` at a time and answers each with `OPERATION NANOSECONDS`,
//! so that whoever asks decides when, also through a `driftline watch` that passes the lines on.

mod operation;
mod program;

use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use operation::Place;

fn main() -> anyhow::Result<()> {
    let directory = std::env::args_os().nth(1).context("usage: driftline-workload DIRECTORY")?;
    let place = Place::make(PathBuf::from(directory))?;
    let mut answers = std::io::stdout().lock();
    writeln!(answers, "ready {}", std::process::id())?;
    answers.flush()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (name, count) = line.split_once(' ').context("a line is `OPERATION COUNT`")?;
        let nanoseconds = place.time(name, count.parse().context("a count")?)?;
        writeln!(answers, "{name} {nanoseconds}")?;
        answers.flush()?;
    }
    Ok(())
}
