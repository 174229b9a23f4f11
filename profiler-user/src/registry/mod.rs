//! Baselines in a registry of images: OCI artifacts whose subject is the image that they are of.
//!
//! [`reference`] names an image, [`client`] asks over HTTP, [`auth`] says who asks, [`manifest`] is what is stored,
//! [`referrers`] what refers to an image, [`artifact`] a baseline and its envelope.
//!
//! **Invariant:** nothing that a registry gives is read before its size and digest were compared with what was asked for.

mod artifact;
mod auth;
mod client;
mod error;
mod login;
mod manifest;
mod reference;
mod referrers;
mod transfer;

pub use artifact::{Artifact, Found, Image, Pushed, find, pull, push};
pub use client::{Client, Options};
pub use error::RegistryError;
pub use manifest::Digest;
pub use reference::Reference;
