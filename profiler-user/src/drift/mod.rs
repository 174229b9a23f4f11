//! What a container does that its baseline does not hold: how grave, told in a sentence, counted,
//! and written down as events.
//!
//! [`kind`] names what there is, [`severity`] grades it, [`sentence`] tells it, [`aggregate`]
//! counts repeats, [`event`] is the record, [`chain`] ties records together.

pub mod aggregate;
pub mod chain;
pub mod event;
pub mod fingerprint;
pub mod kind;
pub mod sentence;
pub mod severity;
mod show;

#[cfg(test)]
pub(crate) mod sample;

pub use aggregate::{Aggregator, Told};
pub use event::{
    Action, BaselineSignature, BaselineStatus, Confidence, Context, Event, Incident, IncidentHop,
    Node, Notice, Origin, Party, Repeated, Sighting,
};
pub use kind::{DriftKind, Finding, Novelty};
pub use severity::Severity;
pub(crate) use show::clean;
