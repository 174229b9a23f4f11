//! Which container: what the runtime and Kubernetes call the thing behind a cgroup.

mod identity;
pub mod locate;
pub mod path;
mod shipped;

pub use identity::{ContainerId, Identity, ImageIdentity, Pod, Role, Source};
pub(crate) use shipped::{Shipped, Tree};
