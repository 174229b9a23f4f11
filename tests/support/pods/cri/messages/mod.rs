//! The part of `runtime.v1`, the runtime interface of Kubernetes, that a kubelet needs for a pod.
//! Names and field numbers are the interface's; fields that nobody here sets or reads are left out.

mod container;
mod sandbox;

pub use container::*;
use prost::Message;
pub use sandbox::*;

/// The request for [`StatusResponse`], and an answer without content.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Empty {}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    pub status: Option<RuntimeStatus>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct RuntimeStatus {
    #[prost(message, repeated, tag = "1")]
    pub conditions: Vec<RuntimeCondition>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub struct RuntimeCondition {
    #[prost(string, tag = "1")]
    pub r#type: String,
    #[prost(bool, tag = "2")]
    pub status: bool,
    #[prost(string, tag = "4")]
    pub message: String,
}
