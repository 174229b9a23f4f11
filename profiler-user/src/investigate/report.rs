//! Everything about an incident in one file that needs nothing else to be read.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

use super::history::{History, HistoryError};
use super::{Entry, Lateral, Life, Selector, Timeline, container, lateral, svg, timeline};
use crate::drift::clean;

/// Containers whose whole life is told, at most; the first that drifted.
const LIVES: usize = 50;

/// Drifts of one container in its life's table.
const DRIFTS: u32 = 200;

/// What a report is made from. What somebody chose who was watched is escaped where it is written.
#[derive(Debug, Serialize)]
pub struct Report {
    pub timeline: Timeline,
    /// Of those that drifted, in the order in which they began to.
    pub lives: Vec<Life>,
    /// Containers that drifted and are not among the lives.
    pub more: usize,
    pub lateral: Lateral,
    /// Different drifts, by severity and by kind.
    pub severities: BTreeMap<String, usize>,
    pub kinds: BTreeMap<String, usize>,
    pub techniques: BTreeMap<String, usize>,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

/// As which text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    Html,
    Markdown,
}

/// What is said about a report beside what is in it.
#[derive(Clone, Debug, Serialize)]
pub struct Heading {
    pub title: String,
    pub made: Timestamp,
    /// The command that made it, as typed.
    pub command: String,
    pub host: String,
    /// What the proof of the log said, in a sentence.
    pub log: String,
    pub log_is_whole: bool,
}

/// Everything that the selector fits: at most `limit` entries, the newest.
pub async fn report(
    history: &mut History,
    selector: &Selector,
    window: SignedDuration,
    limit: u32,
) -> Result<Report, HistoryError> {
    let timeline = timeline(history, selector, limit).await?;
    let drifts = || {
        timeline.entries.iter().filter_map(|entry| match entry {
            Entry::Drift(told) => Some(&**told),
            _ => None,
        })
    };
    let mut report = Report {
        lives: Vec::new(),
        more: 0,
        lateral: lateral(history, selector, window).await?,
        severities: BTreeMap::new(),
        kinds: BTreeMap::new(),
        techniques: BTreeMap::new(),
        first: drifts().map(|told| told.time).min(),
        last: drifts().map(|told| told.last).max(),
        timeline: Timeline { entries: Vec::new(), cut: timeline.cut },
    };
    let mut containers: Vec<&String> = Vec::new();
    for told in drifts() {
        *report.severities.entry(told.severity.clone()).or_default() += 1;
        *report.kinds.entry(told.kind.clone()).or_default() += 1;
        for technique in &told.techniques {
            *report.techniques.entry(technique.clone()).or_default() += 1;
        }
        if let Some(id) = told.container.as_ref().filter(|id| !containers.contains(id)) {
            containers.push(id);
        }
    }
    // Where a hop led is part of it, whatever was asked for.
    for hop in &report.lateral.hops {
        for id in hop.after.iter().chain(&hop.accept).filter_map(|told| told.container.as_ref()) {
            if !containers.contains(&id) {
                containers.push(id);
            }
        }
    }
    report.more = containers.len().saturating_sub(LIVES);
    let ids: Vec<String> = containers.into_iter().take(LIVES).cloned().collect();
    for id in ids {
        match container(history, &id, DRIFTS).await {
            Ok(life) => report.lives.push(life),
            // Of a container that the ledger never knew there is its drift alone.
            Err(HistoryError::Unknown { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    report.timeline.entries = timeline.entries;
    Ok(report)
}

impl Report {
    /// The whole text.
    ///
    /// # Errors
    /// Where the template does not fit the report: a defect of ours.
    pub fn text(&self, heading: &Heading, form: Form) -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(move |_| match form {
            Form::Html => AutoEscape::Html,
            Form::Markdown => AutoEscape::Custom("markdown".into()),
        });
        environment.set_formatter(|out, state, value| match state.auto_escape() {
            AutoEscape::Custom(_) => {
                let text =
                    if value.is_none() { String::new() } else { markdown(&value.to_string()) };
                out.write_str(if value.is_safe() { value.as_str().unwrap_or(&text) } else { &text })
                    .map_err(minijinja::Error::from)
            }
            _ => minijinja::escape_formatter(out, state, value),
        });
        environment.add_filter("clean", |text: &str| clean(text));
        environment.add_filter("second", |text: &str| second(text));
        environment.add_filter("short", |text: &str| text.chars().take(12).collect::<String>());
        environment.add_function("place", |names: Vec<Value>| place(&names));
        let template = match form {
            Form::Html => include_str!("report/report.html.j2"),
            Form::Markdown => include_str!("report/report.md.j2"),
        };
        environment.render_str(
            template,
            context! {
                report => Value::from(Serde(self)),
                heading => Value::from(Serde(heading)),
                picture => Value::from_safe_string(svg(&self.lateral)),
            },
        )
    }
}

/// `2026-11-21 20:59:01Z` of a time stamp.
fn second(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// The names that there are, with slashes between.
fn place(names: &[Value]) -> String {
    let names = names.iter().filter(|name| !name.is_none() && !name.is_undefined());
    names.map(Value::to_string).collect::<Vec<_>>().join("/")
}

/// Text that means nothing to a reader of Markdown, behind the beginning of a line: <https://spec.commonmark.org/0.31.2/#backslash-escapes>.
fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in clean(text).chars() {
        if c.is_ascii_punctuation()
            && !matches!(c, '.' | ',' | ':' | ';' | '/' | '%' | '\'' | '?' | '=' | '-')
        {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests;
