//! What is kept of a container that drifted, so that it can be looked at when the container is gone.

mod piece;
pub mod runtime;

pub use piece::{Collected, Missing, Piece};
