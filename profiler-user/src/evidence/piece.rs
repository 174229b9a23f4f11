//! What a collector hands over: files of the bundle, and what it could not have.

use serde::{Deserialize, Serialize};

/// One file of the bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Where it lies in the bundle: relative, parts joined by `/`, none of them empty, `.` or `..`.
    pub name: String,
    /// As it goes into the bundle: redacted already.
    pub content: Vec<u8>,
}

/// What belongs into the bundle and is not there.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Missing {
    /// The name it would have.
    pub name: String,
    /// One clause: why not.
    pub why: String,
}

/// What one collector found. It never fails as a whole: what it could not have is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    pub pieces: Vec<Piece>,
    pub missing: Vec<Missing>,
}

impl Collected {
    pub fn piece(&mut self, name: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.pieces.push(Piece { name: name.into(), content: content.into() });
    }

    pub fn missing(&mut self, name: impl Into<String>, why: impl Into<String>) {
        self.missing.push(Missing { name: name.into(), why: why.into() });
    }

    pub fn and(&mut self, mut more: Self) {
        self.pieces.append(&mut more.pieces);
        self.missing.append(&mut more.missing);
    }
}
