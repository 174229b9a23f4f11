//! Observations for tests, all of one run.

use std::sync::Arc;

use super::model::{Baseline, Image};
use super::run::{Run, RunId};
use crate::behaviour::{Behaviour, Exec, File, Observation, Process};

pub(super) fn run() -> RunId {
    RunId::new("01K0000000000000000000000A")
}

pub(super) fn observation(executable: &str, args: &[&str], behaviour: Behaviour) -> Observation {
    Observation {
        time: "2026-01-02T15:04:05.678Z".parse().unwrap(),
        process: Arc::new(Process {
            pid: 4711,
            vpid: None,
            parent_pid: 1,
            uid: 0,
            executable: executable.into(),
            args: args.iter().map(ToString::to_string).collect(),
            args_cut: false,
            ancestry: Arc::default(),
        }),
        behaviour,
    }
}

pub(super) fn exec(executable: &str, args: &[&str], parent: Option<&str>) -> Observation {
    let exec = Exec {
        given: executable.to_owned(),
        parent: parent.map(Arc::from),
        fileless: false,
        not_in_image: false,
        cwd: "/".to_owned(),
    };
    observation(executable, args, Behaviour::Exec(exec))
}

pub(super) fn read(executable: &str, path: &str) -> Observation {
    let file = File { path: path.to_owned(), read: true, write: false, denied: false };
    observation(executable, &[], Behaviour::File(file))
}

fn started() -> Run {
    Run {
        observer: None,
        command: Some(vec!["nginx".to_owned()]),
        ..Run::new("2026-01-02T15:04:00.5Z".parse().unwrap(), "h", "full")
    }
}

pub(super) fn baseline() -> Baseline {
    let mut baseline = Baseline::new(Image::here("x"));
    baseline.begin_run(run(), started(), "0011aabb");
    baseline
}
