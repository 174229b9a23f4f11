//! What reads files that somebody else wrote, and all that is done with them afterwards, as one function for each sort of
//! file: for the fuzzer (`tests/fuzz`), and for the test that replays its corpus. No part of the product.
//!
//! Each refuses with a reason or holds what is promised of any input; a broken promise is a panic.

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::LazyLock;

use jiff::Timestamp;

use crate::attest::statement::PAYLOAD_TYPE;
use crate::attest::{self, Envelope, SigningKey};
use crate::baseline::{self, Baseline, Judge, Run, RunId};
use crate::behaviour::{
    Accept, Behaviour, Connect, Exec, Listen, Named, Observation, Process, Protocol,
};
use crate::bind::Bind;
use crate::command::baseline::pages;
use crate::generalise::split_args;

/// Why it was refused.
pub type Answer = Result<(), String>;

/// What is fed with a file.
pub type Target = fn(&[u8]) -> Answer;

/// Entries of one baseline that are judged by it: more take longer and find nothing else.
const JUDGED: usize = 64;

/// The key of DSSE's published test vector.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCDXPsQ3/WNG42GcXr/f\n\
/w9pFoBJVa0yrJrEkrDt4fb/tw==\n\
-----END PRIVATE KEY-----\n";

/// The id of a key that secrets are hashed with.
const REDACTION_KEY: &str = "0011aabb";

/// What says whose place is taken by whom.
const BIND: &str = r#"{"schema_version":"driftline.bind/v1",
    "map":[{"from":"db.staging.svc","to":"db.prod.svc"},{"from":"10.1.0.0/16","to":"fd00:9::/112"}],
    "relearn":["clients","names"],
    "accept":[{"executable":"/usr/bin/app","list":"peers","entry":"tcp cache.prod.svc:6379"}]}"#;

static SIGNER: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::parse(KEY).expect("the published key"));

/// What the corpus' envelopes and statements are about, and its bind files are applied to.
static HELD: LazyLock<Baseline> = LazyLock::new(|| {
    read(include_bytes!("../../tests/fuzz/corpus/baseline/web.json")).expect("it can be read")
});

static BOUND: LazyLock<Bind> = LazyLock::new(|| Bind::parse(BIND.as_bytes()).expect("a bind file"));

/// By the name of the fuzz target, and of its directory in the corpus.
pub const TARGETS: [(&str, Target); 4] =
    [("baseline", baseline), ("bind", bind), ("envelope", envelope), ("statement", statement)];

/// A baseline's file.
pub fn baseline(bytes: &[u8]) -> Answer {
    let held = read(bytes).map_err(refusal)?;
    let now = now();
    assert_eq!(again(&held), held, "what is written down reads as what it was");

    let merge = |one: &Baseline, other: &Baseline| {
        one.clone().merge(other.clone()).expect("it is of the same image")
    };
    let merged = merge(&held, &held);
    assert_eq!(merge(&merged, &merged), merged, "merging is idempotent");
    assert_eq!(merge(&merged, &held), merged, "nothing comes from a part of it");
    assert_eq!(again(&merged), merged, "what was merged reads as what it was");

    let empty = Baseline::new(held.image.clone());
    for page in pages::for_people(&held, &empty, now) {
        assert_plain(&page);
    }
    for json in pages::for_programs(&held, &empty, now) {
        let _: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    }
    judged(&held, now);
    signed(&held, now);
    Ok(())
}

/// What is beside a baseline: an envelope.
pub fn envelope(bytes: &[u8]) -> Answer {
    let envelope = attest::parse_envelope(bytes).map_err(refusal)?;
    let text = serde_json::to_vec(&envelope).expect("an envelope is JSON");
    assert_eq!(attest::parse_envelope(&text).expect("it was written"), envelope);
    // The fuzzer has not signed anything: whatever is believed was signed by the corpus.
    let by_anybody = attest::unverified(&envelope, &HELD, now());
    let by_us = attest::verify(&envelope, &HELD, std::slice::from_ref(SIGNER.public()), now());
    assert!(by_us.is_err() || by_anybody.is_ok(), "who is trusted may say no more than anybody");
    by_us.map(drop).map_err(refusal)
}

/// What somebody has signed. A signature takes most of the time, so it is given to what would be believed.
pub fn statement(bytes: &[u8]) -> Answer {
    let mut envelope = Envelope::new(PAYLOAD_TYPE, bytes);
    attest::unverified(&envelope, &HELD, now()).map_err(refusal)?;
    envelope.sign(&SIGNER).expect("its payload is what we put there");
    let trusted = std::slice::from_ref(SIGNER.public());
    let verified =
        attest::verify(&envelope, &HELD, trusted, now()).expect("it is believed of anybody");
    assert_eq!(verified.keys, [SIGNER.public().id()]);
    assert!(verified.expires().is_none_or(|expires| expires > now()));
    Ok(())
}

/// A bind file, and a baseline in its words.
pub fn bind(bytes: &[u8]) -> Answer {
    let bind = Bind::parse(bytes).map_err(refusal)?;
    let judge = Judge::bound(&HELD, REDACTION_KEY, &bind);
    for observation in of_the_network() {
        tell(&judge, &observation);
    }
    Ok(())
}

