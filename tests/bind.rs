//! Recorded in one environment, watched in another: with `--bind` what takes a recorded peer's place is quiet, and
//! everything else is not.

use std::{fs, net::Ipv4Addr, path::PathBuf, process::Output};

use serde_json::{Value, json};
use support::{
    Lab, actor, assert_drift, assert_quiet, can_load, driftline, names::NameServer, subnets,
};

/// Runs of each promise.
const ROUNDS: usize = 3;

/// A container's environment: its name server, the database by name, the cache by address.
#[derive(Clone, Copy)]
struct Place {
    resolver: &'static str,
    name: &'static str,
    database: Ipv4Addr,
    cache: Ipv4Addr,
}

const STAGING: Place = Place {
    resolver: "10.1.0.53:53",
    name: "db.staging.test",
    database: Ipv4Addr::new(10, 1, 0, 7),
    cache: Ipv4Addr::new(10, 1, 0, 8),
};

const PRODUCTION: Place = Place {
    resolver: "10.9.0.53:53",
    name: "db.prod.test",
    database: Ipv4Addr::new(192, 168, 44, 4),
    cache: Ipv4Addr::new(10, 9, 6, 6),
};

/// A cache in neither's subnet.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);

struct Moved {
    lab: Lab,
    command: [String; 2],
}

impl Moved {
    /// Recorded in staging.
    fn new() -> Self {
        let lab = Lab::new();
        let actor = fs::canonicalize(actor()).expect("the actor is there");
        let command =
            [actor, lab.path("plan")].map(|path| path.to_str().expect("UTF-8").to_owned());
        for place in [STAGING, PRODUCTION] {
            subnets::serve(&format!("{}:5432", place.database));
            subnets::serve(&format!("{}:6379", place.cache));
        }
        subnets::serve(&format!("{ELSEWHERE}:6379"));
        let moved = Self { lab, command };
        moved.lab.settle(|| moved.run(STAGING, None, true));
        moved
    }

    fn run(&self, place: Place, bind: Option<&PathBuf>, record: bool) -> Output {
        let Place { resolver, name, database, cache } = place;
        let _server = NameServer::at(resolver, database);
        let plan =
            format!("resolve {name} {resolver}\nconnect {database}:5432\nconnect {cache}:6379\n");
        self.lab.write("plan", &plan);
        let mut driftline =
            if record { self.lab.record(&self.command) } else { self.lab.watch(&self.command) };
        if let Some(bind) = bind {
            driftline.env("DRIFTLINE_BIND", bind);
        }
        driftline.output().expect("driftline runs")
    }

    fn watch(&self, place: Place, bind: &PathBuf) -> Output {
        self.run(place, Some(bind), false)
    }

    fn bind(&self, name: &str, more: &Value) -> PathBuf {
        let mut file = json!({"schema_version": "driftline.bind/v1"});
        file.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        self.lab.write(name, &file.to_string())
    }
}

fn inside(test: impl FnOnce() + Send) {
    if can_load() {
        subnets::inside(&["10.1.0.0/16", "10.9.0.0/16", "10.10.0.0/16", "192.168.0.0/16"], test);
    }
}

fn mapped() -> Value {
    json!({"map": [
        {"from": STAGING.name, "to": PRODUCTION.name},
        {"from": "10.1.0.0/16", "to": "10.9.0.0/16"},
    ]})
}

#[test]
fn other_names_and_subnets_are_quiet_where_they_are_mapped_and_drift_where_not() {
    inside(|| {
        let moved = Moved::new();
        let bind = moved.bind("bind.json", &mapped());
        for round in 1..=ROUNDS {
            assert_quiet(&moved.lab, &moved.watch(PRODUCTION, &bind), round);
        }
        let actor = &moved.command[0];

        let output = moved.run(PRODUCTION, None, false);
        assert_drift(&moved.lab, &output, "dns", PRODUCTION.name, actor);
        assert!(moved.lab.events().iter().all(|event| event.get("baseline.bind").is_none()));

        let outside = Place { cache: ELSEWHERE, ..PRODUCTION };
        for _ in 0..ROUNDS {
            let output = moved.watch(outside, &bind);
            assert_drift(&moved.lab, &output, "net.connect", "tcp 10.10.0.1:6379", actor);
            let events = moved.lab.events();
            assert_eq!(events.len(), 1, "{events:#?}");
            assert!(events[0]["baseline.bind"].as_str().expect("an id").starts_with("sha256:"));
            let nearest = events[0]["drift.nearest"].as_str().expect("text");
            for part in [
                "tcp db.prod.test:5432 (recorded as tcp db.staging.test:5432)",
                "tcp {net:10.9.0.0-10.9.255.255}:6379 (recorded as tcp 10.1.0.8:6379)",
            ] {
                assert!(nearest.contains(part), "{nearest}");
            }
        }

        // Production that talks to staging.
        let output = moved.watch(STAGING, &bind);
        assert_drift(&moved.lab, &output, "net.connect", "tcp 10.1.0.8:6379", actor);
        assert_drift(&moved.lab, &output, "net.connect", "tcp 10.1.0.7:5432", actor);
        assert_drift(&moved.lab, &output, "dns", STAGING.name, actor);
    });
}

