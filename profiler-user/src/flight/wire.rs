//! Numbers and frames of the behaviour log.
//!
//! A segment is [`MAGIC`] and frames; a frame is its length, the first eight bytes of its SHA-256, and records. A record is a
//! tag, and behind it numbers (LEB128) or a text with its length. Containers, actors and deeds are told of before they are
//! meant, and are numbered by the order in which they are told of, from 0 in each segment: so that any may be removed.

use sha2::{Digest as _, Sha256};

/// With the version of the format.
pub(super) const MAGIC: &[u8; 16] = b"driftline-fl/v1\n";

/// JSON: which key hashed the secrets.
pub(super) const HEADER: u8 = 0;
/// JSON: a container's identity.
pub(super) const CONTAINER: u8 = 1;
/// JSON: an [`Actor`](super::Actor).
pub(super) const ACTOR: u8 = 2;
/// An actor's number, and JSON: a [`Deed`](super::Deed).
pub(super) const DEED: u8 = 3;
/// A container's number, nanoseconds since the entry before (zigzag), a deed's number, a pid.
pub(super) const ENTRY: u8 = 4;
/// So many entries were left out.
pub(super) const LEFT_OUT: u8 = 5;

/// Longer ones are damage.
pub(super) const FRAME_MAX: usize = 16 << 20;

/// Length and checksum.
pub(super) const FRAME_HEAD: usize = 12;

pub(super) fn put(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    to.push(u8::try_from(number).unwrap_or(0));
}

pub(super) fn put_text(to: &mut Vec<u8>, text: &[u8]) {
    put(to, text.len() as u64);
    to.extend_from_slice(text);
}

pub(super) const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

pub(super) const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

pub(super) fn frame_head(frame: &[u8]) -> [u8; FRAME_HEAD] {
    let mut head = [0; FRAME_HEAD];
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..].copy_from_slice(&Sha256::digest(frame)[..8]);
    head
}

/// What is left to be read.
#[derive(Clone, Copy)]
pub(super) struct Rest<'a>(pub(super) &'a [u8]);

impl<'a> Rest<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    #[inline]
    pub(super) fn number(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            if shift >= 64 {
                return None;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
            shift += 7;
        }
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
}
