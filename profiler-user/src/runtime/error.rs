//! What can go wrong between us and a runtime. Every message names the socket, what happened and what to do.

use std::{io, time::Duration};

use thiserror::Error;

#[derive(Clone, Debug, Error)]
pub enum Error {
    #[error("cannot connect to {endpoint}: {why}; {}", advice(*.kind))]
    Connect { endpoint: String, kind: io::ErrorKind, why: String },
    #[error(
        "what listens on {endpoint} is no container runtime: asked for the CRI's version it {cri}, and for Docker's, it \
         {docker}; give --runtime-endpoint the socket of containerd, CRI-O, Docker or Podman"
    )]
    NotARuntime { endpoint: String, cri: String, docker: String },
    #[error(
        "{endpoint} did not answer {call} within {} s; see the runtime's own log, it may hang or be overloaded",
        .timeout.as_secs_f32()
    )]
    Timeout { endpoint: String, call: &'static str, timeout: Duration },
    #[error("lost the connection to {endpoint} in {call}: {why}; is the runtime being restarted?")]
    Lost { endpoint: String, call: &'static str, why: String },
    #[error("{endpoint} does not offer {call}: {why}; a newer version of the runtime may")]
    Unimplemented { endpoint: String, call: &'static str, why: String },
    #[error("{endpoint} refused {call}: {why}; see the runtime's own log")]
    Refused { endpoint: String, call: &'static str, why: String },
    #[error(
        "{count} containers of {endpoint} have the id {id}, so none of them can be told to be it; see the runtime's own log"
    )]
    Ambiguous { endpoint: String, id: String, count: usize },
}

/// What to do about a socket that cannot be connected to.
fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => {
            "start the runtime, or give its socket as --runtime-endpoint; in a pod it must be mounted"
        }
        io::ErrorKind::ConnectionRefused => "nobody listens there: start the runtime",
        io::ErrorKind::PermissionDenied => "run driftline as root",
        _ => "start the runtime",
    }
}

impl Error {
    pub(super) fn connect(endpoint: &str, error: &io::Error) -> Self {
        Self::Connect { endpoint: endpoint.to_owned(), kind: error.kind(), why: error.to_string() }
    }

    /// The connection is of no use any more, as far as one call can tell.
    pub(super) fn is_of_connection(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::NotARuntime { .. }
                | Self::Timeout { .. }
                | Self::Lost { .. }
        )
    }

    /// There is no runtime, and waiting will hardly bring one: an answer from another endpoint is final.
    pub(super) fn is_no_runtime(&self) -> bool {
        match self {
            Self::NotARuntime { .. } => true,
            Self::Connect { kind, .. } => {
                matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
            }
            _ => false,
        }
    }
}
