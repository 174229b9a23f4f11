//! What the tests share with the tasks: running programs, the libraries these load, and images of containers.

pub mod libraries;
pub mod oci;
pub mod sh;
