//! The rules, ready to grade: what is built in, with a user's file laid over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use anyhow::{Context as _, Result, ensure};

use super::Verdict;
use super::file::RulesFile;
use super::rule::{Rule, Subject};
use crate::baseline::read_up_to;
use crate::behaviour::Observation;
use crate::drift::clean;
use crate::drift::kind::{DriftKind, Finding};

static BUILTIN: LazyLock<Arc<Table>> = LazyLock::new(|| {
    let table = RulesFile::parse(Table::TEXT.as_bytes()).and_then(Table::build);
    Arc::new(table.expect("a test reads the table that is built in"))
});

/// A file for a person to write has some hundred lines.
const SIZE_MAX: u64 = 4 * 1024 * 1024;

/// Rules in order, the first that fits wins; then the kind's default.
#[derive(Debug)]
pub struct Table {
    version: String,
    framework_version: String,
    rules: Vec<Rule>,
    defaults: BTreeMap<DriftKind, Verdict>,
    refused: Verdict,
    sure_chain: Verdict,
}

#[derive(Debug, thiserror::Error)]
#[error("rules file {} cannot be used: {reason}", path.display())]
pub struct RulesError {
    pub path: PathBuf,
    pub reason: String,
}

impl Table {
    pub fn builtin() -> &'static Arc<Self> {
        &BUILTIN
    }

    /// What is built in, with this file laid over it.
    ///
    /// # Errors
    /// Where the file cannot be read, or says what cannot be meant: a kind, a call, a set that is unknown, a key twice.
    pub fn load(path: &Path) -> Result<Arc<Self>, RulesError> {
        let refuse = |reason: String| RulesError { path: path.to_owned(), reason };
        let bytes = read_up_to(path, SIZE_MAX).map_err(|error| refuse(error.to_string()))?;
        Self::over_builtin(&bytes).map(Arc::new).map_err(|why| refuse(clean(&format!("{why:#}"))))
    }

    /// The file that is built in, to be read and to be copied from.
    pub const TEXT: &str = include_str!("table.json");

    pub(super) fn over_builtin(bytes: &[u8]) -> Result<Self> {
        let own = RulesFile::parse(bytes)?;
        Self::build(own.over(RulesFile::parse(Self::TEXT.as_bytes())?))
    }

    fn build(file: RulesFile) -> Result<Self> {
        let rules = file.rules()?;
        let mut defaults = BTreeMap::new();
        for (kind, grade) in file.defaults {
            let grade = grade.build(&format!("default/{kind}"));
            defaults.insert(kind, grade.with_context(|| format!("default of {kind}"))?);
        }
        for kind in DriftKind::ALL {
            ensure!(defaults.contains_key(&kind), "{kind} has no default");
        }
        let refused = file.refused_baseline.context("refused_baseline is missing")?;
        let sure_chain = file.sure_chain.context("sure_chain is missing")?;
        Ok(Self {
            version: file.version,
            framework_version: file.framework_version.context("framework_version is missing")?,
            rules,
            defaults,
            refused: refused.build("refused_baseline").context("refused_baseline")?,
            sure_chain: sure_chain.build("sure_chain").context("sure_chain")?,
        })
    }

    /// Whose rules these are: `1`, or `1+` and the version of the file that is laid over them.
    pub fn version(&self) -> &str {
        &self.version
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

    /// Of a chain from pod to pod that is as good as certain.
    pub fn of_sure_chain(&self) -> &Verdict {
        &self.sure_chain
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

#[cfg(test)]
mod tests;
