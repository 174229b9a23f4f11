//! The envelope: DSSE 1.0.2. What is signed is the payload with its type, as [`pae`] writes them down.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use super::key::{KeyId, PublicKey, SigningKey};

/// More signatures than anybody gives; each costs a verification with every trusted key.
const SIGNATURES_MAX: usize = 64;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    pub payload_type: String,
    /// Base64.
    pub payload: String,
    pub signatures: Vec<Signature>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Signature {
    /// A hint that nobody has signed: nothing is decided by it.
    #[serde(default)]
    pub keyid: Option<String>,
    /// Base64.
    pub sig: String,
}

/// A payload that trusted keys have signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    pub payload_type: String,
    pub payload: Vec<u8>,
    /// Each key once.
    pub keys: Vec<KeyId>,
}

#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    #[error("its payload is no base64")]
    Payload,
    #[error("it has {0} signatures, more than {SIGNATURES_MAX}")]
    TooMany(usize),
    #[error("none of its {0} signatures is by a trusted key")]
    Untrusted(usize),
}

/// The pre-authentication encoding: no two pairs of type and body have the same.
pub fn pae(payload_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), body.len());
    [head.as_bytes(), body].concat()
}

impl Envelope {
    pub fn new(payload_type: &str, payload: &[u8]) -> Self {
        let payload_type = payload_type.to_owned();
        Self { payload_type, payload: encode(payload), signatures: Vec::new() }
    }

    /// Adds a signature; one that this key gave before is replaced.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), OpenError> {
        let payload = decode(&self.payload).ok_or(OpenError::Payload)?;
        let keyid = Some(key.public().id().to_string());
        let sig = encode(&key.sign(&pae(&self.payload_type, &payload)));
        self.signatures.retain(|signature| signature.keyid != keyid);
        self.signatures.push(Signature { keyid, sig });
        Ok(())
    }

    /// The payload, whoever signed it: for what is decided where nobody is trusted.
    pub(crate) fn unverified(&self) -> Result<Vec<u8>, OpenError> {
        decode(&self.payload).ok_or(OpenError::Payload)
    }

    /// The payload, decoded once, if at least one of `trusted` has signed it.
    pub fn open(&self, trusted: &[PublicKey]) -> Result<Opened, OpenError> {
        let payload = decode(&self.payload).ok_or(OpenError::Payload)?;
        if self.signatures.len() > SIGNATURES_MAX {
            return Err(OpenError::TooMany(self.signatures.len()));
        }
        let message = pae(&self.payload_type, &payload);
        let signatures: Vec<_> =
            self.signatures.iter().filter_map(|signature| decode(&signature.sig)).collect();
        let has_signed =
            |key: &&PublicKey| signatures.iter().any(|sig| key.verifies(&message, sig));
        let mut keys: Vec<_> = trusted.iter().filter(has_signed).map(PublicKey::id).collect();
        keys.sort();
        keys.dedup();
        if keys.is_empty() {
            return Err(OpenError::Untrusted(self.signatures.len()));
        }
        Ok(Opened { payload_type: self.payload_type.clone(), payload, keys })
    }
}

