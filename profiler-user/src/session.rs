//! One command, observed from its first instruction to the last process it leaves behind.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    process::ExitStatus,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use profiler_common::container::KnownCalls;

use crate::{
    baseline::window_of,
    cgroup::{Cgroup, Hierarchy},
    error::Error,
    launch::{self, Signals},
    observe::losses,
    pipeline::{Consumer, Pipeline},
    redact::Redactor,
    sensor::{Behaviour, Options, Sensor, Status, Tier},
};

/// How long what CMD left behind may go on before it is asked, and then made, to end.
const GRACE: Duration = Duration::from_millis(500);
const AFTER_TERM: Duration = Duration::from_secs(2);
const AFTER_KILL: Duration = Duration::from_secs(10);

/// A sensor that watches a fresh, still empty cgroup.
pub(crate) struct Session {
    cgroup: Cgroup,
    sensor: Sensor,
    /// The present window, for a recording.
    windows: Option<i64>,
}

/// How a command's run went.
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    /// Lost events by kind.
    pub(crate) lost: BTreeMap<String, u64>,
}

impl Session {
    /// Loads the probes. Without any of those that a verdict rests on there is no session.
    pub(crate) fn open(options: Options) -> Result<Self, Error> {
        let hierarchy = Hierarchy::find()?;
        let cgroup = Cgroup::create(&hierarchy)?;
        let mut sensor = Sensor::load(&hierarchy, options)
            .map_err(|error| Error::Machine(format!("cannot load the eBPF probes: {error:#}")))?;
        require_vital(&sensor)?;
        sensor.track(cgroup.id())?;
        sensor.listen_for_names(cgroup.id(), cgroup.directory().map_err(anyhow::Error::from)?)?;
        Ok(Self { cgroup, sensor, windows: None })
    }

    /// Native calls that need not be reported.
    pub(crate) fn know_calls(&mut self, calls: &KnownCalls) -> Result<(), Error> {
        Ok(self.sensor.know_calls(self.cgroup.id(), Some(calls))?)
    }

    pub(crate) fn tier(&self) -> Tier {
        self.sensor.tier()
    }

    /// Why nobody knows whether the probes fire.
    pub(crate) fn untested(&self) -> Option<&str> {
        self.sensor.untested()
    }

    pub(crate) fn statuses(&self) -> &[Status] {
        self.sensor.status()
    }

    /// Behaviours that nothing sees.
    pub(crate) fn blind(&self) -> Vec<&Status> {
        self.sensor.status().iter().filter(|status| status.tier == Tier::Blind).collect()
    }

    /// Lets everything cross again in each [window](crate::baseline::WINDOW), so that each counts for itself.
    pub(crate) fn with_windows(self) -> Self {
        Self { windows: Some(window_of(jiff::Timestamp::now())), ..self }
    }

    /// Runs CMD to its end, or for at most `limit`, and everything it did through the consumer.
    pub(crate) async fn run<C: Consumer>(
        mut self,
        command: &[OsString],
        signals: Signals,
        limit: Option<Duration>,
        redactor: Redactor,
        consumer: C,
    ) -> Result<(End, C), Error> {
        let mut pipeline = Pipeline::start(self.sensor.records()?, redactor, consumer)?;
        if let Some(signal) = signals.pending()? {
            return Err(Error::Interrupted(signal));
        }
        let mut child = launch::spawn(command, &self.cgroup, &signals)?;
        let lost = pipeline.lost();
        let status = tokio::select! {
            status = launch::wait(&mut child, signals, limit) => status?,
            error = self.count_lost(&lost) => return Err(error.into()),
            error = pipeline.broken() => return Err(error.into()),
        };
        // Whatever goes wrong from here on, what was observed is not thrown away.
        let ended = self.end_leftovers().await;
        let state = self.sensor.state(self.cgroup.id())?;
        let mut lost = losses(&state.lost);
        let consumer = pipeline.finish(Box::new(state)).await?;
        let missed = self.sensor.missed();
        if missed > 0 {
            lost.insert("probe".to_owned(), missed);
        }
        if let Err(error) = ended.and(self.cgroup.remove().await) {
            eprintln!("driftline: the command's cgroup is left behind: {error:#}");
        }
        Ok((End { status, lost }, consumer))
    }

    /// Reads the kernel's counters every second, and begins windows; only an error ends it.
    async fn count_lost(&mut self, lost: &AtomicU64) -> anyhow::Error {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            match self.sensor.state(self.cgroup.id()) {
                Ok(state) => lost.store(state.lost.iter().sum(), Ordering::Relaxed),
                Err(error) => return error,
            }
            let now = window_of(jiff::Timestamp::now());
            if self.windows.is_some_and(|window| window != now) {
                self.windows = Some(now);
                if let Err(error) = self.sensor.forget_seen() {
                    return error;
                }
            }
        }
    }

    /// A container ends with its first process: what is left gets a moment, SIGTERM, then SIGKILL.
    async fn end_leftovers(&self) -> anyhow::Result<()> {
        let cgroup = &self.cgroup;
        if cgroup.empties_within(GRACE).await? {
            return Ok(());
        }
        let left = cgroup.processes()?;
        eprintln!(
            "driftline: the command ended and left {} process(es) behind; ending them",
            left.len()
        );
        for pid in left {
            let _may_be_gone = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if cgroup.empties_within(AFTER_TERM).await? {
            return Ok(());
        }
        cgroup.kill().context("killing what the command left behind")?;
        anyhow::ensure!(
            cgroup.empties_within(AFTER_KILL).await?,
            "processes in the command's cgroup do not end, not even by SIGKILL"
        );
        Ok(())
    }
}

/// Fails where the sensor lacks any of the probes that a verdict rests on.
pub(crate) fn require_vital(sensor: &Sensor) -> Result<(), Error> {
    match sensor.status().iter().find(|status| is_vital(status)) {
        Some(blind) => Err(Error::Machine(format!(
            "this kernel takes no probe for {:?}: {}; `driftline check` shows all of them",
            blind.behaviour,
            blind.refused.join("; ")
        ))),
        None => Ok(()),
    }
}

/// Blind for something without which no behaviour can be told apart from another's.
fn is_vital(status: &Status) -> bool {
    status.tier == Tier::Blind
        && matches!(status.behaviour, Behaviour::Exec | Behaviour::Process | Behaviour::Syscall)
}
