//! How grave a drift is, and which ATT&CK techniques it speaks for.
//!
//! Both come from one table, `table.json`, which is data: whoever disagrees with a grade lays a file of their own over it
//! (`--rules`), and changes no code.

mod file;
mod pattern;
mod rule;
mod table;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use file::SCHEMA;
pub(crate) use pattern::like;
pub use table::{RulesError, Table};

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

/// What the table says about a drift.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The rule that says so, or `default/KIND`.
    pub rule: Box<str>,
    pub severity: Severity,
    /// ATT&CK technique ids of the version [`Table::framework_version`]; may be none.
    pub techniques: Vec<String>,
    /// Why it matters, for somebody who has never heard of it; continues a sentence.
    pub why: Option<String>,
}

impl Severity {
    /// From the least to the gravest.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The value of `drift.severity`; the same as the serialised name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
