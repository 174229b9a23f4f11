//! What the agent of a full node holds in memory: resident, and where the hierarchy has the memory controller also what
//! its cgroup is charged, the maps in the kernel included.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::row::Row;
use super::start::resident;
use super::workload::{Served, bound};
use crate::sh;

pub(super) const SUITE: &str = "memory";

/// Containers that are watched.
const CONTAINERS: &[usize] = &[1, 50, 200, 1_000];
/// Of so many images, each with a baseline.
const IMAGES: usize = 50;

/// What 200 containers may take, in KiB.
const BUSY: usize = 200;
const RESIDENT: f64 = 45.0 * 1024.0;
const CHARGED: f64 = 96.0 * 1024.0;

/// Until all are watched: a second for each handful where the machine is emulated.
const PATIENCE: Duration = Duration::from_mins(10);
/// Nothing grows after that.
const SETTLED: Duration = Duration::from_secs(5);

/// The programs, and a directory that is removed by whoever made it.
pub(super) struct Node<'a> {
    pub(super) driftline: &'a Path,
    pub(super) crowd: &'a Path,
    pub(super) scratch: &'a Path,
}

impl Node<'_> {
    /// A row for each thing and number of containers, measured once: starting a thousand takes its time.
    pub(super) fn measure(&self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for count in CONTAINERS {
            rows.extend(self.of(*count).with_context(|| format!("{count} containers"))?);
        }
        Ok(rows)
    }

    fn of(&self, count: usize) -> Result<Vec<Row>> {
        let directory = self.scratch.join(format!("node-{count}"));
        fs::create_dir_all(&directory)?;
        let images = IMAGES.to_string();
        let mut crowd = Served::start(bound(self.crowd).arg(&directory).arg(images))?;
        let agent = Agent::start(self.driftline, &directory)?;
        crowd.measure("start", u32::try_from(count)?)?;
        let subject = format!("{count} containers");
        let row = |op, value| Row::once(SUITE, &subject, op, "KiB", value);
        agent.wait_until_watched(count)?;
        sleep(SETTLED);
        let mut rows = vec![
            row("resident", resident(agent.child.id())?),
            row("proportional", agent.proportional()?),
        ];
        rows.extend(agent.charged()?.map(|charged| row("cgroup", charged)));
        crowd.end()?;
        Ok(rows)
    }
}

/// Fails where the containers that budgets are stated for take more.
pub(super) fn check(rows: &[Row]) -> Result<()> {
    let subject = format!("{BUSY} containers");
    for (op, most) in [("resident", RESIDENT), ("cgroup", CHARGED)] {
        let row = super::row::find(rows, &subject, op);
        let took = row.with_context(|| format!("{op} was not measured"))?.median;
        ensure!(took <= most, "{op}: {subject} take {took} KiB, {most} are allowed");
    }
    Ok(())
}

/// An agent with every sink on, of which the Alertmanager is down; killed when dropped.
struct Agent {
    child: Child,
    http: u16,
    /// Where the hierarchy has the memory controller.
    cgroup: Option<PathBuf>,
}

impl Agent {
    fn start(driftline: &Path, directory: &Path) -> Result<Self> {
        // Free now, and nobody else asks for one by number.
        let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let at = |name: &str| directory.join(name);
        let mut command = bound(driftline);
        command
            .arg("watch")
            .arg("--baselines")
            .arg(at("baselines"))
            .arg("--store")
            .arg(at("store"));
        command.arg("--events").arg(at("events.jsonl"));
        command.args([
            "--http",
            &format!("127.0.0.1:{http}"),
            "--alertmanager",
            "http://127.0.0.1:9",
        ]);
        command.arg("--runtime-endpoint").arg(format!("unix://{}", at("runtime.sock").display()));
        let cgroup = cgroup()?;
        if let Some(cgroup) = &cgroup {
            let mut procs = fs::File::options().write(true).open(cgroup.join("cgroup.procs"))?;
            // SAFETY: one write between fork and exec, of memory prepared before.
            unsafe { command.pre_exec(move || procs.write_all(b"0")) };
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut said = BufReader::new(child.stderr.take().context("it was asked for")?);
        let agent = Self { child, http, cgroup };
        let mut line = String::new();
        let mut all = String::new();
        while !line.contains("driftline: ready") {
            all += &line;
            line.clear();
            ensure!(said.read_line(&mut line)? > 0, "driftline ended: {all}");
        }
        // What it says later is read, so that it can go on.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(agent)
    }

    fn wait_until_watched(&self, count: usize) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        let series = "driftline_containers{state=\"watched\"} ";
        loop {
            let metrics = self.metrics()?;
            let watched = metrics.lines().find_map(|line| line.strip_prefix(series));
            if watched.is_some_and(|watched| watched.parse() == Ok(count)) {
                return Ok(());
            }
            if Instant::now() > end {
                let states =
                    metrics.lines().filter(|line| line.starts_with("driftline_containers"));
                bail!("not all are watched: {:?}", states.collect::<Vec<_>>());
            }
            sleep(Duration::from_millis(500));
        }
    }

    fn metrics(&self) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// With what is shared with other processes divided among them.
    fn proportional(&self) -> Result<f64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("a process without memory")?.parse()?)
    }

    fn charged(&self) -> Result<Option<f64>> {
        let Some(cgroup) = &self.cgroup else { return Ok(None) };
        let bytes: f64 = fs::read_to_string(cgroup.join("memory.current"))?.trim().parse()?;
        Ok(Some(bytes / 1024.0))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _asked = sh::output(sh::command("busybox").args(["kill", "-TERM", &pid]));
        let _ended = self.child.wait();
        if let Some(cgroup) = &self.cgroup {
            let _removed = fs::remove_dir(cgroup);
        }
    }
}

/// A cgroup for the agent, where its memory is counted; none where the hierarchy does not have that controller.
fn cgroup() -> Result<Option<PathBuf>> {
    let root = Path::new("/sys/fs/cgroup");
    let controllers = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    if !controllers.split_whitespace().any(|controller| controller == "memory") {
        return Ok(None);
    }
    fs::write(root.join("cgroup.subtree_control"), "+memory")?;
    let cgroup = root.join(format!("driftline-agent-{}", std::process::id()));
    fs::create_dir_all(&cgroup)?;
    Ok(Some(cgroup))
}
