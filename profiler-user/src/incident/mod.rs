//! Incidents that a running agent finds by itself: drift that went from pod to pod.
//!
//! [`Chains`] is pure: hops as [`lateral`](crate::investigate::lateral) finds them go in, and what is to be told comes
//! out. [`Finder`] follows the store and asks for hops when something drifted that could be part of one. What was told is
//! read from the events themselves, so nothing is told twice, whoever told it and whenever.

mod chains;
mod finder;
mod words;

pub use chains::{Chain, Chains};
pub(crate) use finder::Finder;

#[cfg(test)]
mod tests;
