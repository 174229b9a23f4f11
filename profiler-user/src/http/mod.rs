//! What an agent tells over HTTP: its metrics, and whether it is well.

mod health;
mod metrics;
mod namespaces;
#[cfg(test)]
mod rules;
mod server;

pub use health::{Health, Stage};
pub use metrics::{Containers, Metrics};
pub use server::{Server, ServerError};
