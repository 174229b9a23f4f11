//! The shipped baselines are what they claim to be: valid, small, of services that can be recorded again, and judged by.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use support::{
    can_load, pods, recorded,
    services::{
        self, Service,
        deviation::{self, Deviation},
        life::Setting,
        record,
        rivals::{Deed, Rival, Trie},
        watch::{self, Watch},
    },
    shop::until,
};

/// Bytes of a baseline that is shipped.
const SIZE_MAX: u64 = 200_000;

fn path_of(service: &dyn Service) -> PathBuf {
    let name = format!("../baselines/{}.json", service.name());
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn service(name: &str) -> &'static dyn Service {
    let found = services::all().into_iter().find(|service| service.name() == name);
    found.expect("there is such a service")
}

#[test]
fn every_shipped_baseline_is_valid_small_and_of_a_service_that_can_be_recorded_again() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../baselines");
    let files = fs::read_dir(directory).expect("it is shipped").map(|file| file.unwrap().path());
    let is_baseline =
        |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let shipped: Vec<_> = files.filter(is_baseline).collect();
    assert_eq!(shipped.len(), services::all().len());
    for path in shipped {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let baseline = recorded::valid(&fs::read_to_string(&path).unwrap());
        let size = path.metadata().unwrap().len();
        assert!(size <= SIZE_MAX, "{name}: {size} bytes");
        let service = service(name);
        assert_eq!(baseline["image"]["container"], service.name());
        assert_eq!(baseline["image"]["name"], format!("registry.test/services/{name}"));
        let runs = baseline["runs"].as_object().unwrap();
        assert!((2..=record::RUNS).contains(&runs.len()), "{name}: {} runs", runs.len());
        assert!(runs.values().all(|run| run["lost"].is_null()), "{name}: {runs:#?}");
    }
}

#[test]
fn every_declared_deviation_can_be_read() {
    for service in services::all() {
        let declared = deviation::of(service).unwrap_or_else(|error| panic!("{error:#}"));
        for (name, deviation) in declared {
            assert!(!deviation.what.is_empty(), "{}/{name}", service.name());
        }
    }
    let both = r#"{"what": "x", "exec": ["a"], "misuse": "b",
        "reported": {"kind": "exec", "object": "a"}}"#;
    let neither = r#"{"what": "x", "reported": {"kind": "exec", "object": "a"}}"#;
    assert!(Deviation::parse(both).is_err() && Deviation::parse(neither).is_err());
}

fn taught(count: usize, directory: &str, image: &[String]) -> Trie {
    let mut trie = Trie::new(image.iter().cloned().collect());
    for number in 0..count {
        trie.learn(&read(&format!("{directory}/{number}/state")));
    }
    trie.finish();
    trie
}

fn read(object: &str) -> Deed {
    Deed { kind: "file.read", object: object.to_owned() }
}

#[test]
fn the_rival_trie_collapses_a_directory_beyond_its_threshold_and_one_component_only() {
    assert!(!taught(50, "/srv", &[]).knows(&read("/srv/other/state")));
    let trie = taught(51, "/srv", &[]);
    assert!(trie.knows(&read("/srv/other/state")));
    assert!(!trie.knows(&read("/srv/other")));
    assert!(!trie.knows(&read("/srv/other/else")));
    assert!(!trie.knows(&Deed { kind: "file.write", ..read("/srv/other/state") }));
    assert!(!taught(100, "/etc/app", &[]).knows(&read("/etc/app/other/state")));
    assert!(taught(101, "/etc/app", &[]).knows(&read("/etc/app/other/state")));
    let image: Vec<_> = (0..60).map(|number| format!("/srv/{number}")).collect();
    assert!(!taught(60, "/srv", &image).knows(&read("/srv/other/state")));
}

/// The whole way in small: one service by its shipped baseline, under its own seccomp profile as well, and then deviating.
#[test]
fn a_service_by_its_shipped_baseline_is_quiet_and_what_it_never_did_is_told() {
    if !pods::can_run() || !can_load() {
        return;
    }
    let redis = service("redis");
    let node = watch::laboratory(redis, &path_of(redis)).unwrap();
    let watch = Watch::start(redis, &node, Setting::default()).unwrap();
    // Of the image that was recorded nothing new comes; of a newer package a little may.
    let lived = watch.live(record::SEED);
    let confined = ["runc", "crun"].map(|runtime| {
        watch.live_confined(record::SEED + 1, runtime).unwrap_or_else(|error| panic!("{error:#}"))
    });

    let injected = Deviation::parse(
        r#"{"what": "A shell looks for passwords", "exec": ["/bin/sh", "-c", "cat /etc/passwd"],
        "reported": {"kind": "exec.injected", "object": "cat /etc/passwd"}}"#,
    );
    let misused = Deviation::parse(
        r#"{"what": "Redis writes a key into a home", "misuse": "CONFIG SET dir /tmp\nCONFIG SET dbfilename authorized_keys\nSAVE",
        "reported": {"kind": "file.link", "object": "/tmp/authorized_keys"}}"#,
    );
    for (seed, deviation) in (7..).zip([injected, misused]) {
        let deviation = deviation.unwrap();
        assert!(watch.deviate(seed, &deviation).1, "{}: not told", deviation.what);
    }

    let is_denial = watch.denials();
    until(Duration::from_secs(10), "events are written", || !watch.events().is_empty());
    let events = watch.finish();
    let of = |uid: &str| watch::of_pod(events.clone(), uid);
    // The promise to keep is one: on a slow machine it once stopped while its child still saved, and killed that.
    let false_drift = of(&lived.uid);
    assert!(false_drift.len() <= 1, "{false_drift:#?}");
    for confined in confined {
        let refused: Vec<_> = of(&confined.uid).into_iter().filter(&is_denial).collect();
        assert_eq!(refused, Vec::<serde_json::Value>::new());
    }
}
