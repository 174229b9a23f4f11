//! Where a running container's image comes from: what trusted keys attest of it is in its events, and is still said when the
//! container is gone. What nobody who is trusted attests is unknown, never clean.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::{
    agent::{self, Agent, EVENTS},
    console, driftline,
    pods::{self, BUSYBOX, ContainerSpec, Node, Pod, PodSpec},
    signer::Signer,
    told::{can_run, wait_for_event},
};

const SOON: Duration = Duration::from_secs(20);

/// The agent has looked at the directory since.
const LOOKED: Duration = Duration::from_secs(5);

const OWN: &str = "/var/lib/attested";

/// Images with content of their own each, and so with digests of their own.
const LATEST: &str = "registry.test/shop/newest:latest";
const ELSEWHERE: &str = "elsewhere.test/shop/tool:2";

/// What a scanner found: by severity one, two, three, four, and one without.
fn scan(finished: Timestamp) -> Value {
    let severities = [("CRITICAL", 1), ("HIGH", 2), ("MEDIUM", 3), ("LOW", 4), ("UNKNOWN", 1)];
    let all = severities.iter().flat_map(|(severity, count)| {
        (0..*count).map(
            move |number| json!({"VulnerabilityID": format!("CVE-{severity}-{number}"), "Severity": severity}),
        )
    });
    let result = json!({
        "SchemaVersion": 2,
        "Results": [{"Target": "busybox", "Vulnerabilities": all.collect::<Vec<_>>()}],
    });
    json!({
        "scanner": {"uri": "pkg:github/aquasecurity/trivy", "result": result},
        "metadata": {"scanStartedOn": finished, "scanFinishedOn": finished},
    })
}

const VULN: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";
const CYCLONEDX: &str = "https://cyclonedx.org/bom";
const SPDX: &str = "https://spdx.dev/Document";

fn statement(digest: &str, about: &str, predicate: &Value) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "subject": [{"name": "image", "digest": {"sha256": digest}}],
        "predicateType": about,
        "predicate": predicate,
    })
}

/// A node whose agent believes one key, and the two that sign.
struct Place {
    node: Node,
    trusted: Signer,
    stranger: Signer,
}

impl Place {
    fn new() -> Self {
        let node = Node::start();
        let images = [LATEST, ELSEWHERE].map(|reference| {
            let image = pods::busybox(reference).file("/etc/called", 0o644, reference);
            image.build().expect("images are built in memory")
        });
        node.import(&images);
        let own = node.outside(OWN);
        let trusted = Signer::new(&own.join("trusted"));
        let stranger = Signer::new(&own.join("stranger"));
        fs::create_dir_all(own.join("attestations")).expect("the node's directory is writable");
        let place = Self { node, trusted, stranger };
        for image in [BUSYBOX, LATEST, ELSEWHERE] {
            place.name_by_digest(image);
        }
        place
    }

    /// As a pull does, and an import does not.
    fn name_by_digest(&self, image: &str) {
        let mut tag = self.node.command("ctr");
        let pinned = pinned(image, &self.digest(image));
        let tagged = tag.args(["--namespace", "k8s.io", "image", "tag", image, &pinned]).output();
        let tagged = tagged.expect("ctr runs");
        assert!(tagged.status.success(), "{}", String::from_utf8_lossy(&tagged.stderr));
    }

    fn watch(&self) -> Agent<'_> {
        let [attestations, trust] =
            ["attestations", "trusted/trust"].map(|at| format!("{OWN}/{at}"));
        let sources = [
            "--attestations",
            &attestations,
            "--attestation-trust",
            &trust,
            "--approved-registry",
            "registry.test/shop",
        ];
        Agent::start(&self.node, "watch", &[&EVENTS[..], &sources].concat())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.node.outside(OWN).join("attestations").join(name)
    }

    /// At once, as whoever downloads attestations should.
    fn write(&self, name: &str, text: &str) {
        let whole = self.file(&format!(".{name}"));
        fs::write(&whole, text).expect("writable");
        fs::rename(whole, self.file(name)).expect("writable");
    }

    /// Of the manifest, as the runtime knows it.
    fn digest(&self, image: &str) -> String {
        let mut ctr = self.node.command("ctr");
        ctr.args(["--namespace", "k8s.io", "image", "ls", &format!("name=={image}")]);
        let output = ctr.output().expect("ctr runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let digest = text.split_whitespace().find_map(|word| word.strip_prefix("sha256:"));
        digest.unwrap_or_else(|| panic!("{image} is not in {text}")).to_owned()
    }

    fn run(&self, name: &str, image: &str) -> Pod {
        let container = ContainerSpec::new("app", image).command(&["/bin/sh", "-c", "sleep 1000"]);
        self.node.run(PodSpec::new("shop", name).container(container))
    }

    /// The event of a drift that needs no baseline.
    fn drift(&self, pod: &Pod) -> Value {
        assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", "id"]).code, 0);
        wait_for_event(&self.node, pod, "exec.injected", SOON)
    }

    fn life(&self, id: &str) -> Value {
        let words = ["investigate", "container", id, "--json"];
        serde_json::from_str(&console::asked(&self.store(), &words)).expect("JSON")
    }

    fn store(&self) -> PathBuf {
        self.node.outside("/var/lib/driftline")
    }
}

