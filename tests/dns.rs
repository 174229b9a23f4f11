//! Names that a container resolves: known ones are quiet, a new one gives an event, and a peer goes by its name.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
};

use support::{
    Lab, actor, assert_quiet, can_load,
    deviation::{Deviation, is_reported, is_reported_last},
    names::NameServer,
    repeat,
};

const HERE: Ipv4Addr = Ipv4Addr::new(127, 53, 53, 200);

#[test]
fn resolving_a_new_name_is_reported() {
    if !can_load() {
        return;
    }
    let server = NameServer::new(1, HERE);
    let routine = format!("resolve app.example.com {}\n", server.address);
    let step = format!("resolve pool.example.net {}", server.address);
    let mut deviation = Deviation::new(&step, "dns", "pool.example.net");
    deviation.routine = &routine;
    is_reported(&deviation, || {}, || {});
}

#[test]
fn resolving_known_names_is_quiet() {
    if !can_load() {
        return;
    }
    let server = NameServer::new(2, HERE);
    let lab = Lab::new();
    let plan = lab.write(
        "plan",
        &format!(
            "resolve app.example.com {0}\nresolve-unconnected db.example.com {0}\n",
            server.address
        ),
    );
    let actor = actor();
    let command = [actor.to_str().expect("UTF-8"), plan.to_str().expect("UTF-8")];
    lab.settle(|| lab.record(&command).output().expect("driftline runs"));
    let file = fs::read_to_string(lab.baselines().join("lab.json")).expect("a baseline");
    for name in ["app.example.com", "db.example.com"] {
        assert!(file.contains(name), "{name} was not recorded: {file}");
    }
    for round in 1..=repeat() {
        let output = lab.watch(&command).output().expect("driftline runs");
        assert_quiet(&lab, &output, round);
    }
}

#[test]
fn a_peer_goes_by_the_name_that_was_resolved_for_it() {
    if !can_load() {
        return;
    }
    let server = NameServer::new(3, HERE);
    let listener = TcpListener::bind((HERE, 0)).expect("loopback");
    let peer = listener.local_addr().expect("an address");
    let step = format!("resolve pool.example.net {}\nconnect {peer}", server.address);
    let deviation = Deviation::new(&step, "net.connect", &peer.to_string());
    is_reported_last(&deviation, |events| {
        let connect = events.iter().find(|event| {
            event["drift.kind"] == "net.connect" && event["destination.port"] == peer.port()
        });
        let connect = connect.expect("just seen");
        assert_eq!(connect["destination.domain"], "pool.example.net");
        let sentence = connect["drift.sentence"].as_str().expect("text");
        assert!(sentence.contains(&format!("{peer} (pool.example.net)")), "{sentence}");
    });
}
