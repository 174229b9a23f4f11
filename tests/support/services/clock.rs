//! Other clocks for containers, by a library that their programs load; the machine's own is never touched.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jiff::{ToSpan as _, Unit, Zoned};

use super::random::Random;
use crate::pods::{ContainerSpec, Node};

/// Where the library is in the container. `ld.so.preload` names it.
const LIBRARY: &str = "/usr/lib/clock.so";

/// What it is made of.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/support/services/clock/clock.c");

/// Where it looks for how far the clock is off, once a second.
const OFFSET: &str = "/etc/clock-offset";

const DAY: i64 = 86_400;

/// What a container's clock shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hands {
    /// The time, but by the library.
    Right,
    /// Another time, which jumps while a service works.
    Turned,
}

/// A container's clock.
#[derive(Clone, Debug)]
pub struct Clock {
    /// On the node, seen from outside.
    directory: PathBuf,
    inside: String,
    random: Random,
    hands: Hands,
}

impl Clock {
    /// `inside`: a directory of the node, to be made.
    pub fn new(node: &Node, inside: String, hands: Hands, seed: u64) -> Self {
        let directory = node.outside(&inside);
        fs::create_dir_all(&directory).expect("the node's directory is writable");
        compile(&directory.join("clock.so"));
        fs::write(directory.join("ld.so.preload"), format!("{LIBRARY}\n"))
            .and_then(|()| fs::write(directory.join("clock-offset"), line(0)))
            .expect("the directory is writable");
        for name in ["clock.so", "ld.so.preload", "clock-offset"] {
            // Whoever the service runs as must read it.
            fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o755))
                .expect("as root");
        }
        let mut clock = Self { directory, inside, random: Random::new(seed), hands };
        clock.turn();
        clock
    }

    /// Lets everything in a container go by it.
    pub fn set_in(&self, container: ContainerSpec) -> ContainerSpec {
        let file = |name: &str| format!("{}/{name}", self.inside);
        container
            .mount(&file("clock.so"), LIBRARY, true)
            .mount(&file("ld.so.preload"), "/etc/ld.so.preload", true)
            .mount(&file("clock-offset"), OFFSET, true)
    }

    /// Makes it show another time, if it is one that does.
    pub fn turn(&mut self) {
        if self.hands == Hands::Turned {
            let offset = another(&mut self.random);
            self.show(offset);
        }
    }

    /// The same some seconds from now, while the service works.
    pub fn turn_soon(&mut self) -> JoinHandle<()> {
        let wait = Duration::from_millis(self.random.between(500, 4_000) as u64);
        let mut clock = Self { random: self.random.fork(), ..self.clone() };
        thread::spawn(move || {
            thread::sleep(wait);
            clock.turn();
        })
    }

    /// Makes it so many seconds fast.
    pub fn show(&self, offset: i64) {
        let file = File::options().write(true).open(self.directory.join("clock-offset"));
        // In place and at once: the file is mounted, and is read meanwhile.
        file.and_then(|file| file.write_all_at(line(offset).as_bytes(), 0))
            .expect("the file was written before");
    }
}

fn compile(library: &Path) {
    let options = ["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"];
    let compiled = Command::new("cc").args(options).arg(library).arg(SOURCE).status();
    assert!(compiled.is_ok_and(|it| it.success()), "{SOURCE} cannot be compiled");
}

/// As the library reads it, always as long.
fn line(offset: i64) -> String {
    format!("{offset:+012}\n")
}

/// Seconds by which a clock is off: hours, a season, years, or so that the day or the year ends in a moment.
fn another(random: &mut Random) -> i64 {
    let mut somewhere = |least: i64, most: i64| {
        let span = usize::try_from(most - least).expect("from the less to the more");
        least + i64::try_from(random.below(span)).expect("as far as it came from")
    };
    match somewhere(0, 6) {
        0 => somewhere(60, 5 * 3600),
        1 => -somewhere(60, 5 * 3600),
        2 => somewhere(DAY, 100 * DAY),
        3 => -somewhere(DAY, 1000 * DAY),
        4 => somewhere(100 * DAY, 3000 * DAY),
        _ => {
            let now = Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
            let end = match somewhere(0, 2) {
                0 => now.tomorrow().and_then(|day| day.start_of_day()),
                _ => now.last_of_year().and_then(|day| day.tomorrow()?.start_of_day()),
            };
            let left = end.and_then(|end| now.until((Unit::Second, &(end - 3.seconds()))));
            left.expect("a year from now is a time").get_seconds()
        }
    }
}

/// Whether a container in which such a clock is set goes by it: seconds that `date` is off there.
pub fn offset(said: &str) -> i64 {
    let there: i64 = said.trim().parse().expect("`date +%s` prints a number");
    let here = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    there - i64::try_from(here).expect("not that late")
}
