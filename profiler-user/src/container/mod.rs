//! Which container: what the runtime and Kubernetes call the thing behind a cgroup.

mod before;
mod identity;
pub mod locate;
pub mod path;

pub(crate) use before::Before;
pub use identity::{ContainerId, Identity, ImageIdentity, Pod, Role, Source};
