//! The baseline as it is written down.
//!
//! Every map is sorted and every count is kept per run, so that two baselines merge in any order and as often as one likes,
//! and a Git diff shows what changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::approval::Approval;
use super::run::{Run, RunId};
use super::scope::Scope;
use super::seen::Seen;
use crate::container::Identity;
use crate::generalise::GENERALISER;

/// The version of this format.
pub const SCHEMA: &str = "driftline.baseline/v1";

/// The parent of a process that none in the container started.
pub const ENTRYPOINT: &str = "(entrypoint)";

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    pub schema: String,
    pub image: Image,
    /// Which containers of the image it speaks of.
    #[serde(default, skip_serializing_if = "Scope::is_image")]
    pub scope: Scope,
    /// The ids of the baselines of other images that its entries were carried over from: it holds what of theirs this image was
    /// seen to do, and nothing else. Empty where it was recorded.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ancestors: BTreeSet<String>,
    /// The version of the rules that its patterns were made with.
    pub generaliser: u32,
    /// The ids of the keys that its secrets are hashed with.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub redaction_key: BTreeSet<String>,
    #[serde(default)]
    pub runs: BTreeMap<RunId, Run>,
    /// `unshare`, `unshare (denied)`, `foreign_11 (foreign)`.
    #[serde(default)]
    pub syscalls: BTreeMap<String, Seen>,
    /// By the pattern of their path.
    #[serde(default)]
    pub executables: BTreeMap<String, Executable>,
    /// By the id of the drift event that was approved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub approvals: BTreeMap<String, Approval>,
}

#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Of a container image the repository.
    pub name: String,
    /// As `uname -m` has it.
    pub architecture: String,
    /// The config digest, `sha256:…`: the same wherever the image came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The container's name in its pod: one image may run in several roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// `registry/web@sha256:…`, under which else it may be found.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub repo_digests: BTreeSet<String>,
    /// As users wrote it: `registry/web:1.27`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub references: BTreeSet<String>,
}

/// What one executable does. Every key is a pattern, see [`crate::generalise`].
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Executable {
    /// Who ran it, [`ENTRYPOINT`] among them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parents: BTreeMap<String, Seen>,
    /// Whole argument lists, quoted as a shell would.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, Seen>,
    /// It was run without having a name any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fileless: Option<Seen>,
    /// It was run from the container's own layer: it was written after the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_in_image: Option<Seen>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub read: BTreeMap<String, Seen>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub read_denied: BTreeMap<String, Seen>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub write: BTreeMap<String, Seen>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub write_denied: BTreeMap<String, Seen>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub delete: BTreeMap<String, Seen>,
    /// `rename OLD NEW`, `link EXISTING NEW`, `symlink TEXT NEW`, quoted as a shell would.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub link: BTreeMap<String, Seen>,
    /// `mode 0755 PATH`, `owner PATH`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, Seen>,
    /// Libraries and other files that it mapped executable.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub map_exec: BTreeMap<String, Seen>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub connect: BTreeMap<String, Seen>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub listen: BTreeMap<String, Seen>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub accept: BTreeMap<String, Seen>,
    /// Sorts of sockets: `inet stream`, `netlink route`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub socket: BTreeMap<String, Seen>,
    /// Unix sockets that it talks to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unix: BTreeMap<String, Seen>,
    /// `uid 0 -> 33`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub identity: BTreeMap<String, Seen>,
    /// Cgroups outside the container.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub escape: BTreeMap<String, Seen>,
    /// Names that it resolves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dns: BTreeMap<String, Seen>,
    /// `CAP_NET_RAW`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub capability: BTreeMap<String, Seen>,
}

