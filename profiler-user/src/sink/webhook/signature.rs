//! Who sent a request, and that nobody changed it: a keyed hash over the time and the body.

use std::fmt::{self, Write as _};
use std::io;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

/// What sender and receiver share.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl Key {
    /// The bytes of a file, without a line break at its end.
    ///
    /// # Errors
    /// Where it cannot be read, or holds fewer than sixteen bytes: those can be guessed.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = std::fs::read(path)?;
        while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            bytes.pop();
        }
        if bytes.len() < 16 {
            return Err(io::Error::other("it holds fewer than 16 bytes"));
        }
        Ok(Self(bytes))
    }

    /// `t=SECONDS,v1=HEX`: HMAC-SHA-256 over the seconds as text, a full stop, and the body. The time is part of it so that a
    /// receiver can refuse what somebody recorded and sends again.
    pub(super) fn sign(&self, now: Timestamp, body: &[u8]) -> String {
        let seconds = now.as_second().to_string();
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(seconds.as_bytes());
        mac.update(b".");
        mac.update(body);
        let mut text = format!("t={seconds},v1=");
        for byte in mac.finalize().into_bytes() {
            let _never_fails = write!(text, "{byte:02x}");
        }
        text
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}
