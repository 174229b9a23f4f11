//! The content of files that a container chose: within a time, and without the secrets that rules find in it.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::time::Instant;

use crate::redact::Redactor;

/// Reads until a moment: what a container offers may be endless, sparse, or on a slow disk.
pub(super) struct Timed<'a> {
    pub(super) file: &'a mut File,
    pub(super) until: Instant,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.until {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "there was no time left for it"));
        }
        self.file.read(buffer)
    }
}

/// Of a file that holds secrets there is its hash alone: by its name, or because the rules find one in its first `most` bytes of text.
pub(super) fn is_secret(
    path: &str,
    file: &mut File,
    most: u64,
    redactor: &Redactor,
) -> io::Result<bool> {
    const NAMES: [&str; 9] = [
        "/etc/shadow",
        "/etc/gshadow",
        "/.ssh/id_",
        "/.aws/credentials",
        "/.kube/config",
        "/.docker/config.json",
        "/secrets/kubernetes.io/",
        ".pgpass",
        ".netrc",
    ];
    if NAMES.iter().any(|name| path.contains(name)) {
        return Ok(true);
    }
    let mut bytes = Vec::new();
    (&mut *file).take(most).read_to_end(&mut bytes)?;
    file.rewind()?;
    let marker = b"PRIVATE KEY-----";
    if bytes.windows(marker.len()).any(|window| window == marker) {
        return Ok(true);
    }
    // A program's own bytes are kept as they are: they are what is asked for.
    if bytes.contains(&0) {
        return Ok(false);
    }
    let text = String::from_utf8_lossy(&bytes);
    let cleaned = |line: &str| redactor.redact_text(line) != line;
    Ok(text.lines().any(cleaned))
}
