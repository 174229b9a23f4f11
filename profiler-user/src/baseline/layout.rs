//! How a baseline is laid out as text: indented, but one line for each entry, so that a diff has one line for each too.

use std::collections::BTreeMap;

use serde::de::Error as _;

use super::model::Baseline;
use super::run::RunId;
use super::seen::Sighting;

/// In place of the names of all runs, where each saw an entry once: most are, and another run then leaves their lines alone
/// but for the last time.
const ALL: &str = "all";

/// So many characters of a run's id stand for it, or more where two would be called the same.
const SHORTEST: usize = 4;

pub(super) fn render(baseline: &Baseline) -> String {
    let pretty = serde_json::to_string_pretty(&shortened(baseline.clone()))
        .expect("a baseline holds nothing that JSON does not");
    one_line_per_entry(&pretty)
}

pub(super) fn read(bytes: &[u8]) -> serde_json::Result<Baseline> {
    lengthened(serde_json::from_slice(bytes)?)
}

/// Entries name a run by the end of its id: its beginning is a time, which runs share.
fn shortened(mut baseline: Baseline) -> Baseline {
    let ids: Vec<RunId> = baseline.runs.keys().cloned().collect();
    let longest = ids.iter().map(|id| id.as_str().len()).max().unwrap_or(0);
    let are_told_apart = |length: &usize| {
        let mut ends: Vec<_> = ids.iter().map(|id| end(id, *length)).collect();
        ends.sort_unstable();
        ends.windows(2).all(|pair| pair[0] != pair[1]) && !ends.contains(&ALL)
    };
    let Some(length) = (SHORTEST..=longest.max(SHORTEST)).find(are_told_apart) else {
        return baseline;
    };
    let short: BTreeMap<_, _> =
        ids.iter().map(|id| (id.clone(), RunId::new(end(id, length)))).collect();
    baseline.for_each_seen(|seen| {
        let once_each = !ids.is_empty()
            && seen.runs.len() == ids.len()
            && seen.runs.iter().all(|(id, at)| short.contains_key(id) && *at == Sighting::ONCE);
        seen.runs = if once_each {
            BTreeMap::from([(RunId::new(ALL), Sighting::ONCE)])
        } else {
            let name = |id: &RunId| short.get(id).unwrap_or(id).clone();
            seen.runs.iter().map(|(id, at)| (name(id), *at)).collect()
        };
    });
    baseline
}

/// The ids of runs that entries name, whole again. What is the name of no run, or of several, is refused: another run that is
/// recorded later could turn out to be called so.
fn lengthened(mut baseline: Baseline) -> serde_json::Result<Baseline> {
    let ids: Vec<RunId> = baseline.runs.keys().cloned().collect();
    let mut whole: BTreeMap<RunId, RunId> = BTreeMap::new();
    let mut refused = None;
    baseline.for_each_seen(|seen| {
        if seen.runs.len() == 1 && seen.runs.contains_key(&RunId::new(ALL)) {
            seen.runs = ids.iter().map(|id| (id.clone(), Sighting::ONCE)).collect();
            return;
        }
        let runs = std::mem::take(&mut seen.runs).into_iter();
        seen.runs = runs
            .map(|(name, at)| {
                let id = whole.entry(name).or_insert_with_key(|name| {
                    let id = the_one(&ids, name);
                    if id.is_none() {
                        refused.get_or_insert_with(|| name.clone());
                    }
                    id.unwrap_or(name).clone()
                });
                (id.clone(), at)
            })
            .collect();
    });
    match refused {
        None => Ok(baseline),
        Some(name) => Err(serde_json::Error::custom(format!(
            "an entry was seen in the run {:?}, which is not exactly one of `runs`",
            name.as_str()
        ))),
    }
}

/// The run that is called so, whole or by its end.
fn the_one<'a>(ids: &'a [RunId], name: &RunId) -> Option<&'a RunId> {
    if let Some(id) = ids.iter().find(|id| *id == name) {
        return Some(id);
    }
    let mut of_that_name = ids.iter().filter(|id| id.as_str().ends_with(name.as_str()));
    of_that_name.next().filter(|_| of_that_name.next().is_none())
}

fn end(id: &RunId, length: usize) -> &str {
    let id = id.as_str();
    id.get(id.len().saturating_sub(length)..).unwrap_or(id)
}

/// Joins the lines of each `Seen`. A line break is never part of a string in JSON, and only a `Seen` begins with a
/// first time; an entry that happens to be called `first` is an object.
fn one_line_per_entry(pretty: &str) -> String {
    let mut text = String::with_capacity(pretty.len());
    let mut lines = pretty.lines().peekable();
    while let Some(line) = lines.next() {
        text.push_str(line);
        let is_seen = line.ends_with('{')
            && lines.peek().is_some_and(|next| next.trim_start().starts_with("\"first\": \""));
        if is_seen {
            let mut depth = 1;
            while depth > 0 {
                let Some(line) = lines.next() else { break };
                let part = line.trim_start();
                depth += i32::from(part.ends_with('{'));
                depth -= i32::from(part.starts_with('}'));
                if !part.starts_with('}') && !text.ends_with('{') {
                    text.push(' ');
                }
                text.push_str(part);
            }
        }
        text.push('\n');
    }
    text
}
