//! Images of containers, written by hand: no daemon, no registry, the same bytes from the same files.

mod agent;
mod archive;
mod package;
mod tree;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

pub use agent::agent;
pub use archive::write_archive;
use archive::{Blob, MANIFEST};
pub use package::version;
use tree::Tree;

/// An image in the making: one layer, and what a container of it starts.
pub struct Image {
    reference: String,
    tree: Tree,
    entrypoint: Vec<String>,
    env: Vec<String>,
    user: Option<u32>,
    labels: serde_json::Map<String, serde_json::Value>,
}

/// A finished image, in memory.
pub struct Built {
    reference: String,
    layer: Blob,
    config: Blob,
    manifest: Blob,
    paths: BTreeSet<String>,
}

impl Image {
    /// An image without files, by its full reference: host, name and tag.
    pub fn new(reference: impl Into<String>) -> Self {
        Self {
            reference: reference.into(),
            tree: Tree::default(),
            entrypoint: Vec::new(),
            env: Vec::new(),
            user: None,
            labels: serde_json::Map::new(),
        }
    }

    /// Puts a file with these permissions at an absolute path.
    #[must_use]
    pub fn file(mut self, path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        self.tree.file(Path::new(path), mode, content.into());
        self
    }

    /// Makes a directory with these permissions. Those on the way to a file need no call: they get 0755.
    #[must_use]
    pub fn directory(mut self, path: &str, mode: u32) -> Self {
        self.tree.directory(Path::new(path), mode);
        self
    }

    /// The same for a directory that is a user's and of the group with the same number.
    #[must_use]
    pub fn owned_directory(mut self, path: &str, mode: u32, user: u32) -> Self {
        self.tree.owned_directory(Path::new(path), mode, user);
        self
    }

    /// Makes a symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.tree.link(Path::new(path), Path::new(target));
        self
    }

    /// Gives a file of the image a second name.
    #[must_use]
    pub fn hard_link(mut self, path: &str, target: &str) -> Self {
        self.tree.hard_link(Path::new(path), Path::new(target));
        self
    }

    /// Copies a program of this machine to a path of the image, and what it loads to where it is here.
    pub fn program(mut self, path: &str, source: &Path) -> Result<Self> {
        self.tree.program(Path::new(path), source)?;
        Ok(self)
    }

    /// Copies what Debian packages installed on this machine, without documentation and what lies below `without`, and
    /// what their programs load.
    pub fn packages(mut self, packages: &[&str], without: &[&str]) -> Result<Self> {
        self.tree.packages(packages, without)?;
        Ok(self)
    }

    /// Whose the container's first process is, and of the group with the same number. Without this it is root's.
    #[must_use]
    pub fn user(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// What a container of the image starts, where its pod names no command.
    #[must_use]
    pub fn entrypoint(mut self, words: &[&str]) -> Self {
        self.entrypoint = words.iter().map(ToString::to_string).collect();
        self
    }

    /// Adds a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push(format!("{name}={value}"));
        self
    }

    /// Adds a label, such as `org.opencontainers.image.version`.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.into());
        self
    }

    /// Writes the layer, the configuration and the manifest.
    pub fn build(self) -> Result<Built> {
        let paths = self.tree.paths();
        let layer = Blob::new(self.tree.pack()?);
        let env = [vec![PATH.to_owned()], self.env].concat();
        let mut config = json!({
            "architecture": architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": self.entrypoint,
                "Env": env,
                "Labels": self.labels,
                "WorkingDir": "/",
            },
            // A layer that is not compressed is named by the digest of what it holds.
            "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
            "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "driftline" }],
        });
        if let Some(user) = self.user {
            config["config"]["User"] = json!(format!("{user}:{user}"));
        }
        let config = Blob::json(&config);
        let manifest = Blob::json(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
            "layers": [layer.descriptor("application/vnd.oci.image.layer.v1.tar")],
        }));
        Ok(Built { reference: self.reference, layer, config, manifest, paths })
    }
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// This machine's architecture, as Go names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

impl Built {
    /// The reference that the image is imported under.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The digest of the manifest, `sha256:…`: what a registry would name the image by.
    pub fn digest(&self) -> &str {
        &self.manifest.digest
    }

    /// The manifest's media type and text, as a registry stores it.
    pub fn manifest(&self) -> (&'static str, &[u8]) {
        (MANIFEST, self.manifest.bytes())
    }

    /// What the manifest names, each with its digest.
    pub fn blobs(&self) -> [(&str, &[u8]); 2] {
        [&self.config, &self.layer].map(|blob| (blob.digest.as_str(), blob.bytes()))
    }

    /// What is in it: files, directories and links, by their absolute paths.
    pub fn paths(&self) -> &BTreeSet<String> {
        &self.paths
    }

    /// The digest of the configuration, `sha256:…`: the image's id on a node.
    pub fn id(&self) -> &str {
        &self.config.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_what_is_in_it() {
        let built = |content: &str| {
            Image::new("registry.test/a:1").file("/a", 0o644, content).build().expect("in memory")
        };
        assert_eq!(built("a").digest(), built("a").digest());
        assert_eq!(built("a").id(), built("a").id());
        assert_ne!(built("a").digest(), built("b").digest());
        assert_ne!(built("a").id(), built("b").id());
    }
}
