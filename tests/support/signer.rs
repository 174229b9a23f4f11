//! Somebody who signs baselines and attestations: a key of openssl's, and the directory that trusts it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::driftline;

const IN_TOTO: &str = "application/vnd.in-toto+json";

pub struct Signer {
    key: PathBuf,
    trust: PathBuf,
}

impl Signer {
    /// `own.pem`, and `trust/own.pub`.
    pub fn new(directory: &Path) -> Self {
        let (key, trust) = (directory.join("own.pem"), directory.join("trust"));
        fs::create_dir_all(&trust).expect("the directory is writable");
        openssl(["genpkey", "-algorithm", "ed25519", "-out"].map(OsStr::new), &[&key]);
        let public = trust.join("own.pub");
        openssl(["pkey", "-pubout", "-in"].map(OsStr::new), &[&key, Path::new("-out"), &public]);
        Self { key, trust }
    }

    /// For `--key`.
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// For `--trust`.
    pub fn trust(&self) -> &Path {
        &self.trust
    }

    /// `driftline baseline sign`, which leaves the envelope beside the baseline.
    pub fn sign(&self, baseline: &Path, flags: &[&str]) {
        let mut sign = Command::new(driftline());
        sign.args(["baseline", "sign", "--key"]).arg(&self.key).args(flags).arg(baseline);
        let output = sign.output().expect("driftline runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Signer {
    /// A DSSE envelope with this in-toto statement, signed by openssl.
    pub fn attest(&self, statement: &Value) -> Value {
        let text = statement.to_string();
        let [message, signature] =
            ["message", "signature"].map(|name| self.key.with_extension(name));
        // DSSE's pre-authentication encoding.
        let encoded = format!("DSSEv1 {} {IN_TOTO} {} {text}", IN_TOTO.len(), text.len());
        fs::write(&message, encoded).expect("the directory is writable");
        let [key, out] = ["-inkey", "-out"].map(Path::new);
        let sign = ["pkeyutl", "-sign", "-rawin", "-in"].map(OsStr::new);
        openssl(sign, &[&message, key, &self.key, out, &signature]);
        let payload = self.key.with_extension("payload");
        fs::write(&payload, text).expect("the directory is writable");
        json!({
            "payloadType": IN_TOTO,
            "payload": base64(&payload),
            "signatures": [{"sig": base64(&signature)}],
        })
    }
}

fn base64(file: &Path) -> String {
    let words = ["base64", "-A", "-in"].map(OsStr::new);
    String::from_utf8(openssl(words, &[file])).expect("base64")
}

fn openssl<const N: usize>(words: [&OsStr; N], paths: &[&Path]) -> Vec<u8> {
    let output = Command::new("openssl").args(words).args(paths).output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
