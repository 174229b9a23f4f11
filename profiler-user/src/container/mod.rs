//! Which container: what the runtime and Kubernetes call the thing behind a cgroup.

mod shipped;
mod identity;
pub mod locate;
pub mod path;

pub(crate) use shipped::{Shipped, Tree};
pub use identity::{ContainerId, Identity, ImageIdentity, Pod, Role, Source};