fn read(bytes: &[u8]) -> Result<Baseline, baseline::LoadError> {
    baseline::parse(PathBuf::from("hostile.json"), bytes)
}

fn again(held: &Baseline) -> Baseline {
    read(baseline::render(held).as_bytes()).expect("what we write we read")
}

/// The reason, which goes to a terminal as it is.
fn refusal(error: impl Display) -> String {
    let reason = error.to_string();
    assert!(!reason.is_empty(), "it was refused without a reason");
    assert!(!reason.contains('\n'), "a reason is one line: {reason:?}");
    assert_plain(&reason);
    reason
}

fn assert_plain(page: &str) {
    let moves_the_cursor = |c: char| c.is_control() && c != '\n';
    assert!(!page.contains(moves_the_cursor), "it would move a terminal's cursor: {page:?}");
}

/// A time of the seeds' runs.
fn now() -> Timestamp {
    Timestamp::from_second(1_767_369_845).expect("2026-01-02T16:04:05Z")
}

/// What is known is known, what is new is told, and what was learned is known.
fn judged(held: &Baseline, now: Timestamp) {
    let mut all = pages::observed(held, JUDGED);
    all.extend(of_its_programs(held));
    all.extend(of_the_network());
    for judge in [Judge::new(held, REDACTION_KEY), Judge::bound(held, REDACTION_KEY, &BOUND)] {
        for observation in &all {
            tell(&judge, observation);
        }
    }
    let run = RunId::new("01K0000000000000000000000A");
    let mut learned = held.clone();
    learned.begin_run(run.clone(), Run::new(now, "here", "full"), REDACTION_KEY);
    for observation in &all {
        learned.learn(&run, observation);
    }
    let ended = now.checked_add(jiff::SignedDuration::from_hours(1)).expect("a time");
    learned.end_run(&run, ended, &std::collections::BTreeMap::new());
    assert_eq!(again(&learned), learned, "what was learned reads as what it was");
    let judge = Judge::new(&learned, REDACTION_KEY);
    for observation in &all {
        let findings = judge.judge(observation);
        assert!(findings.is_empty(), "it was learned: {observation:?}: {findings:?}");
    }
}

fn tell(judge: &Judge, observation: &Observation) {
    let findings = judge.judge(observation);
    assert_eq!(findings.is_empty(), judge.is_known(observation));
    judge.deciding(observation);
    for finding in findings {
        let _phrase = judge.nearest(observation, &finding);
    }
}

/// Whatever can be read can be signed; whether it would be believed is for its names and digests to say.
fn signed(held: &Baseline, now: Timestamp) {
    let claim = attest::Claim { by: None, signed: now, expires: None };
    let statement = attest::Statement::new(held, claim);
    let payload = serde_json::to_vec(&statement).expect("a statement is JSON");
    if let Err(why) = attest::unverified(&Envelope::new(PAYLOAD_TYPE, &payload), held, now) {
        refusal(why);
    }
}

/// Each of its programs run as it says, by each of those that it names.
fn of_its_programs(held: &Baseline) -> Vec<Observation> {
    let mut all = Vec::new();
    for (path, executable) in held.executables.iter().take(JUDGED) {
        let args = executable.args.keys().take(4).map(|key| split_args(key).unwrap_or_default());
        let parents = executable.parents.keys().take(4).map(|parent| Some(parent.as_str()));
        for (args, parent) in args.zip(parents.chain(std::iter::repeat(None))) {
            let exec = Exec {
                given: path.clone(),
                parent: parent.map(Into::into),
                fileless: true,
                not_in_image: true,
                cwd: "/".to_owned(),
            };
            all.push(observation(path, args, Behaviour::Exec(exec)));
        }
    }
    all
}

fn of_the_network() -> Vec<Observation> {
    let protocol = Protocol::Tcp;
    let address = |text: &str| text.parse().expect("an address");
    let named =
        |name: Option<&str>| Named { names: name.map(Into::into).into_iter().collect(), pod: None };
    let connect = |peer, name| {
        let (peer, named) = (address(peer), named(name));
        Behaviour::Connect(Connect { protocol, peer, datagram: false, port_chosen: true, named })
    };
    let (local, pod) = (address("0.0.0.0:80"), Some("shop/web".into()));
    let listen = Listen { protocol, local, port_chosen: true };
    let accept =
        Accept { protocol, local, port_chosen: true, peer: address("10.1.4.4:40000"), pod };
    [
        connect("10.1.0.7:5432", Some("db.staging.svc")),
        connect("[fd00::7]:6379", None),
        Behaviour::Listen(listen),
        Behaviour::Accept(accept),
    ]
    .map(|behaviour| observation("/usr/bin/app", Vec::new(), behaviour))
    .into()
}

fn observation(executable: &str, args: Vec<String>, behaviour: Behaviour) -> Observation {
    let process = Process {
        pid: 4711,
        vpid: None,
        parent_pid: 1,
        uid: 0,
        executable: executable.into(),
        args: args.into(),
        args_cut: false,
        ancestry: std::sync::Arc::default(),
    };
    Observation { time: now(), process: process.into(), behaviour }
}
