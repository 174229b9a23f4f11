//! Doing a step, and waiting for the line that tells of it.

use std::{
    fs::File,
    io::Read as _,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;

use super::Step;

/// How long it may take from the system call to the line in the events file.
pub const PROMISE: Duration = Duration::from_secs(1);

/// The same in a machine that is emulated beside other tests: it has as much of a processor as they leave it, and a program of
/// its own that does nothing may take seconds there. What is measured there is told, and the half of all must keep the promise.
const EMULATED: Duration = Duration::from_secs(20);

fn limit() -> Duration {
    if std::env::var_os("DRIFTLINE_IN_VM").is_some() { EMULATED } else { PROMISE }
}

/// How far the kernel's clock, by which events are timed, may be from the one that is read here.
const CLOCKS: Duration = Duration::from_millis(5);

/// Reads an events file as it grows, and notes when each line was there.
pub struct Tail {
    lines: Arc<Mutex<Vec<Line>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// An event, and when its line was there.
#[derive(Clone, Debug)]
pub struct Line {
    pub seen: Timestamp,
    pub event: Value,
}

impl Tail {
    /// The file must be there.
    pub fn new(path: &Path) -> Self {
        let mut file =
            File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let lines = Arc::new(Mutex::new(Vec::<Line>::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (kept, stopped) = (Arc::clone(&lines), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut text = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let length = text.len();
                file.read_to_end(&mut text).expect("the file can be read");
                let seen = Timestamp::now();
                if text.len() == length {
                    thread::sleep(Duration::from_millis(1));
                    continue;
                }
                let mut kept = kept.lock().expect("nobody panics");
                while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = text.drain(..=end).collect();
                    let event = serde_json::from_slice(&line).expect("every line is JSON");
                    kept.push(Line { seen, event });
                }
            }
        });
        Self { lines, stop, thread: Some(thread) }
    }

    /// The lines of a container that tell of what was done since then. Those of no container are of the command alone.
    pub fn of(&self, container: Option<&str>, since: Timestamp) -> Vec<Line> {
        let lines = self.lines.lock().expect("nobody panics");
        // Whoever asks is interested in what came last.
        let recent = lines.iter().rev().take_while(|line| line.seen >= since);
        let is_its =
            |line: &&Line| line.event["container.id"].as_str() == container || container.is_none();
        let mut recent: Vec<_> = recent.filter(is_its).cloned().collect();
        recent.reverse();
        recent.retain(|line| time(&line.event) >= since);
        recent
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _panicked = self.thread.take().map(JoinHandle::join);
    }
}

/// When it was done, by the kernel.
fn time(event: &Value) -> Timestamp {
    let time = event["time"].as_str().and_then(|time| time.parse().ok());
    time.unwrap_or_else(|| panic!("an event without a time: {event}"))
}

/// How a step ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Told, so long after it was done.
    Told(Duration),
    /// Not told, as this machine's probes cannot see it.
    Unseen,
    /// A broken promise.
    Failed(String),
}

/// Does a step and waits for its event. `seen`: whether this machine's probes can see it.
pub fn done(
    step: &Step,
    profile: bool,
    seen: bool,
    tail: &Tail,
    container: Option<&str>,
    act: impl FnOnce() -> String,
) -> Outcome {
    let began = before(Timestamp::now());
    let said = act();
    let ended = Timestamp::now();
    // A step that cannot be seen is given as long as the promise is.
    let limit = ended + if seen { limit() } else { PROMISE };
    loop {
        let now = Timestamp::now();
        let lines = tail.of(container, began);
        let told = lines.iter().find(|line| step.is_told_by(&line.event, profile));
        match told {
            Some(line) if !seen => {
                return Outcome::Failed(format!(
                    "told, although it cannot be seen: {}",
                    line.event
                ));
            }
            Some(line) => return in_time(line, ended),
            None if now > limit && seen => {
                let brief = lines.iter().map(|line| brief(&line.event));
                let brief: Vec<_> = brief.collect();
                return Outcome::Failed(format!(
                    "not told, but\n    {}\n  it said: {said}",
                    brief.join("\n    ")
                ));
            }
            None if now > limit => return Outcome::Unseen,
            None => thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// The promises that were broken, each with the name of its step.
pub fn failed<'a>(all: impl Iterator<Item = (String, &'a Outcome)>) -> Vec<String> {
    let failed = all.filter_map(|(name, outcome)| match outcome {
        Outcome::Failed(why) => Some(format!("{name}: {why}")),
        Outcome::Told(_) | Outcome::Unseen => None,
    });
    failed.collect()
}

fn before(time: Timestamp) -> Timestamp {
    time.checked_sub(CLOCKS).expect("after 1970")
}

fn in_time(line: &Line, ended: Timestamp) -> Outcome {
    let done = time(&line.event);
    if before(done) > ended {
        return Outcome::Failed(format!("done at {done}, after its end at {ended}"));
    }
    let took = Duration::try_from(line.seen.duration_since(done)).unwrap_or_default();
    if took > limit() {
        return Outcome::Failed(format!("told after {took:?}"));
    }
    Outcome::Told(took)
}

/// An event in one line, for whoever looks for the right one.
pub fn brief(event: &Value) -> String {
    format!(
        "{} {} by {} {} {}",
        event["drift.kind"],
        event["drift.object"],
        event["process.executable.path"],
        event["threat.technique.id"],
        event["drift.novelty"]
    )
}
