//! What is kept of a container that drifted, so that it can be looked at when the container is gone.
//!
//! [`collect`] takes it together, [`bundle`] is the file it is kept in, [`key`] what signs that, and `keeper` the agent's
//! task that decides when.

pub mod bundle;
pub mod collect;
pub(crate) mod keeper;
pub mod key;
mod piece;
pub mod runtime;
pub mod told;

pub use piece::{Collected, Missing, Piece};

/// Below the store.
pub const DIRECTORY: &str = "evidence";
