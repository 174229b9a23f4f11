use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{BundleError, Spool, Why, extract, manifest, tar, verify, write, write::header};
use crate::attest::{Envelope, PublicKey, SigningKey};
use crate::evidence::{Collected, key};

struct Made {
    directory: tempfile::TempDir,
    key: SigningKey,
    bundle: PathBuf,
}

fn made() -> Made {
    let directory = tempfile::tempdir().unwrap();
    let key = key::load(None, directory.path()).unwrap();
    let mut spool = Spool::new(directory.path()).unwrap();
    let mut collected = Collected::default();
    collected.piece("processes.json", "[]\n");
    collected.piece("empty", "");
    collected.piece("../up", "no");
    collected.piece("/etc/passwd", "no");
    collected.missing("sockets.json", "it had ended");
    spool.add(collected).unwrap();
    let kept = spool.content("files", &mut &b"dropped"[..], 100).unwrap();
    assert_eq!(spool.content("files", &mut &b"dropped"[..], 100).unwrap(), kept);
    assert_eq!(spool.content("files", &mut &[7; 101][..], 100).unwrap().piece, None);
    spool.content("files", &mut &b"last"[..], 100).unwrap();
    let bundle = write(directory.path(), spool, Why::Demand {}, "node", None, &key).unwrap();
    Made { directory, key, bundle }
}

impl Made {
    fn trusted(&self) -> Vec<PublicKey> {
        vec![self.key.public().clone()]
    }

    fn raw(&self) -> Vec<u8> {
        let mut raw = Vec::new();
        let file = fs::File::open(&self.bundle).unwrap();
        zstd::Decoder::new(file).unwrap().read_to_end(&mut raw).unwrap();
        raw
    }

    fn pack(&self, raw: &[u8]) -> PathBuf {
        let path = self.directory.path().join("other.tar.zst");
        let mut packed = zstd::Encoder::new(fs::File::create(&path).unwrap(), 1).unwrap();
        packed.write_all(raw).unwrap();
        packed.finish().unwrap();
        path
    }

    /// A bundle of this manifest, signed by the key that is trusted.
    fn signed(&self, manifest: &str, rest: &[u8]) -> PathBuf {
        let mut envelope = Envelope::new(super::PAYLOAD_TYPE, manifest.as_bytes());
        envelope.sign(&self.key).unwrap();
        let envelope = serde_json::to_vec(&envelope).unwrap();
        let mut raw = Vec::new();
        let mut add = |name, bytes: &[u8]| {
            super::write::append(&mut raw, name, bytes.len() as u64, &mut &bytes[..]).unwrap();
        };
        add(super::MANIFEST, manifest.as_bytes());
        add(super::ENVELOPE, &envelope);
        raw.extend_from_slice(rest);
        self.pack(&raw)
    }

    fn refuses(&self, path: &Path) -> String {
        let to = self.directory.path().join("out");
        let error = extract(path, &self.trusted(), &to).unwrap_err();
        assert!(!to.exists(), "something was written before it was refused");
        let mut nothing = Vec::new();
        assert!(tar(path, &self.trusted(), &mut nothing).is_err() && nothing.is_empty());
        assert!(!matches!(error, BundleError::Output { .. }), "{error}");
        error.to_string()
    }
}

#[test]
fn what_was_packed_is_verified_and_extracted_byte_by_byte() {
    let made = made();
    let verified = verify(&made.bundle, &made.trusted()).unwrap();
    let names: Vec<_> = verified.manifest.pieces.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!((names[0], names[1], names.len()), ("processes.json", "empty", 4));
    let missing: Vec<_> = verified.manifest.missing.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(missing, ["../up", "/etc/passwd", "sockets.json"]);
    assert_eq!(manifest(&made.bundle).unwrap(), verified.manifest);
    let to = made.directory.path().join("out");
    extract(&made.bundle, &made.trusted(), &to).unwrap();
    assert_eq!(fs::read(to.join(names[2])).unwrap(), b"dropped");
    assert_eq!(fs::read(to.join("empty")).unwrap(), b"");
    let error = extract(&made.bundle, &made.trusted(), &to).unwrap_err().to_string();
    assert!(error.contains("File exists"), "{error}");
    let mut plain = Vec::new();
    tar(&made.bundle, &made.trusted(), &mut plain).unwrap();
    let mut archive = ::tar::Archive::new(plain.as_slice());
    assert_eq!(archive.entries().unwrap().map(Result::unwrap).count(), 5);
}

