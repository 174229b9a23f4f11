//! The thread that writes the behaviour log, so that a slow disk holds nobody up.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::segment::{DRIFT, NAME_END, listed};
use super::wire::{MAGIC, frame_head};

/// Frames on their way: a few seconds of them.
const IN_FLIGHT: usize = 8;

/// Where the log is, and how much of it is kept.
#[derive(Clone, Debug)]
pub struct Shelf {
    pub directory: PathBuf,
    /// Bytes, all segments together.
    pub size: u64,
    pub age: Duration,
}

impl Shelf {
    /// An eighth of what the history may take, beside it.
    pub fn of(store: &Path, size: u64, age: Duration) -> Self {
        Self { directory: store.join(super::DIRECTORY), size: size / 8, age }
    }

    fn segment_max(&self) -> u64 {
        (self.size / 8).clamp(64 << 10, 2 << 20)
    }
}

enum Order {
    Begin(u64),
    Frame(Frame),
}

struct Frame {
    bytes: Vec<u8>,
    has_drift: bool,
    entries: u64,
}

pub(super) struct Writer {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
    /// A segment that could not be written.
    broken: Arc<AtomicU64>,
    /// Entries that were handed over and could not be written.
    lost: Arc<AtomicU64>,
    segment_max: u64,
    /// One that did not fit into the channel.
    begin: Option<u64>,
}

impl Writer {
    pub(super) fn start(shelf: Shelf) -> Self {
        let (orders, received) = sync_channel(IN_FLIGHT);
        let (broken, lost) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let segment_max = shelf.segment_max();
        let desk = Desk {
            shelf,
            broken: Arc::clone(&broken),
            lost: Arc::clone(&lost),
            open: None,
            said: false,
        };
        let run = move || desk.run(&received);
        let thread = std::thread::Builder::new().name("flight".to_owned()).spawn(run);
        if let Err(error) = &thread {
            eprintln!("driftline: cannot start the thread of the flight recorder: {error}");
        }
        Self { orders: Some(orders), thread: thread.ok(), broken, lost, segment_max, begin: None }
    }

    pub(super) fn segment_max(&self) -> u64 {
        self.segment_max
    }

    pub(super) fn is_broken(&self, segment: u64) -> bool {
        self.broken.load(Ordering::Relaxed) == segment
    }

    /// Entries that were handed over and could not be written; counted from now on anew.
    pub(super) fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    pub(super) fn begin(&mut self, segment: u64) {
        self.begin = Some(segment);
    }

    /// False where there is no room: `bytes` stay as they are then.
    pub(super) fn append(&mut self, bytes: &mut Vec<u8>, has_drift: bool, entries: u64) -> bool {
        let Some(orders) = &self.orders else { return false };
        if let Some(segment) = self.begin {
            if orders.try_send(Order::Begin(segment)).is_err() {
                return false;
            }
            self.begin = None;
        }
        let frame = Frame { bytes: std::mem::take(bytes), has_drift, entries };
        match orders.try_send(Order::Frame(frame)) {
            Ok(()) => true,
            Err(TrySendError::Full(order) | TrySendError::Disconnected(order)) => {
                if let Order::Frame(back) = order {
                    *bytes = back.bytes;
                }
                false
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _it_said_why = thread.join();
        }
    }
}

/// What the thread has before it.
struct Desk {
    shelf: Shelf,
    broken: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    open: Option<Open>,
    /// That it fails.
    said: bool,
}

struct Open {
    segment: u64,
    file: File,
    path: PathBuf,
    has_drift: bool,
}

impl Desk {
    fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Begin(segment) => {
                    self.open = None;
                    let opened = self.begin(segment).map(|open| self.open = Some(open));
                    self.settle(segment, opened);
                }
                Order::Frame(Frame { bytes, has_drift, entries }) => {
                    // Of a segment that is broken the rest is left out: a new one follows.
                    let Some(mut open) = self.open.take() else {
                        self.lost.fetch_add(entries, Ordering::Relaxed);
                        continue;
                    };
                    let segment = open.segment;
                    let written = open.append(&bytes, has_drift);
                    if written.is_ok() {
                        self.open = Some(open);
                    } else {
                        self.lost.fetch_add(entries, Ordering::Relaxed);
                    }
                    self.settle(segment, written);
                }
            }
        }
    }

    fn settle(&mut self, segment: u64, result: io::Result<()>) {
        match result {
            Ok(()) if self.said => {
                self.said = false;
                eprintln!("driftline: the flight recorder writes again");
            }
            Ok(()) => {}
            Err(error) => {
                self.broken.store(segment, Ordering::Relaxed);
                if !std::mem::replace(&mut self.said, true) {
                    eprintln!(
                        "driftline: the flight recorder cannot write to {}: {error}; what happens until it can is not recorded",
                        self.shelf.directory.display()
                    );
                }
            }
        }
    }

    fn begin(&self, segment: u64) -> io::Result<Open> {
        let directory = &self.shelf.directory;
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        self.make_room(SystemTime::now())?;
        let newest = listed(directory)?.last().map_or(0, |one| one.number);
        let path = directory.join(format!("{:012}{NAME_END}", newest + 1));
        let mut file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(MAGIC)?;
        Ok(Open { segment, file, path, has_drift: false })
    }

    /// What is too old goes, and of what is too much first that in which nothing drifted.
    fn make_room(&self, now: SystemTime) -> io::Result<()> {
        let mut all = listed(&self.shelf.directory)?;
        let is_old = |modified: SystemTime| {
            now.duration_since(modified).is_ok_and(|age| age > self.shelf.age)
        };
        for one in all.extract_if(.., |one| is_old(one.modified)) {
            fs::remove_file(&one.path)?;
        }
        let budget = self.shelf.size.saturating_sub(self.shelf.segment_max());
        let mut sum: u64 = all.iter().map(|one| one.size).sum();
        all.sort_by_key(|one| (one.has_drift, one.number));
        for one in all {
            if sum <= budget {
                break;
            }
            fs::remove_file(&one.path)?;
            sum -= one.size;
        }
        Ok(())
    }
}

impl Open {
    fn append(&mut self, frame: &[u8], has_drift: bool) -> io::Result<()> {
        let mut whole = frame_head(frame).to_vec();
        whole.extend_from_slice(frame);
        self.file.write_all(&whole)?;
        if has_drift && !self.has_drift {
            let name = self.path.to_string_lossy();
            let marked = PathBuf::from(name.replace(NAME_END, DRIFT));
            fs::rename(&self.path, &marked)?;
            (self.path, self.has_drift) = (marked, true);
        }
        Ok(())
    }
}
