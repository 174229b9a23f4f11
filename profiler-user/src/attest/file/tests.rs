use std::fs;

use super::*;
use crate::attest::openssl::{Algorithm, Pair};
use crate::attest::{Claim, Reason, Statement, statement};
use crate::baseline::Image;

/// A baseline in a directory, signed by a key that is made for it.
fn signed() -> (tempfile::TempDir, PathBuf, Baseline, PublicKey) {
    let directory = tempfile::tempdir().unwrap();
    let baseline = Baseline::new(Image::here("web"));
    let path = baseline::save(directory.path(), &baseline).unwrap();
    let pair = Pair::new(Algorithm::Ed25519);
    let statement = Statement::new(&baseline, Claim::default());
    let payload = serde_json::to_vec(&statement).unwrap();
    let mut envelope = Envelope::new(statement::PAYLOAD_TYPE, &payload);
    envelope.sign(&pair.signing()).unwrap();
    write_envelope(&path, &envelope).unwrap();
    (directory, path, baseline, pair.public())
}

fn reason(path: &Path, trusted: &PublicKey) -> Result<(), Reason> {
    let (baseline, bytes) = baseline::read_file(path).unwrap();
    let trusted = std::slice::from_ref(trusted);
    check(path, &bytes, &baseline, trusted, Timestamp::UNIX_EPOCH)
        .map(drop)
        .map_err(|refusal| refusal.reason())
}

#[test]
fn a_signature_lies_beside_its_baseline_and_is_not_taken_for_one() {
    let (directory, path, _, key) = signed();
    assert_eq!(reason(&path, &key), Ok(()));
    assert_eq!(envelope_path(&path), directory.path().join("web.json.dsse"));
    assert_eq!(baseline::list(directory.path()).unwrap().len(), 1);
    fs::remove_file(envelope_path(&path)).unwrap();
    assert_eq!(reason(&path, &key), Err(Reason::Unsigned));
}

#[test]
fn another_layout_is_the_same_baseline_another_word_is_not() {
    let (_directory, path, baseline, key) = signed();
    fs::write(&path, serde_json::to_vec(&baseline).unwrap()).unwrap();
    assert_eq!(reason(&path, &key), Ok(()));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"syscalls\":{}", "\"redaction_key\":[\"k\"],\"syscalls\":{}"))
        .unwrap();
    assert_eq!(reason(&path, &key), Err(Reason::Altered));
}

#[test]
fn a_baseline_that_says_something_twice_is_not_believed() {
    let (_directory, path, baseline, _) = signed();
    let text = serde_json::to_string(&baseline).unwrap();
    let seen =
        r#"{"first":"2026-01-01T00:00:00Z","last":"2026-01-01T00:00:00Z","runs":{"a":1,"a":1}}"#;
    fs::write(&path, text.replace("\"syscalls\":{}", &format!("\"syscalls\":{{\"read\":{seen}}}")))
        .unwrap();
    // Signed or not, it is not even read.
    let refused = baseline::read_file(&path).unwrap_err().to_string();
    assert!(refused.contains("the key \"a\" is there twice"), "{refused}");
    let bytes = fs::read(&path).unwrap();
    assert_eq!(said_once(&bytes).map_err(|why| why.reason()), Err(Reason::Malformed));
}

#[test]
fn hostile_envelopes_are_refused_with_the_reason() {
    let (_directory, path, _, key) = signed();
    let good = fs::read_to_string(envelope_path(&path)).unwrap();
    let huge = "x".repeat(usize::try_from(SIZE_MAX).unwrap() + 1);
    let cases = [
        good[..good.len() / 2].to_owned(),
        String::new(),
        "null".to_owned(),
        "[".repeat(100_000),
        format!("{{\"payload\":{}", "[".repeat(100_000)),
        good.replacen('{', "{\"payload\":\"\",", 1),
        good.replace("payloadType", "type"),
        "\u{0}\u{1}".to_owned(),
        huge,
    ];
    for text in cases {
        fs::write(envelope_path(&path), &text).unwrap();
        let start: String = text.chars().take(60).collect();
        assert_eq!(reason(&path, &key), Err(Reason::Malformed), "{start}");
    }
    fs::write(envelope_path(&path), [0xff, 0xfe]).unwrap();
    assert_eq!(reason(&path, &key), Err(Reason::Malformed));
    fs::remove_file(envelope_path(&path)).unwrap();
    fs::create_dir(envelope_path(&path)).unwrap();
    assert_eq!(reason(&path, &key), Err(Reason::Malformed));
}

#[test]
fn a_huge_baseline_is_not_read() {
    let (_directory, path, _, _) = signed();
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let error = baseline::load_file(&path).unwrap_err().to_string();
    assert!(error.contains("larger than"), "{error}");
}

/// Cuts, doubles and changes a few places of a text.
fn mangled(good: &[u8], deeds: &[(u8, usize, u8)]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for (deed, at, byte) in deeds {
        let at = at % (bytes.len() + 1);
        match deed % 4 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, *byte),
            2 if at < bytes.len() => bytes[at] = *byte,
            _ => bytes = [&bytes[..at], good, &bytes[at..]].concat(),
        }
    }
    bytes
}

proptest::proptest! {
    #[test]
    fn whatever_is_done_to_a_baseline_or_its_signature_it_is_refused_or_says_the_same(
        which: bool,
        deeds in proptest::collection::vec((0u8..16, 0usize..100_000, proptest::prelude::any::<u8>()), 1..4),
    ) {
        static SIGNED: std::sync::LazyLock<(Vec<u8>, Vec<u8>, Baseline, PublicKey)> =
            std::sync::LazyLock::new(|| {
                let (_directory, path, baseline, key) = signed();
                let envelope = fs::read(envelope_path(&path)).unwrap();
                (fs::read(&path).unwrap(), envelope, baseline, key)
            });
        let (good, signature, signed, key) = &*SIGNED;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.json");
        let (text, envelope) = if which {
            (mangled(good, &deeds), signature.clone())
        } else {
            (good.clone(), mangled(signature, &deeds))
        };
        fs::write(&path, text).unwrap();
        fs::write(envelope_path(&path), envelope).unwrap();
        if let Ok((baseline, bytes)) = baseline::read_file(&path) {
            let trusted = std::slice::from_ref(key);
            if check(&path, &bytes, &baseline, trusted, Timestamp::UNIX_EPOCH).is_ok() {
                proptest::prop_assert_eq!(&baseline, signed);
            }
        }
    }
}
