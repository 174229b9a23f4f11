//! Who answers for a baseline: an in-toto statement about its image, signed, in a DSSE envelope beside it.
//!
//! [`dsse`] is the envelope, [`key`] what signs and verifies, [`trust`] a directory of keys, [`statement`] what is claimed,
//! [`verify`] the order in which it is believed, [`file`] where it is.

pub mod dsse;
pub mod file;
pub mod key;
pub mod statement;
mod strict;
pub mod trust;
pub mod verify;

#[cfg(test)]
pub(crate) mod openssl;

pub use dsse::Envelope;
pub use file::{
    check, envelope_path, parse_envelope, read_envelope, said_once, unchecked, write_envelope,
};
pub use key::{KeyError, KeyId, PublicKey, SigningKey};
pub use statement::{Claim, Statement};
pub(crate) use strict::is_said_once;
pub use trust::{Trust, TrustError};
pub(crate) use verify::unverified;
pub use verify::{Reason, Refusal, Verified, verify};
