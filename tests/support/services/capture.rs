//! What containers did, as the kernel told it: for judges other than the agent, and for judging again later.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use profiler_user::{
    behaviour::Observation,
    cgroup::{CgroupId, Hierarchy},
    container::path::identify,
    observe::{Clock, Observer, UNKNOWN},
    redact::Redactor,
    sensor::{self, EventBody, Options, Sensor},
};

/// How long the end of a container may take to be told.
const PATIENCE: Duration = Duration::from_secs(5);

type Containers = Arc<Mutex<HashMap<String, Captured>>>;

/// Captures every container of this machine from its beginning, beside the agent, until it is dropped.
pub struct Capture {
    containers: Containers,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

#[derive(Default)]
struct Captured {
    records: Vec<Bytes>,
    lost: u64,
    has_ended: bool,
}

impl Capture {
    /// Begins to capture; containers that run already are left out.
    pub fn start() -> anyhow::Result<Self> {
        let containers = Containers::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::spawn({
            let (containers, stop) = (Arc::clone(&containers), Arc::clone(&stop));
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(run(&containers, &stop, &ready))
            }
        });
        let mut capture = Self { containers, stop, thread: Some(thread) };
        if is_ready.recv().is_err() {
            let ended = capture.thread.take().context("it was started")?.join();
            ended.map_err(|_| anyhow::anyhow!("capturing panicked"))??;
        }
        Ok(capture)
    }

    /// The records of a container that has ended, by its id.
    ///
    /// # Errors
    /// Where records of it were lost: what is judged by the rest would be no comparison.
    pub fn take(&self, id: &str) -> anyhow::Result<Vec<Bytes>> {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
            if containers.get(id).is_some_and(|captured| captured.has_ended) {
                let captured = containers.remove(id).context("it was just there")?;
                anyhow::ensure!(captured.lost == 0, "{id}: {} records were lost", captured.lost);
                return Ok(captured.records);
            }
            drop(containers);
            anyhow::ensure!(Instant::now() < end, "{id}: its end was not captured");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("capturing failed: {error:#}");
        }
    }
}

async fn run(
    containers: &Containers,
    stop: &AtomicBool,
    ready: &mpsc::Sender<()>,
) -> anyhow::Result<()> {
    let hierarchy = Hierarchy::find()?;
    let options = Options { every_cgroup: true, buffer: 32 << 20, ..Options::default() };
    let mut sensor = Sensor::load(&hierarchy, options)?;
    let mut records = sensor.records()?;
    let redactor = redactor();
    // The ids of containers, by the kernel's number of their cgroup.
    let mut ids: HashMap<u64, String> = HashMap::new();
    ready.send(()).context("nobody waits for it")?;
    while !stop.load(Ordering::Relaxed) {
        let waited = tokio::time::timeout(Duration::from_millis(100), records.next()).await;
        let Ok(batch) = waited else { continue };
        for record in batch? {
            let event = sensor::decode(&record, &redactor)?;
            let owner = event.container;
            match &event.body {
                EventBody::CgroupMade { cgroup, path } if *cgroup == owner => {
                    match path.as_deref().and_then(identify) {
                        Some(identity) => drop(ids.insert(owner, identity.id.to_string())),
                        None => sensor.release(CgroupId(owner))?,
                    }
                }
                _ => {}
            }
            let Some(id) = ids.get(&owner) else { continue };
            let mut containers = containers.lock().unwrap_or_else(PoisonError::into_inner);
            let captured = containers.entry(id.clone()).or_default();
            if matches!(event.body, EventBody::CgroupRemoved) {
                captured.lost = sensor.state(CgroupId(owner))?.lost.iter().sum();
                captured.has_ended = true;
                sensor.release(CgroupId(owner))?;
            }
            captured.records.push(record);
        }
    }
    Ok(())
}

fn redactor() -> Redactor {
    Redactor::new([7; 32])
}

/// What the records of one container say, without what a runtime does on its way into it.
pub fn observations(records: &[Bytes]) -> anyhow::Result<Vec<Observation>> {
    let redactor = redactor();
    let mut observer = Observer::new(Clock::now()?);
    let mut observations = Vec::new();
    for record in records {
        observations.extend(observer.observe(sensor::decode(record, &redactor)?));
    }
    observations.retain(|observation| *observation.process.executable != *UNKNOWN);
    Ok(observations)
}

/// Writes the records of a container, each after its length in four bytes.
pub fn write(path: &Path, records: &[Bytes]) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    for record in records {
        bytes.extend(u32::try_from(record.len())?.to_le_bytes());
        bytes.extend(record);
    }
    let directory = path.parent().context("a file lies in a directory")?;
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(path, bytes))
        .with_context(|| format!("{} not written", path.display()))
}

/// Reads what [`write`] wrote.
pub fn read(path: &Path) -> anyhow::Result<Vec<Bytes>> {
    let mut rest = Bytes::from(fs::read(path).with_context(|| format!("{}", path.display()))?);
    let mut records = Vec::new();
    while let Some(length) = rest.first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length))?;
        anyhow::ensure!(rest.len() >= 4 + length, "{} ends within a record", path.display());
        records.push(rest.split_to(4 + length).slice(4..));
    }
    Ok(records)
}

/// Reads all captures of a directory, in the order of their names; none where there is no directory.
pub fn read_all(directory: &Path) -> anyhow::Result<Vec<Vec<Bytes>>> {
    let Ok(files) = fs::read_dir(directory) else { return Ok(Vec::new()) };
    let mut paths = files.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort_unstable();
    paths.iter().map(|path| read(path)).collect()
}
