//! Real work, recorded until nothing new comes, then watched: quiet, and with deviations while it goes on.

mod build;
mod install;
mod web;

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Lab, actor,
    deeds::{Place, plan, told, uses_capability},
};

/// So many runs may bring something new; the next one must not.
const RUNS: usize = 8;

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// Some seconds of it, in an emulated machine.
    Guest,
    Small,
    /// The kernel itself, Debian's own packages, and a thousand deviations in each.
    Full,
}

impl Size {
    /// As `DRIFTLINE_WORKLOADS` says, which names the directory of what the full size works on.
    pub fn asked() -> Self {
        if sources().is_some() {
            Self::Full
        } else if std::env::var_os("DRIFTLINE_IN_VM").is_some() {
            Self::Guest
        } else {
            Self::Small
        }
    }

    fn deviations(self) -> usize {
        match self {
            Self::Guest => 50,
            Self::Small => 100,
            Self::Full => 1_000,
        }
    }
}

/// Where `cargo xtask workloads` puts what it downloads.
fn sources() -> Option<PathBuf> {
    std::env::var_os("DRIFTLINE_WORKLOADS").map(PathBuf::from)
}

/// Something that is done in a lab.
pub struct Work {
    name: &'static str,
    /// The lines of a shell's script that do it, in the lab's directory.
    script: String,
    /// What it leaves behind, as paths in the lab: removed before each run.
    leaves: &'static [&'static str],
    /// What makes the place before driftline starts, in a mount namespace of its own.
    mounts: Option<String>,
}

impl Work {
    pub fn build(lab: &Lab, size: Size) -> Self {
        build::work(lab, size)
    }

    pub fn install(lab: &Lab, size: Size) -> Self {
        install::work(lab, size)
    }

    pub fn web(lab: &Lab, size: Size) -> Self {
        web::work(lab, size)
    }

    /// One after the other.
    pub fn all(lab: &Lab, size: Size) -> Self {
        let parts = [build::work(lab, size), install::work(lab, size), web::work(lab, size)];
        let leaves: Vec<_> = parts.iter().flat_map(|part| part.leaves).copied().collect();
        Self {
            name: "a build, an installation and a web server",
            script: parts.iter().map(|part| part.script.as_str()).collect(),
            leaves: leaves.leak(),
            mounts: parts.into_iter().find_map(|part| part.mounts),
        }
    }
}

/// The promise: nothing false, nothing missed.
pub fn is_quiet_and_misses_nothing(lab: &Lab, work: &Work, size: Size) {
    let count = size.deviations();
    let mut place = Place::new(lab, count / 10);
    let actor = actor();
    let begin = format!(
        "cd {0} && exec 2>&1 >{0}/work.log || exit 1\n{1} {0}/plan & actor=$!\nset -e\n",
        lab.path("").display(),
        actor.display()
    );
    // A shell that waits for somebody who has ended makes no call for it; so it waits for somebody who has not as well.
    let end = "sleep 0.5 & wait $!\nwait $actor\n";
    let script = format!("{begin}{}{end}", work.script);
    let script = lab.write("work.sh", &script);
    let command = ["sh".to_owned(), script.to_str().expect("UTF-8").to_owned()];
    let run = |place: &mut Place, driftline: Command| {
        place.reset();
        for path in work.leaves {
            remove(&lab.path(path));
        }
        let start = Instant::now();
        let output = work.started(driftline).output().expect("driftline runs");
        (output, start.elapsed())
    };

    lab.write("plan", &place.routine());
    let mut took = Duration::ZERO;
    let recorded = settle(|| {
        let (output, time) = run(&mut place, lab.record(&command));
        took = time;
        output
    });
    // In an emulated machine a start takes longer than the work; there the watched run with deviations says both.
    let alone = (size != Size::Guest).then(|| {
        let (output, _) = run(&mut place, lab.watch(&command));
        succeeded(&output, &[0, 3]);
        lab.events()
    });

    place.reset();
    let plan = plan(&mut place, count, took.mul_f64(0.7), &calls(lab));
    lab.write("plan", &plan.text);
    for path in work.leaves {
        remove(&lab.path(path));
    }
    let output = work.started(lab.watch(&command)).output().expect("driftline runs");
    succeeded(&output, &[3]);
    let events = lab.events();
    // Where many come at once, another event tells of them together.
    let own = |event: &&Value| {
        event["event.action"] == "created" && event.get("drift.group.objects").is_none()
    };
    let created = events.iter().filter(own).map(told);
    // Where capabilities are seen, a call that needs one is two deviations, of which the plan holds the call.
    let (used, events): (Vec<_>, Vec<_>) = created.partition(uses_capability);
    let seen: BTreeSet<_> = events.iter().cloned().collect();
    let missed: Vec<_> = plan.expected.difference(&seen).collect();
    let beside: Vec<_> = seen.difference(&plan.expected).collect();
    let alone_count =
        alone.as_ref().map_or("not run".to_owned(), |events| events.len().to_string());
    say(&format!(
        "{}: recorded {recorded} times, {:.1} s; false drift alone: {alone_count}; injected {count} ({}), found {}, \
         missed {}, capabilities used by them {}, false drift beside them {}; not seen by this tier: {:?}",
        work.name,
        took.as_secs_f32(),
        plan.sorts,
        plan.expected.intersection(&seen).count(),
        missed.len(),
        used.len(),
        beside.len(),
        plan.blind
    ));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(alone.iter().flatten().next().is_none(), "false drift: {alone:#?}");
    assert!(missed.is_empty(), "missed: {missed:#?}\n{said}");
    assert!(beside.is_empty(), "false drift: {beside:#?}");
    assert_eq!(events.len(), count, "each is told once");
}

impl Work {
    /// `driftline …`, where the work can be done.
    fn started(&self, driftline: Command) -> Command {
        let Some(mounts) = &self.mounts else { return driftline };
        let mut inside = Command::new("unshare");
        let script = format!("set -e; {mounts}; exec \"$@\"");
        inside.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"]);
        inside.arg(driftline.get_program()).args(driftline.get_args());
        inside
    }
}

/// How many runs it took until nothing new came.
fn settle(mut run: impl FnMut() -> Output) -> usize {
    for round in 1..=RUNS + 1 {
        let output = run();
        let said = succeeded(&output, &[0]);
        if said.contains("nothing new") {
            return round;
        }
        assert!(round <= RUNS, "still new in run {round}: {said}");
    }
    unreachable!("the last run is asserted on")
}

fn succeeded(output: &Output, codes: &[i32]) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ended = output.status.code().is_some_and(|code| codes.contains(&code));
    assert!(ended, "{:?}: {said}\n{}", output.status, String::from_utf8_lossy(&output.stdout));
    said
}

/// The calls that the lab's baseline holds.
fn calls(lab: &Lab) -> BTreeSet<String> {
    let text = fs::read(lab.baselines().join("lab.json")).expect("a baseline");
    let baseline: Value = serde_json::from_slice(&text).expect("JSON");
    baseline["syscalls"].as_object().expect("calls").keys().cloned().collect()
}

fn remove(path: &PathBuf) {
    if path.is_dir() {
        fs::remove_dir_all(path).expect("the lab is ours");
    } else if path.exists() {
        fs::remove_file(path).expect("the lab is ours");
    }
}

/// Past the harness's capture: these are figures that somebody waits for.
fn say(line: &str) {
    let _stderr_may_be_gone = writeln!(std::io::stderr(), "{line}");
}
