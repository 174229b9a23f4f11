//! The bundle: a `.tar.zst` of a signed manifest and the pieces that it lists, in its order and no others.
//!
//! **Invariant:** a name in a bundle is made by Driftline: at most 100 bytes of letters, digits, `.`, `_`, `-` and `/`. What
//! a container chose stands inside of pieces only.

mod manifest;
mod read;
mod spool;
#[cfg(test)]
mod tests;
mod write;

pub use manifest::{Entry, Manifest, SCHEMA_VERSION, Why};
pub use read::{BundleError, Verified, extract, manifest, tar, verify};
pub(crate) use spool::hex;
pub use spool::{Kept, Spool};
pub use write::write;

/// What a bundle's pieces take at most, in bytes, before compression.
pub const SIZE_MAX: u64 = 256 << 20;
/// The manifest alone.
const MANIFEST_MAX: u64 = 8 << 20;
const PIECES_MAX: usize = 20_000;

const MANIFEST: &str = "manifest.json";
const ENVELOPE: &str = "manifest.dsse.json";
const PAYLOAD_TYPE: &str = "application/vnd.driftline.evidence+json";

/// Whether a piece may be called so.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    (1..=100).contains(&name.len())
        && name.bytes().all(is_plain)
        && name.split('/').all(|part| !["", ".", ".."].contains(&part))
        && ![MANIFEST, ENVELOPE].contains(&name)
}
