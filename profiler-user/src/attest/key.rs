//! Keys, as PEM: PKCS#8 to sign with, `SubjectPublicKeyInfo` to verify with. Ed25519, and ECDSA over P-256 with SHA-256.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _};
use p256::ecdsa::signature::Verifier as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A key is some hundred bytes; whatever is larger is something else.
const SIZE_MAX: u64 = 16 * 1024;

/// `sha256:…` of the public key's DER.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct KeyId(String);

/// What verifies.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicKey {
    id: KeyId,
    key: Public,
}

#[derive(Clone, Debug, PartialEq)]
enum Public {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
}

/// What signs. Its bytes are wiped when it is dropped.
pub struct SigningKey {
    public: PublicKey,
    key: Private,
}

enum Private {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read the key {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} holds no key: {reason}", path.display())]
    NoKey { path: PathBuf, reason: &'static str },
}

const PUBLIC_LABEL: &str = "-----BEGIN PUBLIC KEY-----";
const PRIVATE_LABEL: &str = "-----BEGIN PRIVATE KEY-----";

impl PublicKey {
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        read_as(path, Self::parse)
    }

    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if !text.contains(PUBLIC_LABEL) {
            return Err(if text.contains("PRIVATE KEY-----") {
                "it is a private key, and a public one is wanted; keep it secret, and make the public one \
                 with openssl pkey -pubout"
            } else {
                "it has no `BEGIN PUBLIC KEY`; a public key in PEM form is wanted (openssl pkey -pubout)"
            });
        }
        let text = text.trim();
        if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(text) {
            if key.is_weak() {
                return Err("it is a weak Ed25519 key, which anybody can sign for; make another");
            }
            return Ok(Self::new(Public::Ed25519(key)));
        }
        let key = p256::ecdsa::VerifyingKey::from_public_key_pem(text)
            .map_err(|_| "its key is neither Ed25519 nor ECDSA P-256, or it is damaged")?;
        Ok(Self::new(Public::P256(key)))
    }

    fn new(key: Public) -> Self {
        let der = match &key {
            Public::Ed25519(key) => key.to_public_key_der(),
            Public::P256(key) => key.to_public_key_der(),
        };
        let der = der.expect("a key of a fixed size has a DER");
        let hash = Sha256::digest(der.as_bytes());
        let id = hash.iter().fold("sha256:".to_owned(), |id, byte| format!("{id}{byte:02x}"));
        Self { id: KeyId(id), key }
    }

    pub fn id(&self) -> KeyId {
        self.id.clone()
    }

    /// P-256 signatures are DER, as cosign makes them, or r and s as they are, as in the published vector.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Public::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Public::P256(key) => {
                let raw = p256::ecdsa::Signature::from_slice(signature);
                let either = raw.or_else(|_| p256::ecdsa::Signature::from_der(signature));
                either.is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
        }
    }
}

impl SigningKey {
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        read_as(path, Self::parse)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if !text.contains(PRIVATE_LABEL) {
            return Err(if text.contains("BEGIN ENCRYPTED PRIVATE KEY") {
                "it is encrypted; decrypt it first, for example into a pipe: openssl pkey"
            } else if text.contains("BEGIN EC PRIVATE KEY") {
                "it is in an older form; turn it into PKCS#8 with openssl pkcs8 -topk8 -nocrypt"
            } else if text.contains(PUBLIC_LABEL) {
                "it is a public key, and the private one is wanted"
            } else {
                "it has no `BEGIN PRIVATE KEY`; a private key in PEM form is wanted \
                 (openssl genpkey -algorithm ed25519)"
            });
        }
        // openssl ecparam -genkey writes the curve's parameters before the key.
        let text = text[text.find(PRIVATE_LABEL).unwrap_or(0)..].trim();
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_pem(text) {
            let public = PublicKey::new(Public::Ed25519(key.verifying_key()));
            return Ok(Self { public, key: Private::Ed25519(key) });
        }
        let key = p256::ecdsa::SigningKey::from_pkcs8_pem(text)
            .map_err(|_| "its key is neither Ed25519 nor ECDSA P-256, or it is damaged")?;
        let public = PublicKey::new(Public::P256(*key.verifying_key()));
        Ok(Self { public, key: Private::P256(key) })
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// For P-256 in DER.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Private::Ed25519(key) => key.sign(message).to_vec(),
            Private::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public.id).finish_non_exhaustive()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn read_as<T>(path: &Path, parse: fn(&str) -> Result<T, &'static str>) -> Result<T, KeyError> {
    let no_key = |reason| KeyError::NoKey { path: path.to_owned(), reason };
    let bytes = crate::baseline::read_up_to(path, SIZE_MAX)
        .map_err(|source| KeyError::Unreadable { path: path.to_owned(), source })?;
    let text =
        str::from_utf8(&bytes).map_err(|_| no_key("it is no text; a key in PEM form is wanted"))?;
    parse(text).map_err(no_key)
}
