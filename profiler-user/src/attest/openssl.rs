//! Keys that openssl made, and its word on what we sign and what it signed: an independent implementation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::dsse::{Envelope, Signature, pae};
use super::key::{PublicKey, SigningKey};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Algorithm {
    Ed25519,
    P256,
}

/// A key pair in two PEM files.
pub(crate) struct Pair {
    directory: tempfile::TempDir,
    algorithm: Algorithm,
}

/// openssl with these words; whether it said yes.
fn openssl<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(
    directory: &Path,
    words: I,
) -> bool {
    let mut openssl = Command::new("openssl");
    let output = openssl.args(words).current_dir(directory).output().expect("openssl is installed");
    output.status.success()
}

impl Pair {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sort: &[&str] = match algorithm {
            Algorithm::Ed25519 => &["-algorithm", "ed25519"],
            Algorithm::P256 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        };
        let make = ["genpkey", "-out", "key.pem"].iter().chain(sort);
        assert!(openssl(directory.path(), make));
        assert!(openssl(
            directory.path(),
            ["pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem"]
        ));
        Self { directory, algorithm }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn signing(&self) -> SigningKey {
        SigningKey::read(&self.path("key.pem")).unwrap()
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::read(&self.path("pub.pem")).unwrap()
    }

    fn openssl_signs(&self, message: &[u8]) -> Vec<u8> {
        fs::write(self.path("message"), message).unwrap();
        let words: &[&str] = match self.algorithm {
            Algorithm::Ed25519 => &[
                "pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "message", "-out", "sig",
            ],
            Algorithm::P256 => &["dgst", "-sha256", "-sign", "key.pem", "-out", "sig", "message"],
        };
        assert!(openssl(self.directory.path(), words));
        fs::read(self.path("sig")).unwrap()
    }

    fn openssl_verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        fs::write(self.path("message"), message).unwrap();
        fs::write(self.path("sig"), signature).unwrap();
        let words: &[&str] = match self.algorithm {
            Algorithm::Ed25519 => &[
                "pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", "-rawin", "-in", "message",
                "-sigfile", "sig",
            ],
            Algorithm::P256 => {
                &["dgst", "-sha256", "-verify", "pub.pem", "-signature", "sig", "message"]
            }
        };
        openssl(self.directory.path(), words)
    }
}

fn decoded(base64: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(base64).unwrap()
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE.encode(bytes)
}

#[test]
fn openssl_verifies_what_we_sign_and_nothing_else() {
    for algorithm in [Algorithm::Ed25519, Algorithm::P256] {
        let pair = Pair::new(algorithm);
        let mut envelope = Envelope::new("a/b+json", b"{\"a\": 1}");
        envelope.sign(&pair.signing()).unwrap();
        let signature = decoded(&envelope.signatures[0].sig);
        let message = pae("a/b+json", b"{\"a\": 1}");
        assert!(pair.openssl_verifies(&message, &signature), "{algorithm:?}");
        let other = pae("a/b+json", b"{\"a\": 2}");
        assert!(!pair.openssl_verifies(&other, &signature), "{algorithm:?}");
    }
}

#[test]
fn what_openssl_signs_is_verified_and_nothing_else() {
    for algorithm in [Algorithm::Ed25519, Algorithm::P256] {
        let pair = Pair::new(algorithm);
        // ECDSA has a random part: half of its signatures have a high s.
        for _ in 0..8 {
            let mut envelope = Envelope::new("a/b+json", b"{\"a\": 1}");
            let mut sig = pair.openssl_signs(&pae("a/b+json", b"{\"a\": 1}"));
            envelope.signatures.push(Signature { keyid: None, sig: encoded(&sig) });
            let opened = envelope.open(&[pair.public()]).unwrap();
            assert_eq!((opened.payload.as_slice(), opened.keys.len()), (&b"{\"a\": 1}"[..], 1));
            *sig.last_mut().unwrap() ^= 1;
            envelope.signatures[0].sig = encoded(&sig);
            assert!(envelope.open(&[pair.public()]).is_err(), "{algorithm:?}");
        }
        let stranger = Pair::new(algorithm);
        let mut envelope = Envelope::new("a/b+json", b"{}");
        envelope.sign(&stranger.signing()).unwrap();
        assert!(envelope.open(&[pair.public()]).is_err(), "{algorithm:?}");
        assert!(envelope.open(&[pair.public(), stranger.public()]).is_ok(), "{algorithm:?}");
    }
}

#[test]
fn what_is_no_key_is_refused_with_what_is_wanted() {
    let pair = Pair::new(Algorithm::P256);
    let directory = pair.directory.path();
    let traditional = ["ec", "-in", "key.pem", "-out", "ec.pem"];
    assert!(openssl(directory, traditional));
    let encrypt =
        ["pkcs8", "-topk8", "-in", "key.pem", "-passout", "pass:x", "-out", "encrypted.pem"];
    assert!(openssl(directory, encrypt));
    let rsa =
        ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", "rsa.pem"];
    assert!(openssl(directory, rsa));
    assert!(openssl(directory, ["pkey", "-in", "rsa.pem", "-pubout", "-out", "rsapub.pem"]));
    fs::write(pair.path("text"), "hello").unwrap();
    fs::write(pair.path("der"), [0x30, 0xff]).unwrap();
    let public = fs::read_to_string(pair.path("pub.pem")).unwrap();
    fs::write(pair.path("cut"), &public[..public.len() / 2]).unwrap();
    fs::write(pair.path("huge"), "x".repeat(100_000)).unwrap();
    let private = |name| SigningKey::read(&pair.path(name)).unwrap_err().to_string();
    let public = |name| PublicKey::read(&pair.path(name)).unwrap_err().to_string();
    for (said, expected) in [
        (public("key.pem"), "it is a private key, and a public one is wanted"),
        (public("ec.pem"), "it is a private key, and a public one is wanted"),
        (public("text"), "a public key in PEM form is wanted"),
        (public("der"), "it is no text"),
        (public("cut"), "neither Ed25519 nor ECDSA P-256, or it is damaged"),
        (public("rsapub.pem"), "neither Ed25519 nor ECDSA P-256, or it is damaged"),
        (public("huge"), "larger than 16384 bytes"),
        (public("absent"), "cannot read the key"),
        (private("pub.pem"), "it is a public key, and the private one is wanted"),
        (private("ec.pem"), "openssl pkcs8 -topk8 -nocrypt"),
        (private("encrypted.pem"), "it is encrypted"),
        (private("rsa.pem"), "neither Ed25519 nor ECDSA P-256, or it is damaged"),
        (private("text"), "a private key in PEM form is wanted"),
    ] {
        assert!(said.contains(expected), "{said}");
    }
}
