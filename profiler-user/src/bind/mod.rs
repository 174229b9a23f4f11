//! What a baseline says of the place where it was recorded, in the words of the place where it is judged by.
//!
//! A file of JSON ([`SCHEMA`]) maps names, addresses, subnets and pods of there to those of here; names kinds of entries
//! that are to be learned anew; and holds what a person has accepted of those. It only ever speaks of entries that are bound
//! to an environment: peers, listeners on an own address, names that are resolved. Nothing is learned unseen: a peer that
//! counts is one that was recorded, or that stands in this file.

mod host;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub(crate) use self::host::Host;
use crate::attest;
use crate::baseline::read_up_to;
use crate::drift::clean;
use crate::generalise::End;

/// The version of this format.
pub const SCHEMA: &str = "driftline.bind/v1";

/// A file for a person to write has some hundred lines.
const SIZE_MAX: u64 = 4 * 1024 * 1024;

/// The file as it is written.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BindFile {
    pub schema_version: String,
    /// Whose place is taken by whom. Nobody may be mapped twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub map: Vec<Mapping>,
    /// Entries of these kinds that are not mapped do not count here; what takes their place is told, with severity `info`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub relearn: BTreeSet<List>,
    /// What somebody has accepted of that.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub accept: BTreeSet<Accepted>,
}

/// Either end is the name of a host (`db.staging.svc`), all names below one (`.staging.svc`), an address, a subnet
/// (`10.1.0.0/16`), a workload (`pod:staging/db`), or all workloads of a namespace (`pod:staging/`).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub from: String,
    pub to: String,
}

/// Lists of an executable that are bound to an environment.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum List {
    /// Whom it connects to.
    Peers,
    /// Who connects to it.
    Clients,
    /// On which of its addresses it listens.
    Listeners,
    /// Which names it resolves.
    Names,
}

/// An entry of this environment: what an event's `drift.relearn` says.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// As the baseline names it.
    pub executable: String,
    pub list: List,
    /// `tcp db.prod.svc:5432`
    pub entry: String,
}

/// The file, understood.
#[derive(Clone, Debug)]
pub struct Bind {
    /// `sha256:…` of the file.
    pub id: String,
    rules: Vec<(Host, Host)>,
    pub(crate) relearn: BTreeSet<List>,
    pub(crate) accept: BTreeSet<Accepted>,
}

/// What the file says of an entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Nothing,
    /// It is called so here.
    Called(String),
    /// It has no place here.
    Gone,
}

#[derive(Debug, thiserror::Error)]
#[error("bind file {} cannot be used: {reason}", path.display())]
pub struct BindError {
    pub path: PathBuf,
    pub reason: String,
}

impl BindFile {
    /// # Errors
    /// Why these bytes are no bind file.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: String,
        }
        let plain = |error: serde_json::Error| clean(&error.to_string());
        attest::is_said_once(bytes).map_err(plain)?;
        // A list of a file's values in their order would be taken for one.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err("it is no JSON object".to_owned());
        }
        let Version { schema_version } = serde_json::from_slice(bytes).map_err(plain)?;
        if schema_version != SCHEMA {
            return Err(format!(
                "schema_version {schema_version:?} is not {SCHEMA:?}, the one that this driftline knows"
            ));
        }
        serde_json::from_slice(bytes).map_err(plain)
    }
}

impl Bind {
    /// # Errors
    /// Where the file cannot be read, or cannot be meant.
    pub fn load(path: &Path) -> Result<Self, BindError> {
        let refuse = |reason| BindError { path: path.to_owned(), reason };
        let bytes = read_up_to(path, SIZE_MAX).map_err(|error| refuse(error.to_string()))?;
        Self::parse(&bytes).map_err(refuse)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file = BindFile::parse(bytes)?;
        let rules = rules(&file.map)?;
        file.accept.iter().try_for_each(check)?;
        let hash = Sha256::digest(bytes);
        let id = hash.iter().fold("sha256:".to_owned(), |id, byte| format!("{id}{byte:02x}"));
        Ok(Self { id, rules, relearn: file.relearn, accept: file.accept })
    }

    /// What an entry's end is called here; none where nothing is said of it.
    pub(crate) fn host(&self, host: &str) -> Option<String> {
        self.rules.iter().find_map(|(from, to)| from.mapped(host, to))
    }

    /// The same of a name that is resolved: where an address takes its place, nobody resolves it any more.
    pub(crate) fn name(&self, name: &str) -> Said {
        let mapped = |(from, to): &(Host, Host)| {
            let mapped = from.mapped(name, to)?;
            Some(if to.is_name() { Said::Called(mapped) } else { Said::Gone })
        };
        self.rules.iter().find_map(mapped).unwrap_or(Said::Nothing)
    }
}

fn rules(map: &[Mapping]) -> Result<Vec<(Host, Host)>, String> {
    let mut rules = Vec::<(Host, Host)>::new();
    let mut seen = BTreeMap::new();
    for (at, Mapping { from, to }) in map.iter().enumerate() {
        let place = at + 1;
        let host = |text: &str, end: &str| {
            text.parse::<Host>().map_err(|why| format!("{end:?} of mapping {place}: {why}"))
        };
        let (own, other) = (host(from, "from")?, host(to, "to")?);
        if let Some(before) = seen.insert(from.clone(), place) {
            return Err(format!(
                "mappings {before} and {place} are both from {from:?}: leave one of them out"
            ));
        }
        if let Some(before) = rules.iter().position(|(from, _)| from.overlaps(&own)) {
            let before_from = &map[before].from;
            return Err(format!(
                "mappings {} and {place} overlap: some are of {before_from:?} and of {from:?} as well; take one apart",
                before + 1
            ));
        }
        if !own.may_become(&other) {
            return Err(format!(
                "mapping {place}: many names ({to:?}) cannot take the place of {from:?}, which has none to keep"
            ));
        }
        rules.push((own, other));
    }
    Ok(rules)
}

/// Whether it is an entry of its list, and not one for more than a peer.
fn check(accepted: &Accepted) -> Result<(), String> {
    let Accepted { executable, list, entry } = accepted;
    let is_one = match list {
        List::Names => !entry.is_empty() && !entry.contains([' ', '/']),
        List::Clients => entry.contains(" from ") && End::of(entry).is_some(),
        List::Peers | List::Listeners => End::of(entry).is_some_and(|end| !end.behind.is_empty()),
    };
    if is_one && !entry.contains("{net:") {
        return Ok(());
    }
    Err(format!(
        "accepted of {executable:?}: {entry:?} is no entry of {}; take it from an event's drift.relearn",
        serde_json::to_string(list).unwrap_or_default()
    ))
}
