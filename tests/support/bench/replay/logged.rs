//! How much of a behaviour log `driftline replay` judges in a second of a processor.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};
use nix::sys::resource::{UsageWho, getrusage};
use profiler_user::baseline::{self, Baseline, Image};
use profiler_user::behaviour::{Behaviour, File, Observation};
use profiler_user::container::{ContainerId, Identity, ImageIdentity, Source};
use profiler_user::flight::{Done, Log, Place, Shelf};
use profiler_user::store::Store;

/// Containers of one image that do the same.
const CONTAINERS: usize = 100;

const IMAGE: &str = "sha256:00000000000000000000000000000000000000000000000000000000000000aa";

pub(super) struct Judged {
    /// Entries in a second of a processor: the whole process, from its start to its end.
    pub(super) rate: f64,
    pub(super) entries: u64,
    answer: Vec<u8>,
}

/// What services do, over and over, in many containers; one of them does also what its baseline does not hold.
pub(super) async fn repeated(
    directory: &Path,
    known: &[Observation],
    seen: &[Observation],
    entries: usize,
) -> anyhow::Result<()> {
    let passes = entries.div_ceil(known.len() * CONTAINERS).max(1);
    write(directory, passes, |number| if number == 0 { seen } else { known }.iter().cloned()).await
}

/// All of them do.
pub(super) async fn drifted(
    directory: &Path,
    seen: &[Observation],
    entries: usize,
) -> anyhow::Result<()> {
    let passes = entries.div_ceil(seen.len() * CONTAINERS).max(1);
    write(directory, passes, |_| seen.iter().cloned()).await
}

/// As many different files: no behaviour comes twice.
pub(super) async fn distinct(
    directory: &Path,
    seen: &[Observation],
    entries: usize,
) -> anyhow::Result<()> {
    let by = seen.first().context("nothing was seen")?.clone();
    let each = entries / CONTAINERS;
    write(directory, 1, |container| {
        let by = by.clone();
        (0..each).map(move |number| {
            let path = format!("/srv/{container}/{number}/part.data");
            let file = File { path, read: true, write: false, denied: false };
            Observation { behaviour: Behaviour::File(file), ..by.clone() }
        })
    })
    .await
}

async fn write<I: Iterator<Item = Observation>>(
    directory: &Path,
    passes: usize,
    of: impl Fn(usize) -> I,
) -> anyhow::Result<()> {
    Store::open(directory).await?.close().await;
    let shelf = Shelf::of(directory, 64 << 30, std::time::Duration::from_hours(24 * 365));
    let mut log = Log::new(shelf, super::redactor().key_id());
    let mut time: Timestamp = "2026-11-01T00:00:00Z".parse()?;
    for _ in 0..passes {
        for number in 0..CONTAINERS {
            let identity = identity(number)?;
            let mut place = Place::default();
            for (number, seen) in of(number).enumerate() {
                time += SignedDuration::from_micros(20);
                let done = Done::Did(&seen.behaviour);
                log.note(&mut place, &identity, time, &seen.process, done);
                if number % 1000 == 0 {
                    hand_over(&mut log, time);
                }
            }
            hand_over(&mut log, time);
        }
    }
    log.close();
    Ok(())
}

/// As an agent does that has time: nothing is left out here.
fn hand_over(log: &mut Log, time: Timestamp) {
    log.hand_over(time);
    std::thread::sleep(std::time::Duration::from_millis(1));
}

fn identity(number: usize) -> anyhow::Result<Identity> {
    let id = ContainerId::parse(&format!("{number:064x}")).context("an id has 64 digits")?;
    let image = ImageIdentity {
        id: Some(IMAGE.to_owned()),
        name: "registry.example/services".to_owned(),
        ..ImageIdentity::default()
    };
    let identity = Identity::of_path(id, Some("containerd".to_owned()), None);
    Ok(Identity { source: Source::Runtime, image: Some(image), ..identity })
}

/// Keeps the baseline as that of their image.
pub(super) fn save(directory: &Path, baseline: &Baseline) -> anyhow::Result<()> {
    let image = Image { id: Some(IMAGE.to_owned()), ..Image::here("registry.example/services") };
    baseline::save(directory, &Baseline { image, ..baseline.clone() })?;
    Ok(())
}

/// Asks `driftline`, which is beside this program.
pub(super) fn replay(store: &Path, baselines: &Path) -> anyhow::Result<Judged> {
    let driftline = std::env::current_exe()?.with_file_name("driftline");
    let before = used()?;
    let mut command = Command::new(driftline);
    command.args(["replay", "--json", "--store"]).arg(store).arg("--baselines").arg(baselines);
    let said = command.stdin(Stdio::null()).output()?;
    let used = used()? - before;
    let why = String::from_utf8_lossy(&said.stderr);
    ensure!(said.status.success(), "{}: {why}", said.status);
    let answer: serde_json::Value = serde_json::from_slice(&said.stdout)?;
    let entries = answer["judged"].as_u64().context("it says how much it judged")?;
    ensure!(answer["left_out"] == 0, "the log was written faster than the disk takes it: {answer}");
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let rate = entries as f64 / used;
    Ok(Judged { rate, entries, answer: said.stdout })
}

/// The rates of so many rounds, each of which has to give the same bytes.
pub(super) fn rounds(store: &Path, baselines: &Path, rounds: usize) -> anyhow::Result<Vec<Judged>> {
    let mut all: Vec<Judged> = Vec::new();
    for _ in 0..rounds {
        let judged = replay(store, baselines)?;
        if let Some(first) = all.first() {
            ensure!(first.answer == judged.answer, "the same input gave two answers");
        }
        all.push(judged);
    }
    Ok(all)
}

/// Seconds of a processor that ended children have had.
fn used() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| {
        std::time::Duration::from_secs(time.tv_sec().unsigned_abs()).as_secs_f64()
            + std::time::Duration::from_micros(time.tv_usec().unsigned_abs()).as_secs_f64()
    };
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}
