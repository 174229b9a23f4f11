//! The canary's container: a cgroup of its own, one program that does nothing, and a baseline that holds nothing.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use nix::sched::{CloneFlags, unshare};
use tokio::time::Instant;
use ulid::Ulid;

use super::NAME;
use crate::{
    baseline::{Baseline, Image, Judge},
    cgroup::{Cgroup, CgroupId, Hierarchy},
    drift::{Aggregator, BaselineStatus, Context, DriftKind, Node as Machine, Origin},
    observe::{Clock, Observer},
    sensor::Event,
    store::Write,
};

/// How long its records may take to come; then the next is not told from it.
const PATIENCE: Duration = Duration::from_mins(1);

pub(in super::super) struct Cage {
    cgroup: Cgroup,
    judge: Judge,
    context: Context,
    token: String,
    observer: Option<Observer>,
    child: Option<Child>,
    opened: Instant,
    /// Its drift was told.
    has_sung: bool,
}

impl Cage {
    /// Nothing runs in it yet.
    pub(in super::super) fn open(
        hierarchy: &Hierarchy,
        machine: &Machine,
        tier: &str,
    ) -> anyhow::Result<Self> {
        let cgroup = Cgroup::create(hierarchy).map_err(anyhow::Error::from)?;
        let baseline = Baseline::new(Image::here(NAME));
        let origin = Origin {
            host_name: machine.host_name.clone(),
            cluster: machine.cluster.clone(),
            node: machine.name.clone(),
            container: Some(NAME.to_owned()),
            image_name: Some(NAME.to_owned()),
            ..Origin::default()
        };
        let context = Context {
            baseline_id: Some(baseline.id()),
            baseline_status: BaselineStatus::Exact,
            canary: true,
            ..Context::unjudged(Arc::new(origin), tier)
        };
        Ok(Self {
            cgroup,
            judge: Judge::new(&baseline, ""),
            context,
            token: Ulid::new().to_string(),
            observer: None,
            child: None,
            opened: Instant::now(),
            has_sung: false,
        })
    }

    pub(in super::super) fn cgroup(&self) -> CgroupId {
        self.cgroup.id()
    }

    /// Runs the canary. The kernel must be tracking the cgroup by now.
    pub(in super::super) fn sing(&mut self, clock: Clock) -> anyhow::Result<()> {
        self.observer = Some(Observer::new(clock));
        let mut procs = self.cgroup.procs().context("opening the canary's cgroup")?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0(NAME).arg(&self.token);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let enter = move || {
            procs.write_all(b"0")?;
            // A program that still is where it came from is a runtime on its way in.
            unshare(CloneFlags::CLONE_NEWNS)?;
            Ok(())
        };
        // SAFETY: two system calls, on memory prepared before the fork.
        unsafe { command.pre_exec(enter) };
        self.child = Some(command.spawn().context("running the canary")?);
        Ok(())
    }

    /// What comes from its cgroup. Its baseline lets it do whatever the start of a program takes, and run none.
    pub(in super::super) fn take(&mut self, event: Event, out: &mut Vec<Write>) {
        let Some(observation) = self.observer.as_mut().and_then(|all| all.observe(event)) else {
            return;
        };
        if self.has_sung || !observation.process.args.contains(&self.token) {
            return;
        }
        let findings = self.judge.judge(&observation);
        if let Some(finding) = findings.into_iter().find(|one| one.kind == DriftKind::Exec) {
            self.has_sung = true;
            let nearest = |_: &_| None;
            let told = Aggregator::new(1).observe(&self.context, &observation, finding, nearest);
            out.extend(told.into_iter().map(Write::from));
        }
    }

    /// Whether nothing more is to come of it.
    pub(in super::super) fn is_done(&mut self) -> bool {
        let has_ended = self.child.as_mut().is_none_or(|child| {
            // One that cannot be asked about is gone.
            child.try_wait().map_or(true, |status| status.is_some())
        });
        has_ended && (self.has_sung || self.opened.elapsed() > PATIENCE)
    }
}
