//! One new behaviour behind what was recorded, and the event that must tell of it.

use std::fs;

use crate::{Lab, actor, assert_drift, repeat};

const ROUTINE: &str = "read /etc/passwd\nrun /bin/true\n";

/// One deviation: a step, what must be reported of it, and what surrounds it.
pub struct Deviation<'a> {
    pub step: String,
    pub kind: &'a str,
    pub object: String,
    /// Who does it, if not the actor.
    pub process: Option<&'a str>,
    /// The routine, where it is not [`ROUTINE`].
    pub routine: &'a str,
}

impl<'a> Deviation<'a> {
    pub fn new(step: &str, kind: &'a str, object: &str) -> Self {
        Self {
            step: step.to_owned(),
            kind,
            object: object.to_owned(),
            process: None,
            routine: ROUTINE,
        }
    }
}

/// Records the routine, then watches it with the deviation at its end and at its very beginning. `meanwhile` runs beside
/// each watched run, `after` behind it.
pub fn is_reported(deviation: &Deviation<'_>, meanwhile: impl Fn() + Sync, after: impl Fn()) {
    let lab = Lab::new();
    let plan = lab.path("plan");
    let actor = actor();
    let actor = actor.to_str().expect("UTF-8");
    let command = [actor, plan.to_str().expect("UTF-8")];
    lab.write("plan", deviation.routine);
    lab.settle(|| lab.record(&command).output().expect("driftline runs"));

    let resolved = fs::canonicalize(actor).expect("the actor is there");
    let process = deviation.process.unwrap_or(resolved.to_str().expect("UTF-8"));
    let last = format!("{}{}\n", deviation.routine, deviation.step);
    let first = format!("{}\n{}", deviation.step, deviation.routine);
    for plan in [last, first] {
        for _ in 0..repeat() {
            lab.write("plan", &plan);
            let output = std::thread::scope(|scope| {
                scope.spawn(&meanwhile);
                lab.watch(&command).output().expect("driftline runs")
            });
            after();
            assert_drift(&lab, &output, deviation.kind, &deviation.object, process);
        }
    }
}

/// Only as the last step: what comes before prepares it. `check` sees the events of each run.
pub fn is_reported_last(deviation: &Deviation<'_>, check: impl Fn(&[serde_json::Value])) {
    let lab = Lab::new();
    let plan = lab.path("plan");
    let actor = fs::canonicalize(actor()).expect("the actor is there");
    let actor = actor.to_str().expect("UTF-8");
    let command = [actor, plan.to_str().expect("UTF-8")];
    lab.write("plan", deviation.routine);
    lab.settle(|| lab.record(&command).output().expect("driftline runs"));
    lab.write("plan", &format!("{}{}\n", deviation.routine, deviation.step));
    for _ in 0..repeat() {
        let output = lab.watch(&command).output().expect("driftline runs");
        let process = deviation.process.unwrap_or(actor);
        assert_drift(&lab, &output, deviation.kind, &deviation.object, process);
        check(&lab.events());
    }
}