#[test]
fn whatever_byte_is_changed_what_is_believed_is_what_was_packed() {
    let made = made();
    let (bytes, raw) = (fs::read(&made.bundle).unwrap(), made.raw());
    let path = made.directory.path().join("changed");
    for at in (0..bytes.len()).step_by(3) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        // Some bits of a compressed stream say nothing about its content: then what is believed is the same.
        if let Ok(verified) = verify(&path, &made.trusted()) {
            assert_eq!(verified.manifest, manifest(&made.bundle).unwrap(), "byte {at}");
        }
    }
    for at in (0..raw.len()).step_by(23) {
        let mut changed = raw.clone();
        changed[at] ^= 0x20;
        let changed = made.pack(&changed);
        // The envelope's hint at a key is signed by nobody, and decides nothing.
        match verify(&changed, &made.trusted()) {
            Ok(verified) => {
                assert_eq!(verified.manifest, manifest(&made.bundle).unwrap(), "byte {at}");
            }
            Err(_) => drop(made.refuses(&changed)),
        }
    }
}

#[test]
fn one_that_is_cut_off_or_goes_on_is_refused() {
    let made = made();
    let bytes = fs::read(&made.bundle).unwrap();
    let path = made.directory.path().join("cut");
    for length in (0..bytes.len()).step_by(3) {
        fs::write(&path, &bytes[..length]).unwrap();
        made.refuses(&path);
    }
    fs::write(&path, [&bytes[..], &bytes[..]].concat()).unwrap();
    assert!(made.refuses(&path).contains("something follows its end"));
    let raw = made.raw();
    assert!(made.refuses(&made.pack(&raw[..raw.len() - 512])).contains("more than"));
}

#[test]
fn another_key_is_not_believed() {
    let (made, other) = (made(), made());
    assert!(verify(&made.bundle, &other.trusted()).is_err());
    assert!(verify(&made.bundle, &[]).is_err());
}

#[test]
fn hostile_names_links_duplicates_and_bombs_are_refused_though_signed() {
    let made = made();
    let text = serde_json::to_value(manifest(&made.bundle).unwrap()).unwrap();
    let with = |pieces: serde_json::Value, rest: &[u8]| {
        let mut text = text.clone();
        text["pieces"] = pieces;
        made.refuses(&made.signed(&text.to_string(), rest))
    };
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let piece =
        |name: &str, size: u64| serde_json::json!({"name": name, "size": size, "sha256": empty});
    for name in ["../x", "/etc/x", "a/../../x", "a//b", ".", "", "a\u{1b}[2J", "manifest.json"] {
        assert!(with(serde_json::json!([piece(name, 0)]), &[]).contains("may be called"), "{name}");
    }
    let twice = serde_json::json!([piece("a", 0), piece("a", 0)]);
    assert!(with(twice, &[]).contains("two pieces"));
    let bomb = serde_json::json!([piece("a", 1 << 40)]);
    assert!(with(bomb, &[]).contains("larger than"));
    let sum = serde_json::json!([piece("a", u64::MAX), piece("b", 2)]);
    assert!(with(sum, &[]).contains("larger than"));
    let one = serde_json::json!([piece("a", 0)]);
    for kind in [::tar::EntryType::Symlink, ::tar::EntryType::Link, ::tar::EntryType::Fifo] {
        let mut block = header("a", 0);
        block.set_entry_type(kind);
        block.set_cksum();
        let rest = [&block.as_bytes()[..], &[0; 1024]].concat();
        assert!(with(one.clone(), &rest).contains("something else is"));
    }
    let blocks = ["a", "b"].map(|name| *header(name, 0).as_bytes());
    let extra = blocks.concat();
    assert!(with(one, &[&extra[..], &[0; 1024]].concat()).contains("more than"));
    let mut newer = text.clone();
    newer["schema_version"] = "driftline.evidence/v2".into();
    assert!(made.refuses(&made.signed(&newer.to_string(), &[])).contains("schema version"));
}

#[test]
fn the_key_is_for_its_owner_only_and_stays() {
    use std::os::unix::fs::PermissionsExt as _;
    let made = made();
    let path = made.directory.path().join("evidence-key.pem");
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = key::load(None, made.directory.path()).unwrap();
    assert_eq!(again.public(), made.key.public());
    let public = PublicKey::read(&made.directory.path().join(key::PUBLIC)).unwrap();
    assert_eq!(&public, made.key.public());
}
