//! Somebody who signs baselines: a key of openssl's, and the directory that trusts it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::driftline;

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

fn openssl<const N: usize>(words: [&OsStr; N], paths: &[&Path]) {
    let output = Command::new("openssl").args(words).args(paths).output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
