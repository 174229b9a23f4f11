//! Answers of Docker's API, as far as Driftline reads them. Podman leaves out or nulls what it does not have.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer};

/// A field that may be missing or null.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Version {
    pub(crate) version: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) components: Vec<Component>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Component {
    #[serde(default)]
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Listed {
    pub(crate) id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) created: String,
    /// With a leading `/`.
    pub(crate) name: String,
    /// The image's id: the config digest, unless the engine keeps images in containerd's store.
    pub(crate) image: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) log_path: String,
    pub(crate) state: ContainerState,
    pub(crate) config: ContainerConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ContainerState {
    pub(crate) status: String,
    pub(crate) pid: u32,
    pub(crate) exit_code: i32,
    #[serde(rename = "OOMKilled")]
    pub(crate) oom_killed: bool,
    #[serde(deserialize_with = "or_default")]
    pub(crate) error: String,
    pub(crate) started_at: String,
    pub(crate) finished_at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ContainerConfig {
    /// As the user wrote it.
    pub(crate) image: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) labels: HashMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Image {
    pub(crate) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) repo_tags: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) repo_digests: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) architecture: String,
}

/// A container's end; older engines have its id at the top, newer in `Actor`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Event {
    id: String,
    #[serde(rename = "Actor")]
    actor: Actor,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
}

impl Event {
    pub(crate) fn id(&self) -> &str {
        if self.actor.id.is_empty() { &self.id } else { &self.actor.id }
    }
}
