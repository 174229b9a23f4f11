use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::attest::dsse::Envelope;
use crate::attest::openssl::{Algorithm, Pair};
use crate::attest::{Trust, statement::PAYLOAD_TYPE};
use crate::container::{ContainerId, Identity, ImageIdentity};

const VULN: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";
const V1: &str = "https://in-toto.io/Statement/v1";
const BEFORE_V1: &str = "https://in-toto.io/Statement/v0.1";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn digest(of: &str) -> String {
    of.repeat(32)
}

fn container(reference: &str) -> Identity {
    let mut identity = Identity::of_path(ContainerId::parse(&digest("ab")).unwrap(), None, None);
    let name = reference.split('@').next().unwrap();
    let name =
        name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
    identity.image = Some(ImageIdentity {
        id: Some(format!("sha256:{}", digest("c0"))),
        reference: Some(reference.to_owned()),
        name: name.to_owned(),
        repo_digests: vec![format!("{name}@sha256:{}", digest("d1"))],
        ..ImageIdentity::default()
    });
    identity.started = Some(at("2026-11-20T12:00:00Z"));
    identity
}

/// A directory with a trusted key, and one for attestations.
struct Place {
    trust: TempDir,
    attestations: TempDir,
}

impl Place {
    fn new(trusted: &[&Pair]) -> Self {
        let place = Self { trust: TempDir::new().unwrap(), attestations: TempDir::new().unwrap() };
        for (number, pair) in trusted.iter().enumerate() {
            let to = place.trust.path().join(format!("{number}.pem"));
            fs::copy(pair.path("pub.pem"), to).unwrap();
        }
        place
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn path(&self) -> &Path {
        self.attestations.path()
    }

    fn open(&self) -> Sources {
        let trust = Trust::open(self.trust.path()).unwrap();
        Sources::open(Vec::new(), Some((self.path().to_owned(), trust))).unwrap()
    }

    fn known(&self) -> Provenance {
        known(&self.open())
    }
}

fn known(sources: &Sources) -> Provenance {
    let pinned = container(&format!("ghcr.io/team/web@sha256:{}", digest("d1")));
    sources.of(&pinned, Timestamp::now()).map_or_else(Provenance::default, |known| (*known).clone())
}

fn trivy(severities: &[&str]) -> Value {
    let one = |(number, severity): (usize, &&str)| json!({"VulnerabilityID": format!("CVE-2026-{number}"), "Severity": severity});
    let found: Vec<_> = severities.iter().enumerate().map(one).collect();
    json!({"SchemaVersion": 2, "Results": [{"Target": "a"}, {"Target": "b", "Vulnerabilities": found}]})
}

fn scan(result: &Value, finished: &str) -> Value {
    json!({"scanner": {"uri": "pkg:x", "result": result}, "metadata": {"scanStartedOn": finished, "scanFinishedOn": finished}})
}

fn statement(kind: &str, subject: &str, predicate_type: &str, predicate: &Value) -> String {
    json!({
        "_type": kind,
        "subject": [{"name": "other", "digest": {"sha512": "x"}}, {"name": "web", "digest": {"sha256": subject}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    })
    .to_string()
}

fn signed_as(pair: &Pair, payload_type: &str, payload: &str) -> String {
    let mut envelope = Envelope::new(payload_type, payload.as_bytes());
    envelope.sign(&pair.signing()).unwrap();
    serde_json::to_string(&envelope).unwrap()
}

fn signed(pair: &Pair, payload: &str) -> String {
    signed_as(pair, PAYLOAD_TYPE, payload)
}

const BEFORE: &str = "2026-11-19T00:00:00Z";

/// As Trivy reports of an image in which it knows nothing to look at.
#[test]
fn a_scan_that_looked_at_nothing_says_nothing() {
    let pair = Pair::new(Algorithm::P256);
    for report in [json!({"SchemaVersion": 2}), json!({"SchemaVersion": 2, "Results": []})] {
        let place = Place::new(&[&pair]);
        let text = statement(V1, &digest("d1"), VULN, &scan(&report, BEFORE));
        place.write("a.json", &signed(&pair, &text));
        let known = place.known();
        assert_eq!((known.counts, known.unknown), (None, vec![Unknown::Unreadable]), "{report}");
    }
}

#[test]
fn a_signed_scan_of_the_image_is_counted_by_either_key_type_and_statement_version() {
    for (algorithm, kind, of) in
        [(Algorithm::P256, V1, "c0"), (Algorithm::Ed25519, BEFORE_V1, "d1")]
    {
        let pair = Pair::new(algorithm);
        let place = Place::new(&[&pair]);
        let report = trivy(&["CRITICAL", "CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN"]);
        place.write(
            "a.json",
            &signed(&pair, &statement(kind, &digest(of), VULN, &scan(&report, BEFORE))),
        );
        let known = place.known();
        let counts = Counts { critical: 2, high: 1, medium: 1, low: 1, unknown: 1 };
        assert_eq!((known.counts, known.verified), (Some(counts), Some(true)));
        assert_eq!(known.keys, [pair.public().id().to_string()]);
        assert_eq!((known.scanned, known.unknown), (Some(at(BEFORE)), Vec::new()));
        assert!(known.sbom.is_empty());
    }
}

#[test]
fn what_is_not_known_is_absent() {
    let (pair, stranger) = (Pair::new(Algorithm::P256), Pair::new(Algorithm::Ed25519));
    let good = scan(&trivy(&["HIGH"]), BEFORE);
    let (own, other) = (digest("c0"), digest("ee"));
    let of = |text: String| {
        let place = Place::new(&[&pair]);
        place.write("a.json", &text);
        let known = place.known();
        assert_eq!((known.counts, known.verified, known.keys.len()), (None, None, 0), "{text}");
        known.unknown
    };
    assert_eq!(of(signed(&stranger, &statement(V1, &own, VULN, &good))), [Unknown::Untrusted]);
    let none: [Unknown; 0] = [];
    assert_eq!(of(signed(&pair, &statement(V1, &other, VULN, &good))), none);
    assert_eq!(
        of(signed(&pair, &statement(V1, &own, "https://slsa.dev/provenance/v1", &good))),
        none
    );
    assert_eq!(of(signed(&pair, &statement("https://example.com", &own, VULN, &good))), none);
    assert_eq!(of(signed_as(&pair, "text/plain", &statement(V1, &own, VULN, &good))), none);
    let twice = statement(V1, &own, VULN, &good).replacen('{', "{\"_type\":\"x\",", 1);
    assert_eq!(of(signed(&pair, &twice)), none);
    let no_type = json!({"_type": V1, "subject": [{"digest": {"sha256": own}}], "predicate": good});
    assert_eq!(of(signed(&pair, &no_type.to_string())), none);
    let strange = scan(&json!({"found": "nothing"}), BEFORE);
    assert_eq!(of(signed(&pair, &statement(V1, &own, VULN, &strange))), [Unknown::Unreadable]);
    let timeless = json!({"scanner": {"result": trivy(&[])}, "metadata": {}});
    assert_eq!(of(signed(&pair, &statement(V1, &own, VULN, &timeless))), [Unknown::Unreadable]);
    let later = scan(&trivy(&[]), "2026-11-20T12:00:01Z");
    assert_eq!(of(signed(&pair, &statement(V1, &own, VULN, &later))), [Unknown::ScannedLater]);
    assert_eq!(of("[".repeat(100_000)), none);
    assert_eq!(of(String::new()), none);
}

#[test]
fn of_scans_the_last_before_the_start_counts() {
    let pair = Pair::new(Algorithm::P256);
    let place = Place::new(&[&pair]);
    let lines = [
        (BEFORE, vec!["HIGH"]),
        ("2026-11-20T11:59:59Z", vec!["LOW", "LOW"]),
        ("2026-11-21T00:00:00Z", vec![]),
    ];
    let lines = lines.map(|(finished, found)| {
        signed(&pair, &statement(V1, &digest("d1"), VULN, &scan(&trivy(&found), finished)))
    });
    place.write(
        "all.intoto.jsonl",
        &format!("{}\n{{broken\n\n{}\n{}\n", lines[2], lines[0], lines[1]),
    );
    let known = place.known();
    assert_eq!(known.counts, Some(Counts { low: 2, ..Counts::default() }));
    assert_eq!((known.scanned, known.unknown.len()), (Some(at("2026-11-20T11:59:59Z")), 0));
}

#[test]
fn scanners_have_their_forms_and_each_vulnerability_counts_once() {
    let pair = Pair::new(Algorithm::Ed25519);
    let grype =
        |id: &str, severity: &str| json!({"vulnerability": {"id": id, "severity": severity}});
    let grype = json!({"matches": [grype("CVE-1", "High"), grype("CVE-1", "Critical"), grype("CVE-2", "Negligible")]});
    let in_toto = json!([
        {"id": "CVE-1", "severity": [{"method": "nvd", "score": "9.8"}]},
        {"id": "CVE-2", "severity": [{"method": "x", "score": 0.1}]},
        {"id": "CVE-3"},
    ]);
    let one_each = Counts { critical: 1, low: 1, ..Counts::default() };
    for (form, result, counts) in [
        (VULN, grype, one_each),
        ("https://in-toto.io/attestation/vulns/v0.2", in_toto, Counts { unknown: 1, ..one_each }),
        (VULN, json!({"SchemaVersion": 2, "Results": [{"Target": "alpine"}]}), Counts::default()),
    ] {
        let place = Place::new(&[&pair]);
        place.write(
            "a.json",
            &signed(&pair, &statement(V1, &digest("d1"), form, &scan(&result, BEFORE))),
        );
        assert_eq!(place.known().counts, Some(counts), "{result}");
    }
}

#[test]
fn a_bundle_is_read_and_a_directory_is_read_again() {
    let pair = Pair::new(Algorithm::P256);
    let place = Place::new(&[&pair]);
    let sources = place.open();
    assert_eq!(known(&sources), Provenance::default());
    let sbom =
        |form: &str| signed(&pair, &statement(V1, &digest("d1"), form, &json!({"components": []})));
    let envelope: Value = serde_json::from_str(&sbom("https://cyclonedx.org/bom")).unwrap();
    let bundle = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {}, "dsseEnvelope": envelope});
    place.write("web.sigstore.json", &format!("{bundle:#}"));
    sources.look();
    assert_eq!(
        (known(&sources).sbom, known(&sources).counts),
        (vec!["cyclonedx".to_owned()], None)
    );
    place.write("more.dsse", &sbom("https://spdx.dev/Document"));
    sources.look();
    assert_eq!(known(&sources).sbom, ["cyclonedx", "spdx"]);
    fs::remove_file(place.path().join("web.sigstore.json")).unwrap();
    sources.look();
    assert_eq!(known(&sources).sbom, ["spdx"]);
    fs::remove_file(place.trust.path().join("0.pem")).unwrap();
    sources.look();
    assert_eq!(known(&sources).unknown, [Unknown::Untrusted]);
    fs::remove_dir_all(place.path()).unwrap();
    sources.look();
    assert_eq!(known(&sources), Provenance::default());
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let pair = Pair::new(Algorithm::P256);
    let place = Place::new(&[&pair]);
    fs::create_dir(place.path().join("directory.json")).unwrap();
    let pipe = place.path().join("pipe.json");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    assert_eq!(place.known(), Provenance::default());
}

#[test]
fn a_reference_says_whether_it_is_pinned_and_whose_it_is() {
    use Flag::{RegistryUnapproved, TagLatest, Unpinned};
    let approved = ["ghcr.io/team", "docker.io/library", "registry:5000"];
    let sources = Sources::open(approved.map(|text| text.parse().unwrap()).to_vec(), None).unwrap();
    let pinned = format!("ghcr.io/team/web:latest@sha256:{}", digest("d1"));
    for (reference, flags) in [
        (pinned.as_str(), vec![]),
        ("ghcr.io/team/web:1.2", vec![Unpinned]),
        ("ghcr.io/teamwork/web:1.2", vec![Unpinned, RegistryUnapproved]),
        ("ghcr.io/team/web", vec![Unpinned, TagLatest]),
        ("registry:5000/web", vec![Unpinned, TagLatest]),
        ("registry:5000/web:latest", vec![Unpinned, TagLatest]),
        ("nginx:1", vec![Unpinned]),
        ("docker.io/nginx:1", vec![Unpinned]),
        ("team/nginx:1", vec![Unpinned, RegistryUnapproved]),
    ] {
        let known = sources.of(&container(reference), Timestamp::now());
        assert_eq!(known.map_or_else(Vec::new, |known| known.flags.clone()), flags, "{reference}");
    }
    let mut nameless = container("x");
    nameless.image =
        Some(ImageIdentity { id: Some("sha256:1".to_owned()), ..ImageIdentity::default() });
    assert_eq!(sources.of(&nameless, Timestamp::now()), None);
    for wrong in ["", "team", "ghcr.io//team", "ghcr.io/te am", "https://ghcr.io"] {
        assert!(wrong.parse::<Approved>().is_err(), "{wrong}");
    }
}

#[test]
fn the_ledger_reads_what_it_wrote() {
    let counts = Counts { critical: 1, ..Counts::default() };
    let all = Provenance {
        flags: vec![Flag::Unpinned],
        verified: Some(true),
        keys: vec!["sha256:1".to_owned()],
        scanned: Some(at(BEFORE)),
        counts: Some(counts),
        sbom: vec!["spdx".to_owned()],
        unknown: vec![Unknown::Untrusted],
    };
    for provenance in [all, Provenance::default()] {
        let text = serde_json::to_string(&provenance).unwrap();
        assert_eq!(serde_json::from_str::<Provenance>(&text).unwrap(), provenance, "{text}");
    }
}
