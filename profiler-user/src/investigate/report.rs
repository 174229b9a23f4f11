//! Everything about an incident in one file that needs nothing else to be read.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

use super::history::{History, HistoryError};
use super::{Entry, Lateral, Life, Selector, Timeline, Told, container, lateral, svg, timeline};
use crate::drift::clean;
use crate::evidence;

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
    /// Programs that were run, of all containers, the oldest first.
    pub commands: Vec<Told>,
    /// Files that were written, run although the image does not have them, linked, changed or deleted.
    pub files: Vec<Told>,
    /// What is kept of these containers as evidence, where that can be looked into.
    pub evidence: Vec<evidence::told::Told>,
    /// What is missing: gaps and losses, as sentences.
    pub unseen: Vec<String>,
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
        commands: Vec::new(),
        files: Vec::new(),
        evidence: Vec::new(),
        unseen: Vec::new(),
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
    report.arrange();
    Ok(report)
}

/// Kinds of drift that leave something in the file system.
const LEFT: [&str; 5] =
    ["file.write", "file.delete", "file.link", "file.meta", "exec.not_in_image"];

impl Report {
    /// `event.seq` of the timeline's oldest event; 1 where it has none.
    pub fn oldest(&self) -> i64 {
        let told = self.timeline.entries.iter().filter_map(|entry| match entry {
            Entry::Drift(told) => Some(told.seq),
            _ => None,
        });
        told.min().unwrap_or(1)
    }

    /// What a responder asks for first, from all that is told.
    fn arrange(&mut self) {
        // What a hop led to is in the lives, whatever was asked for.
        let mut all: Vec<&Told> = self.lives.iter().flat_map(|life| &life.drift).collect();
        all.extend(self.timeline.entries.iter().filter_map(|entry| match entry {
            Entry::Drift(told) => Some(&**told),
            _ => None,
        }));
        all.sort_by_key(|told| (told.time, told.seq, told.id.clone()));
        all.dedup_by_key(|told| told.id.clone());
        let of = |kinds: &dyn Fn(&str) -> bool| -> Vec<Told> {
            all.iter().filter(|told| kinds(&told.kind)).map(|told| (*told).clone()).collect()
        };
        let commands = of(&|kind| kind.starts_with("exec"));
        let files = of(&|kind| LEFT.contains(&kind));
        for entry in &self.timeline.entries {
            if let Entry::Gap(gap) = entry {
                let whom = gap.container.as_ref().map_or("the whole node", |id| short(id));
                let (from, until) = (moment(gap.time), moment(gap.until));
                self.unseen.push(format!("{whom}: nobody watched {from} to {until}: {}", gap.why));
            }
        }
        for life in &self.lives {
            let id = short(life.identity.id.as_str());
            for (kind, lost) in &life.lost {
                self.unseen.push(format!("{id}: {lost} events of the sort {kind} were lost"));
            }
            if life.capture != "from_start" {
                let capture = life.capture.replace('_', " ");
                self.unseen.push(format!("{id}: it was not seen from its start on ({capture})"));
            }
            if life.cut {
                self.unseen.push(format!("{id}: it did more than is told here, before that"));
            }
        }
        (self.commands, self.files) = (commands, files);
    }

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
        environment.add_filter("moment", |text: &str| {
            text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), moment)
        });
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

/// The beginning of an id.
fn short(id: &str) -> &str {
    id.char_indices().nth(12).map_or(id, |(at, _)| &id[..at])
}

/// With milliseconds: what an intruder does comes close together.
fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
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
