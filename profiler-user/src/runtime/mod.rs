//! What container runtimes know: who a container is, asked over their sockets.
//!
//! [`Resolver`] is what the agent talks to. It keeps one connection per [`Endpoint`], to the CRI (containerd, CRI-O,
//! cri-dockerd) or to Docker's API (Docker, Podman), and asks until it has an answer or has no patience left.

mod cache;
mod client;
mod cri;
mod docker;
mod endpoint;
mod error;
mod image;
mod resolver;

use crate::container::Identity;

pub(crate) use client::Told;
pub use client::{Client, Runtime};
pub use endpoint::{Discovery, Endpoint, InvalidEndpoint};
pub use error::Error;
pub use resolver::{Answer, Config, EndpointHealth, Health, Resolver, State};

/// What a runtime says about one container or sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    pub identity: Identity,
    /// It does not run any more. A container's exit code is then in `identity`.
    pub ended: bool,
}

#[cfg(test)]
mod tests;
