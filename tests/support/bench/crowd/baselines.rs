//! A baseline for each image, as large as that of a service with its helpers: no text is shared between images.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use profiler_user::baseline::{
    self, Baseline, Executable, Image, Phases, Run, RunId, Seen, Sighting,
};
use profiler_user::observe;

const EXECUTABLES: usize = 10;
const FILES: usize = 60;
const LIBRARIES: usize = 20;
/// The calls of any service, by their numbers on x86-64, from here on one by one.
const CALLS: u64 = 120;
const NEWER_CALLS: &[u64] =
    &[157, 158, 186, 202, 204, 217, 218, 228, 231, 257, 262, 269, 272, 273, 302, 318, 334, 439];

pub(super) fn write(directory: &Path, images: usize) -> anyhow::Result<()> {
    for image in 0..images {
        baseline::save(directory, &of_image(image))?;
    }
    Ok(())
}

fn of_image(image: usize) -> Baseline {
    let now = Timestamp::now();
    let run = RunId::new("01K0000000000000000000000A");
    let seen = Seen {
        first: now,
        last: now,
        phase: Phases::START,
        runs: BTreeMap::from([(run.clone(), Sighting::ONCE)]),
        ..Seen::default()
    };
    let all = |count: usize, name: &dyn Fn(usize) -> String| -> BTreeMap<String, Seen> {
        (0..count).map(|number| (name(number), seen.clone())).collect()
    };
    let executable = |number: usize| Executable {
        parents: all(2, &|parent| format!("/opt/app-{image}/bin/program-{parent}")),
        args: all(3, &|kind| format!("program-{number} --config /etc/app-{image}/{kind}.conf")),
        read: all(FILES, &|file| format!("/opt/app-{image}/lib/part-{number}/module-{file}.data")),
        write: all(5, &|file| format!("/var/lib/app-{image}/{number}/journal-{file}.{{num}}")),
        map_exec: all(LIBRARIES, &|file| format!("/opt/app-{image}/lib/lib{number}-{file}.so.1")),
        connect: all(2, &|port| format!("tcp 10.0.{image}.7:{}", 5000 + port)),
        ..Executable::default()
    };
    let mut baseline = Baseline::new(Image {
        id: Some(super::digest(image)),
        container: Some("app".to_owned()),
        references: [format!("{}:1", super::repository(image))].into(),
        ..Image::here(super::repository(image))
    });
    let about = Run { ended: Some(now), ..Run::new(now, "bench", "full") };
    baseline.runs.insert(run, about);
    let calls = (0..CALLS).chain(NEWER_CALLS.iter().copied());
    let name = |number| observe::syscall(number, false, false).name;
    baseline.syscalls = calls.map(|call| (name(call), seen.clone())).collect();
    let path = |number: usize| format!("/opt/app-{image}/bin/program-{number}");
    baseline.executables =
        (0..EXECUTABLES).map(|number| (path(number), executable(number))).collect();
    baseline
}
