//! The table as it is written, read once.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::pattern::{Glob, Network};
use super::rule::{Rule, Subject};
use super::{Severity, Verdict};
use crate::behaviour::Observation;
use crate::drift::kind::{DriftKind, Finding, Novelty};

static BUILTIN: LazyLock<Table> = LazyLock::new(|| {
    Table::parse(include_str!("table.json")).expect("a test reads the table that is built in")
});

/// Rules in order, the first that fits wins; then the kind's default.
#[derive(Debug)]
pub struct Table {
    framework_version: String,
    rules: Vec<Rule>,
    defaults: BTreeMap<DriftKind, Verdict>,
    refused: Verdict,
}

impl Table {
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// Fails where the text is not the table's format, names an unknown set or technique shape, or
    /// leaves a kind without a default.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = serde_json::from_str(text)?;
        let rules = file
            .rules
            .into_iter()
            .enumerate()
            .map(|(at, rule)| rule.build(&file.sets).with_context(|| format!("rule {at}")))
            .collect::<Result<_>>()?;
        let mut defaults = BTreeMap::new();
        for (kind, grade) in file.defaults {
            defaults.insert(kind, grade.build().with_context(|| format!("default of {kind}"))?);
        }
        for kind in DriftKind::ALL {
            ensure!(defaults.contains_key(&kind), "{kind} has no default");
        }
        let refused = file.refused_baseline.build().context("refused_baseline")?;
        Ok(Self { framework_version: file.framework_version, rules, defaults, refused })
    }

    /// The version of ATT&CK that the technique ids are of.
    pub fn framework_version(&self) -> &str {
        &self.framework_version
    }

    /// Where no rule can speak, because nothing was observed.
    pub fn default_of(&self, kind: DriftKind) -> &Verdict {
        &self.defaults[&kind]
    }

    /// Of a baseline that is not believed.
    pub fn of_refused(&self) -> &Verdict {
        &self.refused
    }

    /// Whether it is worth telling without a baseline.
    pub fn is_always_told(&self, observation: &Observation, finding: &Finding) -> bool {
        self.rule(observation, finding).is_some_and(|rule| rule.always)
    }

    fn rule(&self, observation: &Observation, finding: &Finding) -> Option<&Rule> {
        let subject = Subject::of(observation);
        self.rules.iter().find(|rule| rule.fits(finding, &subject))
    }

    pub fn verdict(&self, observation: &Observation, finding: &Finding) -> &Verdict {
        self.rule(observation, finding)
            .map_or_else(|| self.default_of(finding.kind), |rule| &rule.verdict)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: Vec<String>,
    framework_version: String,
    sets: HashMap<String, Vec<String>>,
    rules: Vec<RuleLine>,
    refused_baseline: Grade,
    defaults: BTreeMap<DriftKind, Grade>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleLine {
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
struct Grade {
    severity: Severity,
    #[serde(default)]
    techniques: Vec<String>,
    why: Option<String>,
}

impl RuleLine {
    fn build(self, sets: &HashMap<String, Vec<String>>) -> Result<Rule> {
        let globs = |names| Ok::<_, anyhow::Error>(expand(names, sets)?.map(Glob::new).collect());
        Ok(Rule {
            novelty: self.novelty,
            paths: globs(&self.paths)?,
            objects: globs(&self.objects)?,
            names: globs(&self.names)?,
            by: globs(&self.by)?,
            syscalls: expand(&self.syscalls, sets)?.map(str::to_owned).collect(),
            operations: self.operations.into_iter().collect(),
            networks: self.networks.iter().map(|n| Network::parse(n)).collect::<Result<_>>()?,
            ports: self.ports,
            always: self.always,
            kinds: self.kinds,
            verdict: Grade { severity: self.severity, techniques: self.techniques, why: self.why }
                .build()?,
        })
    }
}

impl Grade {
    fn build(self) -> Result<Verdict> {
        for id in &self.techniques {
            ensure!(is_technique(id), "{id} is not the id of an ATT&CK technique");
        }
        Ok(Verdict { severity: self.severity, techniques: self.techniques, why: self.why })
    }
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
fn is_technique(id: &str) -> bool {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    id.strip_prefix('T').is_some_and(|id| match id.split_once('.') {
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
        None => digits(id, 4),
    })
}

#[cfg(test)]
mod tests;