impl Baseline {
    pub fn new(image: Image) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            image,
            scope: Scope::Image,
            ancestors: BTreeSet::new(),
            generaliser: GENERALISER,
            redaction_key: BTreeSet::new(),
            runs: BTreeMap::new(),
            syscalls: BTreeMap::new(),
            executables: BTreeMap::new(),
            approvals: BTreeMap::new(),
        }
    }

    /// `sha256:…` of the baseline in its canonical form: compact JSON, fields as declared, keys sorted.
    pub fn id(&self) -> String {
        let json = serde_json::to_vec(self).expect("a baseline holds nothing that JSON does not");
        let hash = Sha256::digest(&json);
        hash.iter().fold("sha256:".to_owned(), |id, byte| format!("{id}{byte:02x}"))
    }

    /// How people are told of it.
    pub fn label(&self) -> String {
        match &self.scope {
            Scope::Image => self.image.label(),
            narrower => format!("{} for {narrower}", self.image.label()),
        }
    }

    /// How many things it knows.
    pub fn entries(&self) -> usize {
        let of = |executable: &Executable| {
            let sets = executable.sets().map(BTreeMap::len).into_iter().sum::<usize>();
            let flags = [&executable.fileless, &executable.not_in_image];
            sets + flags.into_iter().flatten().count()
        };
        self.syscalls.len() + self.executables.values().map(of).sum::<usize>()
    }

    /// Every entry that says when it was seen.
    pub(super) fn for_each_seen(&mut self, mut each: impl FnMut(&mut Seen)) {
        self.syscalls.values_mut().for_each(&mut each);
        for executable in self.executables.values_mut() {
            for set in super::names::Set::ALL {
                executable.set_mut(set).values_mut().for_each(&mut each);
            }
            let flags = [&mut executable.fileless, &mut executable.not_in_image];
            flags.into_iter().flatten().for_each(&mut each);
        }
    }

    /// Events that were lost while it was recorded. Counts are whatever the file says.
    pub fn lost(&self) -> u64 {
        let counts = self.runs.values().flat_map(|run| run.lost.values());
        counts.fold(0, |all, count| all.saturating_add(*count))
    }
}

impl Image {
    /// An image on this machine's architecture.
    pub fn here(name: impl Into<String>) -> Self {
        let (name, architecture) = (name.into(), std::env::consts::ARCH.to_owned());
        let (repo_digests, references) = (BTreeSet::new(), BTreeSet::new());
        Self { name, architecture, id: None, container: None, repo_digests, references }
    }

    /// The image of a container in its role; none where its runtime does not say.
    pub fn of_container(identity: &Identity) -> Option<Self> {
        let image = identity.image.as_ref()?;
        let here = Self::here(&image.name);
        Some(Self {
            architecture: image.architecture.clone().unwrap_or(here.architecture),
            name: if image.name.is_empty() { image.id.clone()? } else { here.name },
            id: image.id.clone(),
            container: identity.name.clone(),
            repo_digests: image.repo_digests.iter().cloned().collect(),
            references: image.reference.iter().cloned().collect(),
        })
    }

    /// Its baseline's file, without the extension: for an image unique for it, its role and the scope, and a name that may be a key
    /// of a Kubernetes `ConfigMap`. None for a command, whose name alone it is.
    pub fn file_stem(&self, scope: &Scope) -> Option<String> {
        let id = self.id.as_deref()?;
        let digits = id.strip_prefix("sha256:").unwrap_or(id);
        let parts = [Some(self.name.as_str()), digits.get(..12), self.container.as_deref()];
        let stem = parts.into_iter().flatten().collect::<Vec<_>>().join(".") + &scope.suffix();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        Some(stem.chars().map(|c| if plain(c) { c } else { '_' }).collect())
    }

    /// How people are told of it.
    pub fn label(&self) -> String {
        let mut label = self.name.clone();
        if let Some(id) = &self.id {
            let digits = id.strip_prefix("sha256:").unwrap_or(id);
            label = format!("{label}@{}", digits.get(..12).unwrap_or(digits));
        }
        match &self.container {
            Some(container) => format!("{label}+{container}"),
            None => label,
        }
    }
}

impl Executable {
    fn sets(&self) -> [&BTreeMap<String, Seen>; super::names::Set::ALL.len()] {
        super::names::Set::ALL.map(|set| self.set(set))
    }
}
