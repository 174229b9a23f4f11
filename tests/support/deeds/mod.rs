//! Very many deviations at random moments, each of them with the one event that must tell of it.
//!
//! The actor's routine does one of each kind, so that of a deed its object alone is new: what comes with it (a library that is
//! read, a call that is made) is known, and any event besides is a false one.

mod calls;
mod place;
mod words;

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use serde_json::Value;

use self::{
    calls::CALLS,
    words::{Random, word},
};
use crate::is_blind;
pub use place::Place;

/// One deviation.
struct Deed {
    /// For the actor.
    step: String,
    told: Told,
}

/// What an event says, in the words of a test: kind, object, and the program that did it.
pub type Told = (String, String, String);

/// How many of a hundred are of which kind, besides calls and what lies in `/etc`.
const SHARES: &[(&str, usize)] = &[
    ("run", 12),
    ("args", 8),
    ("read", 15),
    ("write", 15),
    ("delete", 10),
    ("mode", 8),
    ("link", 5),
    ("symlink", 4),
    ("rename", 4),
    ("map", 6),
    ("connect", 6),
    ("listen", 5),
    ("unix", 2),
];

/// What the actor does while the work goes on.
#[derive(Debug)]
pub struct Plan {
    pub text: String,
    pub expected: BTreeSet<Told>,
    /// How many of each kind of drift, for a person.
    pub sorts: String,
    /// Kinds that are left out, as this machine's probes say that they do not see them.
    pub blind: Vec<&'static str>,
}

/// The routine, then `count` deviations in a random order with random pauses, spread over about this time. `known` are the
/// calls that the baseline holds.
pub fn plan(place: &mut Place, count: usize, over: Duration, known: &BTreeSet<String>) -> Plan {
    let seed = std::time::UNIX_EPOCH.elapsed().map_or(1, |now| now.as_secs());
    let mut random = Random::new(seed);
    let mut deeds: Vec<_> = of_calls(known).take(count / 10).collect();
    deeds.extend(Place::secrets(count / 10).into_iter().map(|file| Deed {
        step: format!("read {file}"),
        told: ("file.read".to_owned(), file, Place::actor()),
    }));
    let (blind, shown): (Vec<_>, Vec<_>) =
        SHARES.iter().copied().partition(|(kind, _)| is_blind(sees(kind)));
    let kinds = shown.into_iter().flat_map(|(kind, share)| std::iter::repeat_n(kind, share));
    let mut kinds: Vec<_> = kinds.collect();
    random.shuffle(&mut kinds);
    let left = count - deeds.len();
    deeds.extend(kinds.iter().cycle().take(left).enumerate().map(|(n, kind)| deed(place, kind, n)));
    random.shuffle(&mut deeds);

    let pause = u64::try_from(over.as_millis()).expect("hours") * 2 / count as u64;
    let mut text = place.routine();
    for Deed { step, .. } in &deeds {
        let _infallible = writeln!(text, "{step}\nsleep-ms {}", random.below(pause + 1));
    }
    let expected: BTreeSet<_> = deeds.into_iter().map(|deed| deed.told).collect();
    assert_eq!(expected.len(), count, "no two are the same");
    let sorts = sorts(&expected);
    let blind = blind.into_iter().map(|(kind, _)| kind).collect();
    Plan { text, expected, sorts, blind }
}

fn of_calls(known: &BTreeSet<String>) -> impl Iterator<Item = Deed> {
    let actor = Place::actor();
    CALLS.iter().filter(|(name, _)| !known.contains(*name)).map(move |(name, number)| Deed {
        step: format!("call {number}"),
        told: ("syscall".to_owned(), (*name).to_owned(), actor.clone()),
    })
}

/// The `number`th deviation, of this kind; its objects lie ready.
fn deed(place: &mut Place, kind: &str, number: usize) -> Deed {
    let name = word(number);
    let actor = Place::actor();
    let (step, kind, object, process) = match kind {
        "run" => {
            let path = place.program(&name);
            (format!("run {path}"), "exec", path.clone(), path)
        }
        "args" => {
            let program = place.known_program();
            let words = format!("{program} {name}");
            (format!("run {words}"), "exec.args", words, program)
        }
        "read" => {
            let path = place.file("read", &name);
            (format!("read {path}"), "file.read", path, actor)
        }
        "write" => {
            let path = place.no_file("write", &name);
            (format!("write {path}"), "file.write", path, actor)
        }
        "delete" => {
            let path = place.file("delete", &name);
            (format!("delete {path}"), "file.delete", path, actor)
        }
        "mode" => {
            let step = format!("mode 4755 {}", place.file("mode", &name));
            (step.clone(), "file.meta", step, actor)
        }
        "link" => two_names(&format!("link {}", place.file("link", &name)), place, &name),
        "symlink" => two_names("symlink /etc/shadow", place, &name),
        "rename" => two_names(&format!("rename {}", place.file("rename", &name)), place, &name),
        "map" => {
            let path = place.known_file().expect("as many as may be mapped");
            (format!("map {path}"), "file.map_exec", path, actor)
        }
        "connect" => {
            let peer = place.listener();
            (format!("connect {peer}"), "net.connect", format!("tcp {peer}"), actor)
        }
        "listen" => {
            let own = place.free_port();
            (format!("open-port {own}"), "net.listen", format!("tcp {own}"), actor)
        }
        "unix" => {
            let path = place.unix_listener(&name);
            (format!("unix {path}"), "net.unix", path, actor)
        }
        _ => unreachable!("a kind of SHARES"),
    };
    Deed { step, told: (kind.to_owned(), object, process) }
}

fn two_names(step: &str, place: &Place, name: &str) -> (String, &'static str, String, String) {
    let step = format!("{step} {}", place.no_file("new-name", name));
    (step.clone(), "file.link", step, Place::actor())
}

/// The behaviour, as `driftline check` calls it, that shows a kind of deviation.
fn sees(kind: &str) -> &'static str {
    match kind {
        "delete" | "mode" | "link" | "symlink" | "rename" => "change",
        "map" => "map",
        _ => "exec",
    }
}

/// What an event tells.
pub fn told(event: &Value) -> Told {
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    (text("drift.kind"), text("drift.object"), text("process.executable.path"))
}

/// Whether the one who deviates used a capability.
pub fn uses_capability((kind, _, process): &Told) -> bool {
    kind == "capability" && *process == Place::actor()
}

fn sorts(expected: &BTreeSet<Told>) -> String {
    let mut counts = std::collections::BTreeMap::<_, usize>::new();
    for (kind, ..) in expected {
        *counts.entry(kind.as_str()).or_default() += 1;
    }
    counts.iter().map(|(kind, n)| format!("{kind} {n}")).collect::<Vec<_>>().join(", ")
}