#[test]
fn what_is_learned_anew_is_told_and_counts_once_somebody_has_accepted_it() {
    inside(|| {
        let moved = Moved::new();
        let bind = moved.bind("bind.json", &json!({"relearn": ["peers", "names"]}));
        let output = moved.watch(PRODUCTION, &bind);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        let events = moved.lab.events();
        let told = |entry: &str| {
            let event = events.iter().find(|event| event["drift.relearn"]["entry"] == entry);
            let event = event.unwrap_or_else(|| panic!("no {entry} in {events:#?}"));
            assert_eq!(event["drift.severity"], "info", "{event:#}");
            assert_eq!(event["drift.relearn"]["executable"], moved.command[0].as_str());
        };
        told("db.prod.test");
        told("tcp db.prod.test:5432");
        told("tcp 10.9.6.6:6379");
        told("udp 10.9.0.53:53");
        assert_eq!(events.len(), 4, "{events:#?}");

        // Watched again it is told again: nothing was learned unseen.
        moved.watch(PRODUCTION, &bind);
        assert_eq!(moved.lab.events().len(), 4);

        let accept = |ids: &[&str]| {
            let mut accept = std::process::Command::new(driftline());
            accept.args(["baseline", "accept", "--bind"]).arg(&bind).arg("--events");
            accept.arg(moved.lab.path("events.jsonl")).args(ids).output().expect("driftline runs")
        };
        let output = accept(&["no-such-event"]);
        assert_eq!(output.status.code(), Some(2));
        let output = accept(&[]);
        assert!(output.status.success(), "{output:?}");
        let accepted = moved.lab.path("accepted.json");
        fs::write(&accepted, &output.stdout).expect("the lab is writable");
        for round in 1..=ROUNDS {
            assert_quiet(&moved.lab, &moved.watch(PRODUCTION, &accepted), round);
        }
        let output = moved.watch(Place { cache: ELSEWHERE, ..PRODUCTION }, &accepted);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(
            moved.lab.events().len(),
            1,
            "told, and nothing else: {:#?}",
            moved.lab.events()
        );
    });
}

#[test]
fn a_bind_file_that_cannot_be_meant_ends_the_command_before_it_begins() {
    inside(|| {
        let moved = Moved::new();
        let marker = moved.lab.path("marker");
        let command = ["/usr/bin/touch", marker.to_str().expect("UTF-8")];
        for (text, expected) in [
            (None, "No such file"),
            (Some(json!({"map": [{"from": "10.1.2.3/16", "to": "x"}]})), "is no subnet"),
            (
                Some(json!({"map": [{"from": "a", "to": "b"}, {"from": "a", "to": "c"}]})),
                "both from \"a\"",
            ),
            (
                Some(json!({"map": [
                    {"from": "10.0.0.0/8", "to": "b"}, {"from": "10.1.0.0/16", "to": "c"}]})),
                "overlap",
            ),
            (Some(json!({"relearn": ["mounts"]})), "unknown variant `mounts`"),
            (Some(json!({"schema_version": "driftline.bind/v9"})), "is not \"driftline.bind/v1\""),
        ] {
            let bind = match text {
                Some(text) => moved.bind("bad.json", &text),
                None => moved.lab.path("none.json"),
            };
            let mut driftline = moved.lab.watch(&command);
            let output = driftline.env("DRIFTLINE_BIND", &bind).output().expect("driftline runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(121), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(said.contains("bind file") && said.contains(expected), "{said}");
            assert!(moved.lab.events().is_empty() && !marker.exists());
        }
    });
}
