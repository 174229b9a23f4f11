//! What a vulnerability scanner found, counted: each vulnerability once, at the gravest that is said of it.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Different vulnerabilities by severity; the keys as events have them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counts {
    #[serde(rename = "attestation.cve_critical")]
    pub critical: u32,
    #[serde(rename = "attestation.cve_high")]
    pub high: u32,
    #[serde(rename = "attestation.cve_medium")]
    pub medium: u32,
    #[serde(rename = "attestation.cve_low")]
    pub low: u32,
    /// The scanner gives no severity.
    #[serde(rename = "attestation.cve_unknown")]
    pub unknown: u32,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Grade {
    Unknown,
    Low,
    Medium,
    High,
    Critical,
}

impl Grade {
    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            "high" => Self::High,
            "medium" | "moderate" => Self::Medium,
            "low" | "negligible" => Self::Low,
            number => number.parse().map_or(Self::Unknown, Self::of_score),
        }
    }

    /// CVSS's own bounds.
    fn of_score(score: f64) -> Self {
        match score {
            score if score >= 9.0 => Self::Critical,
            score if score >= 7.0 => Self::High,
            score if score >= 4.0 => Self::Medium,
            score if score > 0.0 => Self::Low,
            _ => Self::Unknown,
        }
    }
}

#[derive(Default)]
struct Found(HashMap<String, Grade>);

impl Found {
    fn add(&mut self, id: &str, grade: Grade) {
        let worst = self.0.entry(id.to_owned()).or_insert(grade);
        *worst = grade.max(*worst);
    }

    fn counts(&self) -> Counts {
        let of = |grade| {
            u32::try_from(self.0.values().filter(|is| **is == grade).count()).unwrap_or(u32::MAX)
        };
        Counts {
            critical: of(Grade::Critical),
            high: of(Grade::High),
            medium: of(Grade::Medium),
            low: of(Grade::Low),
            unknown: of(Grade::Unknown),
        }
    }
}

/// Of the `result` of cosign's predicate: a report of Trivy or Grype. None for any other.
pub(super) fn of_report(report: &Value) -> Option<Counts> {
    let mut found = Found::default();
    if let Some(matches) = report.get("matches") {
        for one in matches.as_array()? {
            let vulnerability = one.get("vulnerability")?;
            found.add(text(vulnerability, "id")?, grade(vulnerability, "severity"));
        }
        return Some(found.counts());
    }
    report.get("SchemaVersion")?;
    // Where Trivy knew nothing to look at there are none: that is no image without vulnerabilities.
    let results = report.get("Results")?.as_array().filter(|results| !results.is_empty())?;
    for result in results {
        // Of what it looked at and found nothing in it leaves out the list.
        let found_here = result.get("Vulnerabilities").filter(|list| !list.is_null());
        for one in found_here.map_or(Some(&Vec::new()), Value::as_array)? {
            found.add(text(one, "VulnerabilityID")?, grade(one, "Severity"));
        }
    }
    Some(found.counts())
}

/// Of the `scanner.result` of in-toto's own predicate.
pub(super) fn of_list(list: &Value) -> Option<Counts> {
    let mut found = Found::default();
    for one in list.as_array()? {
        let id = text(one, "id")?;
        found.add(id, Grade::Unknown);
        for severity in one.get("severity").and_then(Value::as_array).into_iter().flatten() {
            found.add(id, grade(severity, "score"));
        }
    }
    Some(found.counts())
}

fn text<'a>(of: &'a Value, key: &str) -> Option<&'a str> {
    of.get(key)?.as_str()
}

fn grade(of: &Value, key: &str) -> Grade {
    match of.get(key) {
        Some(Value::String(text)) => Grade::parse(text),
        Some(Value::Number(score)) => score.as_f64().map_or(Grade::Unknown, Grade::of_score),
        _ => Grade::Unknown,
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { critical, high, medium, low, unknown } = self;
        write!(
            f,
            "{critical} critical, {high} high, {medium} medium, {low} low, {unknown} ungraded"
        )
    }
}