fn encode(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Verifiers must take both alphabets.
fn decode(text: &str) -> Option<Vec<u8>> {
    let standard = GeneralPurpose::new(&STANDARD, LENIENT);
    let url_safe = GeneralPurpose::new(&URL_SAFE, LENIENT);
    standard.decode(text).or_else(|_| url_safe.decode(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published vector's key, in PEM.
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ805D3eqNZywjCI19lInBJOp7YMr\n\
CrzAH3CVTAOQ0jgMeCvVTiaRJaRPRDOv8UMs6U4SvKc6pnrIDOoSYI3fdA==\n\
-----END PUBLIC KEY-----\n";
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCDXPsQ3/WNG42GcXr/f\n\
/w9pFoBJVa0yrJrEkrDt4fb/tw==\n\
-----END PRIVATE KEY-----\n";
    const VECTOR: &str = r#"{"payload": "aGVsbG8gd29ybGQ=", "payloadType": "http://example.com/HelloWorld",
        "signatures": [{"sig":
        "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}"#;

    fn vector() -> (Envelope, PublicKey) {
        (serde_json::from_str(VECTOR).unwrap(), PublicKey::parse(PUBLIC).unwrap())
    }

    #[test]
    fn the_published_vector_is_verified() {
        let (vector, key) = vector();
        let encoded = pae(&vector.payload_type, b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        let opened = vector.open(std::slice::from_ref(&key)).unwrap();
        assert_eq!((opened.payload.as_slice(), opened.keys), (&b"hello world"[..], vec![key.id()]));
    }

    #[test]
    fn the_published_key_signs_as_published_but_in_der() {
        let (vector, key) = vector();
        let private = SigningKey::parse(PRIVATE).unwrap();
        assert_eq!(private.public(), &key);
        let der = private.sign(&pae(&vector.payload_type, b"hello world"));
        let raw = p256::ecdsa::Signature::from_der(&der).unwrap().to_bytes();
        assert_eq!(encode(&raw), vector.signatures[0].sig);
        let mut ours = Envelope::new(&vector.payload_type, b"hello world");
        ours.sign(&private).unwrap();
        ours.sign(&private).unwrap();
        assert_eq!(ours.signatures.len(), 1);
        assert!(ours.open(&[key]).is_ok());
    }

    #[test]
    fn both_alphabets_are_taken_with_and_without_padding() {
        let bytes = [0xfb, 0xff, 0xfe, 0x3e];
        for text in ["+//+Pg==", "-__-Pg==", "+//+Pg", "-__-Pg"] {
            assert_eq!(decode(text).as_deref(), Some(&bytes[..]), "{text}");
        }
        assert_eq!((decode("+__-Pg"), decode("*")), (None, None));
    }

    #[test]
    fn whatever_is_changed_is_no_longer_signed() {
        let (vector, key) = vector();
        let untrusted = Err(OpenError::Untrusted(1));
        let other_type = Envelope { payload_type: "other".to_owned(), ..vector.clone() };
        assert_eq!(other_type.open(std::slice::from_ref(&key)), untrusted);
        let other_payload = Envelope { payload: encode(b"hello worlds"), ..vector.clone() };
        assert_eq!(other_payload.open(std::slice::from_ref(&key)), untrusted);
        let swapped = Envelope {
            payload: vector.signatures[0].sig.clone(),
            signatures: vec![Signature { keyid: None, sig: vector.payload.clone() }],
            ..vector.clone()
        };
        assert_eq!(swapped.open(std::slice::from_ref(&key)), untrusted);
        assert_eq!(vector.open(&[]), untrusted);
        let none = Envelope { signatures: Vec::new(), ..vector.clone() };
        assert_eq!(none.open(std::slice::from_ref(&key)), Err(OpenError::Untrusted(0)));
        let many =
            Envelope { signatures: vec![vector.signatures[0].clone(); 65], ..vector.clone() };
        assert_eq!(many.open(std::slice::from_ref(&key)), Err(OpenError::TooMany(65)));
        let no_base64 = Envelope { payload: "*".to_owned(), ..vector };
        assert_eq!(no_base64.open(&[key]), Err(OpenError::Payload));
    }

    #[test]
    fn a_keyid_decides_nothing_and_one_good_signature_is_enough() {
        let (mut vector, key) = vector();
        let lies = Signature { keyid: Some(key.id().to_string()), sig: encode(&[1; 64]) };
        vector.signatures[0].keyid = Some("somebody else".to_owned());
        vector.signatures.insert(0, lies);
        assert_eq!(vector.open(&[key.clone(), key.clone()]).unwrap().keys, [key.id()]);
    }
}
