//! A file of rules as it is written: the one that is built in, and a user's that is laid over it.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;
use syscalls::Sysno;

use super::pattern::{Glob, Network};
use super::rule::Rule;
use super::{Severity, Verdict};
use crate::attest;
use crate::drift::kind::{DriftKind, Novelty};

/// The version of this format.
pub const SCHEMA: &str = "driftline.rules/v1";

/// What of a change of a file a rule may name.
const OPERATIONS: &[&str] =
    &["delete", "rename", "link", "symlink", "mode", "set-id", "executable", "owner"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RulesFile {
    schema_version: String,
    /// Whoever wrote it counts them; goes into every event that one of its rules graded.
    pub(super) version: String,
    /// For people.
    #[serde(default, rename = "about")]
    _about: IgnoredAny,
    /// Of ATT&CK.
    pub(super) framework_version: Option<String>,
    #[serde(default)]
    sets: HashMap<String, Vec<String>>,
    #[serde(default)]
    rules: Vec<RuleLine>,
    pub(super) refused_baseline: Option<Grade>,
    pub(super) sure_chain: Option<Grade>,
    #[serde(default)]
    pub(super) defaults: BTreeMap<DriftKind, Grade>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleLine {
    name: String,
    kinds: Vec<DriftKind>,
    novelty: Option<Novelty>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    objects: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    by: Vec<String>,
    #[serde(default)]
    syscalls: Vec<String>,
    #[serde(default)]
    operations: Vec<String>,
    #[serde(default)]
    networks: Vec<String>,
    #[serde(default)]
    ports: Vec<u16>,
    #[serde(default)]
    always: bool,
    severity: Severity,
    #[serde(default)]
    techniques: Vec<String>,
    why: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grade {
    severity: Severity,
    #[serde(default)]
    techniques: Vec<String>,
    why: Option<String>,
}

impl RulesFile {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: String,
        }
        attest::is_said_once(bytes)?;
        // A list of a file's values in their order would be taken for one.
        ensure!(bytes.trim_ascii_start().starts_with(b"{"), "it is no JSON object");
        let Version { schema_version } = serde_json::from_slice(bytes)?;
        ensure!(
            schema_version == SCHEMA,
            "schema_version {schema_version:?} is not {SCHEMA:?}, the one that this driftline knows"
        );
        let file: Self = serde_json::from_slice(bytes)?;
        debug_assert_eq!(file.schema_version, SCHEMA);
        let mut names = HashSet::new();
        for RuleLine { name, kinds, .. } in &file.rules {
            ensure!(!name.is_empty(), "a rule has an empty name");
            ensure!(names.insert(name), "two rules are called {name:?}");
            ensure!(!kinds.is_empty(), "rule {name:?} is of no kind, so it fits nothing");
        }
        Ok(file)
    }

    /// Laid over `base`: a set, a rule or a default of the same name takes the place of that one, other rules come before
    /// all of it.
    pub(super) fn over(mut self, mut base: Self) -> Self {
        let mut own: Vec<RuleLine> = Vec::new();
        for rule in self.rules {
            match base.rules.iter_mut().find(|known| known.name == rule.name) {
                Some(known) => *known = rule,
                None => own.push(rule),
            }
        }
        own.append(&mut base.rules);
        base.sets.extend(self.sets);
        base.defaults.append(&mut self.defaults);
        Self {
            schema_version: self.schema_version,
            version: format!("{}+{}", base.version, self.version),
            _about: IgnoredAny,
            framework_version: self.framework_version.or(base.framework_version),
            sets: base.sets,
            rules: own,
            refused_baseline: self.refused_baseline.or(base.refused_baseline),
            sure_chain: self.sure_chain.or(base.sure_chain),
            defaults: base.defaults,
        }
    }

    pub(super) fn rules(&self) -> Result<Vec<Rule>> {
        let build = |rule: &RuleLine| {
            rule.clone().build(&self.sets).with_context(|| format!("rule {:?}", rule.name))
        };
        self.rules.iter().map(build).collect()
    }
}

impl RuleLine {
    fn build(self, sets: &HashMap<String, Vec<String>>) -> Result<Rule> {
        let globs = |names| Ok::<_, anyhow::Error>(expand(names, sets)?.map(Glob::new).collect());
        for operation in &self.operations {
            ensure!(
                OPERATIONS.contains(&operation.as_str()),
                "{operation:?} is no operation; there are {}",
                OPERATIONS.join(", ")
            );
        }
        let syscalls = expand(&self.syscalls, sets)?.map(syscall).collect::<Result<_>>()?;
        let verdict = Grade { severity: self.severity, techniques: self.techniques, why: self.why };
        Ok(Rule {
            novelty: self.novelty,
            paths: globs(&self.paths)?,
            objects: globs(&self.objects)?,
            names: globs(&self.names)?,
            by: globs(&self.by)?,
            syscalls,
            operations: self.operations.into_iter().collect(),
            networks: self.networks.iter().map(|n| Network::parse(n)).collect::<Result<_>>()?,
            ports: self.ports,
            always: self.always,
            kinds: self.kinds,
            verdict: verdict.build(&self.name)?,
        })
    }
}

impl Grade {
    /// `rule`: by which name events call it.
    pub(super) fn build(self, rule: &str) -> Result<Verdict> {
        for id in &self.techniques {
            ensure!(is_technique(id), "{id} is not the id of an ATT&CK technique");
        }
        let Self { severity, techniques, why } = self;
        Ok(Verdict { rule: rule.into(), severity, techniques, why })
    }
}

/// A call that nobody makes would make a rule that never fits.
fn syscall(name: &str) -> Result<String> {
    let is_number =
        name.strip_prefix("syscall_").is_some_and(|number| number.parse::<u32>().is_ok());
    if !is_number && name.parse::<Sysno>().is_err() {
        bail!(
            "{name:?} is no system call of this machine; one without a name is written syscall_NUMBER"
        );
    }
    Ok(name.to_owned())
}

/// Replaces `@set` by the names in it.
fn expand<'a>(
    names: &'a [String],
    sets: &'a HashMap<String, Vec<String>>,
) -> Result<impl Iterator<Item = &'a str>> {
    let mut all = Vec::new();
    for name in names {
        match name.strip_prefix('@') {
            Some(set) => all.extend(sets.get(set).with_context(|| format!("no set {set}"))?),
            None => all.push(name),
        }
    }
    Ok(all.into_iter().map(String::as_str))
}

/// `T1059` or `T1059.004`.
pub(super) fn is_technique(id: &str) -> bool {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    id.strip_prefix('T').is_some_and(|id| match id.split_once('.') {
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
        None => digits(id, 4),
    })
}
