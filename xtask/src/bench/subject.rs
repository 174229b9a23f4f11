//! What is attached while the workload runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::agent_time::Clock;
use super::workload::{Served, bound};
use crate::sh;

/// Programs that a run needs, and where it happens.
pub(super) struct Bench {
    pub(super) driftline: PathBuf,
    pub(super) workload: PathBuf,
    pub(super) hooks: PathBuf,
    /// Where the workload has its files.
    pub(super) place: PathBuf,
    /// Baselines and logs.
    pub(super) scratch: PathBuf,
}

/// The operations, and how often each is done in one round.
#[derive(Clone, Copy)]
pub(super) struct Op {
    pub(super) name: &'static str,
    pub(super) count: u32,
}

/// What is attached, and where the workload is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Subject {
    Nothing,
    /// Programs that do nothing, on the hooks that driftline uses here.
    Empty,
    /// Driftline watches another container.
    Outside,
    /// Driftline watches, and knows everything that the workload does.
    Behaving,
    /// Driftline watches, and knows nothing of it.
    New,
}

/// A workload that can be asked, with whatever is attached meanwhile.
pub(super) struct Running {
    /// Dropped last: it is what the workload was measured under.
    workload: Served,
    beside: Option<Served>,
    /// The driftline that watches the workload.
    agent: Option<u32>,
    prefix: &'static str,
}

impl Subject {
    /// The last is the only one whose behaviour is not known.
    pub(super) const ALL: [Self; 5] =
        [Self::Nothing, Self::Empty, Self::Outside, Self::Behaving, Self::New];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Empty => "empty",
            Self::Outside => "outside",
            Self::Behaving => "behaving",
            Self::New => "new",
        }
    }
}

impl Running {
    /// Nanoseconds of one operation; under `new` each has another object.
    pub(super) fn measure(&mut self, op: Op) -> Result<f64> {
        self.workload.measure(&format!("{}{}", self.prefix, op.name), op.count)
    }

    pub(super) fn end(self) -> Result<()> {
        self.workload.end()?;
        self.beside.map_or(Ok(()), Served::end)
    }

    /// The driftline that watches the workload.
    pub(super) fn agent(&self) -> Option<u32> {
        self.agent
    }

    pub(super) fn stop_agent(&self) -> Result<()> {
        let Some(agent) = self.agent else { return Ok(()) };
        signal(agent, "STOP")?;
        // Only when all its threads stand still does nothing run beside the workload.
        let stopped = |task: &Path| {
            let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_none_or(|rest| rest.starts_with('T'))
        };
        let tasks = format!("/proc/{agent}/task");
        while !fs::read_dir(&tasks)?.flatten().all(|task| stopped(&task.path())) {
            std::thread::yield_now();
        }
        Ok(())
    }

    pub(super) fn continue_agent(&self) -> Result<()> {
        self.agent.map_or(Ok(()), |agent| signal(agent, "CONT"))
    }

    /// What the agent itself runs for one operation, in nanoseconds of a processor; none without an agent.
    pub(super) fn measure_agent(&mut self, op: Op) -> Result<Option<f64>> {
        let Some(agent) = self.agent else { return Ok(None) };
        let clock = Clock::of(agent)?;
        let before = clock.when_idle()?;
        self.measure(op)?;
        let after = clock.when_idle()?;
        Ok(Some((after - before) / f64::from(op.count)))
    }
}

impl Bench {
    /// Attaches what the subject says and starts a workload under it.
    pub(super) fn start(&self, subject: Subject) -> Result<Running> {
        let alone = |beside| -> Result<Running> {
            let workload = Served::start(&mut self.workload())?;
            Ok(Running { workload, beside, agent: None, prefix: "" })
        };
        let watched = |baseline, prefix| -> Result<Running> {
            let workload = self.watch(baseline)?;
            let agent = Some(workload.started());
            Ok(Running { workload, beside: None, agent, prefix })
        };
        match subject {
            Subject::Nothing => alone(None),
            Subject::Empty => alone(Some(self.empty()?)),
            Subject::Outside => alone(Some(self.watch("idle")?)),
            Subject::Behaving => watched("busy", ""),
            Subject::New => watched("idle", "new-"),
        }
    }

    /// Records what `behaving` and `new` are judged by: a run with all operations, and one with none.
    pub(super) fn record(&self, ops: &[Op]) -> Result<()> {
        let mut busy = self.under("record", "busy")?;
        for op in ops {
            busy.measure(op.name, op.count.min(100))?;
        }
        fs::write(self.scratch.join("hooks"), self.list_hooks(busy.started())?)?;
        busy.end()?;
        self.under("record", "idle")?.end()
    }

    /// The hooks of a process, one JSON object a line.
    pub(super) fn list_hooks(&self, pid: u32) -> Result<String> {
        sh::output(Command::new(&self.hooks).args(["list", &pid.to_string()]))
    }

    /// The hooks that driftline's probes have on this kernel, one JSON object a line; known once it has recorded.
    pub(super) fn hooks(&self) -> Result<String> {
        Ok(fs::read_to_string(self.scratch.join("hooks"))?)
    }

    fn empty(&self) -> Result<Served> {
        let hooks = self.hooks()?;
        ensure!(!hooks.is_empty(), "driftline has no probe attached");
        Served::start(bound(&self.hooks).arg("empty").args(hooks.lines()))
    }

    /// A workload in a container that driftline watches.
    fn watch(&self, baseline: &str) -> Result<Served> {
        self.under("watch", baseline)
    }

    /// A workload that driftline records or watches.
    pub(super) fn under(&self, verb: &str, baseline: &str) -> Result<Served> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.scratch.join(format!("{verb}.log")))?;
        let mut command = Command::new(&self.driftline);
        command.arg(verb).arg("--baselines").arg(self.scratch.join("baselines"));
        command.args(["--image", baseline, "--"]).arg(&self.workload).arg(&self.place);
        Served::start(command.stderr(log))
    }

    pub(super) fn workload(&self) -> Command {
        let mut command = bound(&self.workload);
        command.arg(&self.place);
        command
    }
}

fn signal(pid: u32, name: &str) -> Result<()> {
    sh::output(sh::command("busybox").args(["kill", &format!("-{name}"), &pid.to_string()]))
        .map(drop)
}
