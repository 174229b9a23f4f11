//! The key that bundles are signed with: one that is given, or one that is made beside the history.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};

use crate::attest::SigningKey;

const PRIVATE: &str = "evidence-key.pem";
/// What [`bundle::verify`](super::bundle::verify) goes by where no other key is given.
pub const PUBLIC: &str = "evidence-key.pub";

/// The given key, else the store's, which is made where there is none: readable by its owner only, its public half beside it.
///
/// # Errors
/// One sentence: what cannot be read or written.
pub fn load(given: Option<&Path>, store: &Path) -> Result<SigningKey, String> {
    if let Some(path) = given {
        return SigningKey::read(path).map_err(|error| error.to_string());
    }
    let path = store.join(PRIVATE);
    if !path.exists() {
        make(&path, &store.join(PUBLIC))
            .map_err(|error| format!("cannot make the key {}: {error}", path.display()))?;
    }
    SigningKey::read(&path).map_err(|error| error.to_string())
}

/// The public one first: a private key without it would sign what nobody can verify.
fn make(private: &Path, public: &Path) -> io::Result<()> {
    let seed = crate::redact::throw_away_key().map_err(io::Error::other)?;
    let key = ed25519_dalek::SigningKey::from_bytes(&seed);
    let open = key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(io::Error::other)?;
    let secret = key.to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
    write(public, open.as_bytes(), 0o644)?;
    write(private, secret.as_bytes(), 0o600)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = PathBuf::from(format!("{}.{}", path.display(), ulid::Ulid::new()));
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}