fn pinned(image: &str, digest: &str) -> String {
    let (name, _tag) = image.rsplit_once(':').expect("it has a tag");
    format!("{name}@sha256:{digest}")
}

fn attested(event: &Value) -> Vec<(String, Value)> {
    let all = event.as_object().expect("an object").iter();
    let ours = all.filter(|(key, _)| key.starts_with("attestation."));
    ours.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Neither counts nor a word of cleanness.
fn assert_unknown(event: &Value, why: &[&str]) {
    let known = attested(event);
    let expected: Vec<(String, Value)> = if why.is_empty() {
        Vec::new()
    } else {
        vec![("attestation.unknown".to_owned(), json!(why))]
    };
    assert_eq!(known, expected, "{event:#}");
}

fn assert_counted(said: &Value) {
    let counts = [("critical", 1), ("high", 2), ("medium", 3), ("low", 4), ("unknown", 1)];
    for (severity, count) in counts {
        assert_eq!(said[format!("attestation.cve_{severity}")], count, "{said:#}");
    }
    assert_eq!(said["attestation.verified"], true, "{said:#}");
    assert_eq!(said["attestation.sbom"], json!(["cyclonedx"]), "{said:#}");
    assert_eq!(said["attestation.keyid"].as_array().map(Vec::len), Some(1), "{said:#}");
    assert!(said.get("attestation.unknown").is_none(), "{said:#}");
}

#[test]
fn what_trusted_keys_attest_is_told_with_the_drift_and_when_the_container_is_gone() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let place = Place::new();
    let hour = SignedDuration::from_hours(1);
    let before = scan(Timestamp::now() - hour);
    let [busybox, latest, elsewhere] =
        [BUSYBOX, LATEST, ELSEWHERE].map(|image| place.digest(image));
    let bom = json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "components": []});
    let scanned = statement(&busybox, VULN, &before);
    place.write("scan.json", &place.trusted.attest(&scanned).to_string());
    let listed = place.trusted.attest(&statement(&busybox, CYCLONEDX, &bom));
    place.write("bom.jsonl", &format!("{listed}\n"));
    // The same scan of another image, by somebody whom nobody trusts.
    let stranger = place.stranger.attest(&statement(&latest, VULN, &before));
    place.write("stranger.json", &stranger.to_string());
    // And of a third one: cut off, and with other words than those that were signed.
    let signed = place.trusted.attest(&statement(&elsewhere, VULN, &before));
    place.write("cut.json", &signed.to_string()[..200]);
    let other =
        place.trusted.attest(&statement(&elsewhere, VULN, &scan(Timestamp::now() - hour * 2)));
    let altered = json!({"payloadType": signed["payloadType"], "payload": signed["payload"], "signatures": other["signatures"]});
    place.write("altered.json", &altered.to_string());

    let mut watcher = place.watch();
    for (file, why) in [
        ("stranger.json", "none of its 1 signatures is by a trusted key"),
        ("cut.json", "it is no DSSE envelope"),
        ("altered.json", "none of its 1 signatures is by a trusted key"),
    ] {
        let said = watcher.said();
        let is_told =
            |line: &str| line.contains(file) && line.contains("says nothing") && line.contains(why);
        assert!(said.lines().any(is_told), "{file}: {said}");
    }
    let [shop, newest, tool] = [("web", BUSYBOX), ("newest", LATEST), ("tool", ELSEWHERE)]
        .map(|(name, image)| place.run(name, image));
    let event = place.drift(&shop);
    assert_counted(&event);
    assert_eq!(event["policy.provenance"], json!(["unpinned"]), "{event:#}");
    let event = place.drift(&newest);
    assert_unknown(&event, &["untrusted"]);
    assert_eq!(event["policy.provenance"], json!(["unpinned", "tag-latest"]), "{event:#}");
    let event = place.drift(&tool);
    assert_unknown(&event, &["untrusted"]);
    assert_eq!(event["policy.provenance"], json!(["unpinned", "registry-unapproved"]), "{event:#}");

    // The same statement about the same image, signed by the wrong one: of containers from then on nothing is known.
    place.write("scan.json", &place.stranger.attest(&scanned).to_string());
    fs::remove_file(place.file("bom.jsonl")).expect("it was written");
    watcher.wait_for("attestations/scan.json says nothing: none of its 1 signatures", SOON);
    let second = place.run("second", BUSYBOX);
    assert_unknown(&place.drift(&second), &["untrusted"]);
    fs::remove_file(place.file("scan.json")).expect("it was written");
    std::thread::sleep(LOOKED);
    let third = place.run("third", BUSYBOX);
    assert_unknown(&place.drift(&third), &[]);

    let pods = [shop, newest, tool, second, third];
    let ids = pods.each_ref().map(|pod| pod.container("app").id.clone());
    pods.into_iter().for_each(Pod::remove);
    watcher.stop();
    assert_remembered(&place, &ids);
}

