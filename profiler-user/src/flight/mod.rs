//! The flight recorder: what containers did, whether it was drift or not.
//!
//! Two things come of each observation. [`Recent`] keeps a container's last moments in memory, and an event takes them along
//! as `context.before`. [`Log`] appends everything to the *behaviour log*, segment files beside the history, which outlive the
//! container and the agent; `driftline replay` judges them anew.
//!
//! **Invariant:** the log holds what was redacted already: arguments meet [`redact`](crate::redact) where they are decoded.
//!
//! **Invariant:** the log never holds up the agent: whoever cannot keep up is the log, and it says what it left out.

mod deed;
mod log;
mod moment;
mod recorded;
mod segment;
mod wire;
mod writer;

pub use self::deed::Done;
pub use self::log::{Log, Place};
pub use self::moment::{Moment, Recent};
pub(crate) use self::recorded::{Recorded, recorded};
pub(crate) use self::segment::{FlightError, Segment, Step, segments};
pub use self::writer::Shelf;

/// The log's directory, in the one of the history.
pub(crate) const DIRECTORY: &str = "flight";

#[cfg(test)]
mod tests;
