//! Questions that a responder asks of a history, as ready queries.
//!
//! Each question is one file here, a function from a [`History`] and a [`Selector`] to an answer that is data; how an
//! answer is printed is the business of `command/investigate`. An agent may be writing to the history meanwhile: all
//! that one [`History`] reads is of one moment.

mod before;
mod container;
mod history;
mod lateral;
mod members;
mod moment;
mod report;
mod scope;
mod seen;
mod select;
mod statement;
mod timeline;
mod told;
mod told_drift;

pub use before::{Before, Image, before};
pub use container::{Life, container};
pub use history::{History, HistoryError};
pub use lateral::{Chain, Confidence, Hop, Lateral, Place, dot, lateral, svg};
pub use members::{Members, members};
pub use moment::moment;
pub use report::{Form, Heading, Report, report};
pub use scope::{Scope, scope, scope_of};
pub use seen::{Occurrence, Seen, seen};
pub use select::Selector;
pub use timeline::{Entry, Gap, Moment, Timeline, timeline};
pub use told::Told;
pub(crate) use told_drift::{ToldDrift, told_drift};

#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
pub(crate) use tests::{history::laboratory, hostile::injected};