/// No container is left, and no attestation of the first one either.
fn assert_remembered(place: &Place, [shop, newest, tool, second, third]: &[String; 5]) {
    let life = place.life(shop);
    assert_counted(&life["provenance"]);
    let said = life["provenance_line"].as_str().expect("a line");
    for words in ["1 critical", "2 high", "bill of materials: cyclonedx", "attested by sha256:"] {
        assert!(said.contains(words), "{words:?}: {said}");
    }
    for id in [newest, tool, second] {
        assert_unknown(&place.life(id)["provenance"], &["untrusted"]);
    }
    assert_unknown(&place.life(third)["provenance"], &[]);

    let of = |id: &str, format: &str| {
        let words = ["investigate", "report", "--container", id, "--format", format];
        // Markdown's own characters are escaped.
        console::asked(&place.store(), &words).replace('\\', "")
    };
    for format in ["markdown", "html"] {
        assert!(of(shop, format).contains(said), "{said}: {}", of(shop, format));
        let report = of(newest, format);
        assert!(report.contains("tag latest") && !report.contains("ungraded"), "{report}");
        assert!(report.contains("no trusted key signed says nothing"), "{report}");
        assert!(of(tool, format).contains("registry not approved"), "{}", of(tool, format));
        assert!(!of(third, format).contains("attest"), "{}", of(third, format));
    }
}

/// By name and digest nothing is to be said of how it was chosen; a digest that was scanned after the start was not known then.
#[test]
fn an_image_that_is_pinned_and_one_that_is_scanned_too_late() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let place = Place::new();
    let digest = place.digest(BUSYBOX);
    let pinned = pinned(BUSYBOX, &digest);
    let later = scan(Timestamp::now() + SignedDuration::from_hours(1));
    let later = place.trusted.attest(&statement(&digest, VULN, &later));
    place.write("later.json", &later.to_string());
    let watcher = place.watch();
    let pod = place.run("pinned", &pinned);
    let event = place.drift(&pod);
    assert!(event.get("policy.provenance").is_none(), "{event:#}");
    assert_unknown(&event, &["scanned-later"]);
    // The digest of the configuration is one that it goes by as well.
    let configuration = event["container.image.id"].as_str().expect("it is known");
    let configuration = configuration.strip_prefix("sha256:").expect("a digest");
    assert_ne!(configuration, digest);
    let bom = json!({"spdxVersion": "SPDX-2.3", "packages": []});
    let bom = statement(configuration, SPDX, &bom);
    place.write("bom.json", &place.trusted.attest(&bom).to_string());
    std::thread::sleep(LOOKED);
    let listed = place.run("listed", BUSYBOX);
    let event = place.drift(&listed);
    assert_eq!(event["attestation.sbom"], json!(["spdx"]), "{event:#}");
    assert_eq!(event["attestation.unknown"], json!(["scanned-later"]), "{event:#}");
    assert!(event.get("attestation.cve_critical").is_none(), "{event:#}");
    listed.remove();
    let id = pod.container("app").id.clone();
    pod.remove();
    watcher.stop();
    let life = place.life(&id);
    assert_unknown(&life["provenance"], &["scanned-later"]);
    assert!(life["provenance"].get("policy.provenance").is_none(), "{life:#}");
}

/// An agent does not start on what it could not use.
#[test]
fn a_directory_or_a_key_that_is_not_there_is_said_at_the_start() {
    if !can_run() {
        return;
    }
    let scratch = tempfile::tempdir().expect("a directory");
    let signer = Signer::new(scratch.path());
    let store = scratch.path().join("store");
    let refused = |attestations: &Path, trust: &Path, words: &[&str]| {
        let (mut flags, mut variables) = (Command::new(driftline()), Command::new(driftline()));
        flags.arg("watch").arg("--attestations").arg(attestations);
        flags.arg("--attestation-trust").arg(trust);
        variables.arg("watch").env("DRIFTLINE_ATTESTATIONS", attestations);
        variables.env("DRIFTLINE_ATTESTATION_TRUST", trust);
        for mut watch in [flags, variables] {
            let output = watch.arg("--store").arg(&store).output().expect("driftline runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(matches!(output.status.code(), Some(2 | 121)), "{said}");
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
            assert!(!store.exists(), "{said}");
        }
    };
    let absent = scratch.path().join("absent");
    refused(&absent, signer.trust(), &["absent", "No such file", "--attestations"]);
    refused(scratch.path(), &absent, &["absent", "No such file"]);
}
