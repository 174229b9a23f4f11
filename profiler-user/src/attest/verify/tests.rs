use serde_json::{Value, json};

use super::*;
use crate::attest::key::SigningKey;
use crate::attest::openssl::{Algorithm, Pair};
use crate::attest::statement::Claim;
use crate::baseline::Image;

const NOW: &str = "2026-06-01T00:00:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn baseline(id: &str) -> Baseline {
    let image = Image {
        id: Some(format!("sha256:{id}")),
        repo_digests: [format!("registry.test/web@sha256:d{id}")].into(),
        ..Image::here("registry.test/web")
    };
    Baseline::new(image)
}

fn statement(baseline: &Baseline) -> Value {
    let expires = Some(at("2027-01-01T00:00:00Z"));
    let claim = Claim { by: Some("ann".to_owned()), signed: at(NOW), expires };
    serde_json::to_value(Statement::new(baseline, claim)).unwrap()
}

fn sealed(payload_type: &str, payload: &[u8], key: &SigningKey) -> Envelope {
    let mut envelope = Envelope::new(payload_type, payload);
    envelope.sign(key).unwrap();
    envelope
}

#[test]
fn a_statement_is_believed_for_its_image_until_it_expires() {
    let pair = Pair::new(Algorithm::P256);
    let (own, trusted) = (baseline("11"), [pair.public()]);
    let payload = serde_json::to_vec(&statement(&own)).unwrap();
    let envelope = sealed(PAYLOAD_TYPE, &payload, &pair.signing());
    let verified = verify(&envelope, &own, &trusted, at(NOW)).unwrap();
    assert_eq!(verified.keys, [pair.public().id()]);
    assert_eq!(verified.statement.predicate.driftline_baseline.reviewed_by.as_deref(), Some("ann"));
    let digests: Vec<_> = verified
        .statement
        .subject
        .iter()
        .map(|subject| subject.digest["sha256"].as_str())
        .collect();
    assert_eq!(digests, ["11", "d11"]);

    let late = verify(&envelope, &own, &trusted, at("2027-01-01T00:00:00Z")).unwrap_err();
    assert_eq!(late.reason(), Reason::Expired);
    let other = verify(&envelope, &baseline("22"), &trusted, at(NOW)).unwrap_err();
    assert_eq!(other.reason(), Reason::Subject);
    let mut altered = own.clone();
    altered.image.references.insert("registry.test/web:1".to_owned());
    let altered = verify(&envelope, &altered, &trusted, at(NOW)).unwrap_err();
    assert_eq!(altered.reason(), Reason::Altered);
    let stranger = verify(&envelope, &own, &[Pair::new(Algorithm::P256).public()], at(NOW));
    assert_eq!(stranger.unwrap_err().reason(), Reason::Untrusted);
}

#[test]
fn a_good_signature_of_something_else_is_none_of_a_baseline() {
    let pair = Pair::new(Algorithm::Ed25519);
    let own = baseline("11");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut statement = statement(&own);
        change(&mut statement);
        let payload = serde_json::to_vec(&statement).unwrap();
        let envelope = sealed(PAYLOAD_TYPE, &payload, &pair.signing());
        verify(&envelope, &own, &[pair.public()], at(NOW)).map_err(|refusal| refusal.reason())
    };
    assert!(with(&|_| ()).is_ok());
    assert!(with(&|it| it["_type"] = json!("https://in-toto.io/Statement/v0.1")).is_ok());
    assert!(with(&|it| it["unknown"] = json!({"field": 1})).is_ok());
    let malformed = [
        with(&|it| it["_type"] = json!("https://in-toto.io/Link/v1")),
        with(&|it| it["predicateType"] = json!("https://cosign.sigstore.dev/attestation/vuln/v1")),
        with(&|it| it["predicate"] = json!({})),
        with(&|it| it["predicate"]["driftlineBaseline"]["expires"] = json!("soon")),
        with(&|it| it["subject"] = json!("11")),
    ];
    for refused in malformed {
        assert_eq!(refused.unwrap_err(), Reason::Malformed);
    }
    let no_digest = with(&|it| it["subject"] = json!([]));
    assert_eq!(no_digest.unwrap_err(), Reason::Subject);
    let one_of_two = with(&|it| drop(it["subject"].as_array_mut().unwrap().pop()));
    assert_eq!(one_of_two.unwrap_err(), Reason::Subject);
    let other_algorithm = with(&|it| {
        it["subject"] = json!([{"digest": {"sha512": "11"}}, {"digest": {"sha512": "d11"}}]);
    });
    assert_eq!(other_algorithm.unwrap_err(), Reason::Subject);
}

#[test]
fn the_type_and_the_text_of_the_payload_count() {
    let pair = Pair::new(Algorithm::Ed25519);
    let own = baseline("11");
    let payload = serde_json::to_string(&statement(&own)).unwrap();
    let check = |payload_type: &str, payload: &str| {
        let envelope = sealed(payload_type, payload.as_bytes(), &pair.signing());
        verify(&envelope, &own, &[pair.public()], at(NOW)).unwrap_err().to_string()
    };
    assert!(check("application/json", &payload).contains("not \"application/vnd.in-toto+json\""));
    let twice = payload.replacen('{', "{\"predicateType\":\"x\",", 1);
    assert!(check(PAYLOAD_TYPE, &twice).contains("is there twice"));
    for hostile in ["", "{", "[]", "null", &"[".repeat(100_000), &payload[..payload.len() - 1]] {
        assert!(check(PAYLOAD_TYPE, hostile).contains("no in-toto statement"));
    }
}

#[test]
fn a_command_has_its_baseline_for_a_subject() {
    let pair = Pair::new(Algorithm::Ed25519);
    let own = Baseline::new(Image::here("nginx"));
    let payload = serde_json::to_vec(&statement(&own)).unwrap();
    let envelope = sealed(PAYLOAD_TYPE, &payload, &pair.signing());
    assert!(verify(&envelope, &own, &[pair.public()], at(NOW)).is_ok());
    let other = Baseline::new(Image::here("redis"));
    let refused = verify(&envelope, &other, &[pair.public()], at(NOW)).unwrap_err();
    assert_eq!(refused.reason(), Reason::Altered);
}
