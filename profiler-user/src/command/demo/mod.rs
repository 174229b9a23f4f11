//! `driftline demo`: records a real web server, watches it do the same, then watches while somebody
//! breaks in, and tells what was seen as a timeline.
//!
//! The demo runs `driftline record` and `driftline watch` as anybody would, as child processes, and
//! plays the visitors and the intruder itself.

mod agent;
mod http;
mod interrupt;
mod intruder;
mod server;
mod timeline;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;

use self::agent::Agent;
use self::interrupt::Interrupt;
use self::intruder::Intruder;
use self::server::Server;
use self::timeline::Line;

/// A server does not do everything that it ever does in its first run.
const RUNS_MIN: u32 = 3;
/// As many as recording may take until a quiet run brings nothing new.
const RUNS_MAX: u32 = 6;

const LOAD: Duration = Duration::from_millis(1500);

/// Fails if the quiet run had drift or a step of the break-in was not seen. Call it before any other
/// thread runs: it blocks signals, which another thread would then take.
pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    let interrupt = Interrupt::catch()?;
    let dir = tempfile::Builder::new()
        .prefix("driftline-demo-")
        .tempdir_in("/tmp")
        .context("cannot make a directory for the demo in /tmp")?;
    let server = Server::prepare(dir.path())?;
    let baselines = dir.path().join("baselines");
    std::fs::create_dir(&baselines)?;
    let demo = Demo { dir: dir.path(), baselines: &baselines, server: &server, interrupt };

    demo.record_until_nothing_is_new()?;
    let lines = demo.watch_the_break_in()?;
    let missed = timeline::missed(&lines);
    ensure!(
        missed.is_empty(),
        "not seen: {}; `driftline check` says what is blind here",
        missed.join(", ")
    );
    eprintln!("\nEvery step was seen. The demo took {} seconds.", started.elapsed().as_secs());
    Ok(())
}

struct Demo<'a> {
    dir: &'a Path,
    baselines: &'a Path,
    server: &'a Server,
    interrupt: Interrupt,
}

impl Demo<'_> {
    fn record_until_nothing_is_new(&self) -> Result<()> {
        eprintln!("1. Recording what a web server does");
        eprintln!("   nginx with a few pages and a calculator on 127.0.0.1:{}", self.server.port);
        let mut run = 0;
        loop {
            run += 1;
            let agent = self.start("record", &[])?;
            let requests = self.visit()?;
            agent.stop(&self.interrupt)?;
            eprintln!("   run {run}: {requests} requests answered, behaviour recorded");
            if run < RUNS_MIN {
                continue;
            }
            eprintln!("\n2. Watching the same server do the same");
            let events = self.dir.join(format!("quiet-{run}.jsonl"));
            let agent = self.start("watch", &["--events".as_ref(), events.as_os_str()])?;
            let requests = self.visit()?;
            agent.stop(&self.interrupt)?;
            let lines = timeline::read(&events)?;
            if lines.is_empty() {
                eprintln!("   {requests} requests answered, no drift");
                return Ok(());
            }
            eprintln!("   {requests} requests answered, and something that was never recorded:");
            eprint!("{}", timeline::render(&lines, lines[0].time));
            if run >= RUNS_MAX {
                bail!("the server still does something new after {run} recorded runs");
            }
            eprintln!("\n   So one more run is recorded.");
        }
    }

    fn watch_the_break_in(&self) -> Result<Vec<Line>> {
        eprintln!("\n3. Watching while somebody breaks in");
        let events = self.dir.join("break-in.jsonl");
        let agent = self.start("watch", &["--events".as_ref(), events.as_os_str()])?;
        let before = self.visit()?;
        let intruder = Intruder::prepare(self.dir)?;
        eprintln!("   {before} requests answered as ever, and then this one:");
        eprintln!("     GET /calc?system('/bin/sh', '-c', '…')");
        eprintln!("   The calculator hands what it is asked to Perl's eval, so a shell runs:");
        for step in intruder.steps() {
            eprintln!("     {step}");
        }
        let begun = Timestamp::now();
        let haul = intruder.break_in(self.server, &self.interrupt)?;
        let after = self.visit()?;
        eprintln!("   The intruder has {} bytes of /etc/shadow and a way back in.", haul.bytes);
        eprintln!("   {after} more requests answered, as if nothing had happened.");
        agent.stop(&self.interrupt)?;

        let lines = timeline::read(&events)?;
        eprintln!("\nWhat Driftline saw, in seconds from that request on\n");
        eprint!("{}", timeline::render(&lines, begun));
        Ok(lines)
    }

    /// A driftline that runs the server, which answers when this returns.
    fn start(&self, command: &str, more: &[&std::ffi::OsStr]) -> Result<Agent<'_>> {
        let log = self.dir.join(format!("{command}.log"));
        let mut agent = Agent::start(command, self.baselines, more, self.server, log)?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while http::get(self.server.port, "/").is_err() {
            agent.still_runs()?;
            self.interrupt.pause(Duration::from_millis(50))?;
            if Instant::now() > deadline {
                return Err(agent.failed("the demo's server did not answer within 20 seconds"));
            }
        }
        Ok(agent)
    }

    /// Visitors for a while; how many requests were answered.
    fn visit(&self) -> Result<u64> {
        let end = Instant::now() + LOAD;
        let mut requests = 0;
        while Instant::now() < end {
            for (path, expected) in server::VISITS {
                let answer = http::get(self.server.port, path)?;
                ensure!(
                    answer.status == *expected,
                    "the demo's server answered {path} with {}",
                    answer.status
                );
                requests += 1;
            }
            self.interrupt.pause(Duration::from_millis(5))?;
        }
        Ok(requests)
    }
}
