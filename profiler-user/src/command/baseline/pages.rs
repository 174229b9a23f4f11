//! All that these commands say of baselines, as text: for any that can be read, whoever wrote it.

use std::path::Path;

use jiff::Timestamp;

use super::export::in_every_form;
use super::{diff, merge, risk, sarif, show};
use crate::baseline::Baseline;
use crate::behaviour::Observation;

/// What is printed for a person, in a terminal.
pub(crate) fn for_people(held: &Baseline, other: &Baseline, now: Timestamp) -> Vec<String> {
    let completeness = held.completeness(now);
    let (from, to) = (Path::new("held.json"), Path::new("other.json"));
    let forth = diff::compare((from, held), (to, other));
    let back = diff::compare((to, other), (from, held));
    let unsaid = in_every_form(held, now).into_iter().flat_map(|(_, unsaid)| unsaid);
    let pages = [
        show::page(held, &completeness, false, now),
        show::page(held, &completeness, true, now),
        diff::page(&forth, false),
        diff::page(&back, false),
        merge::summary(held, 1),
    ];
    pages.into_iter().chain(unsaid).collect()
}

/// What is printed for another program.
pub(crate) fn for_programs(held: &Baseline, other: &Baseline, now: Timestamp) -> Vec<String> {
    let completeness = held.completeness(now);
    let (from, to) = (Path::new("other.json"), Path::new("held.json"));
    let differences = diff::compare((from, other), (to, held));
    let sarif = sarif::log(&differences, &crate::baseline::render(held));
    let json = |value: serde_json::Result<String>| value.expect("it is all JSON");
    let own = [
        serde_json::to_string(&show::data(held, &completeness)),
        serde_json::to_string(&differences),
        serde_json::to_string(&sarif),
    ];
    let exported = in_every_form(held, now).into_iter().map(|(export, _)| export.to_string());
    own.map(json).into_iter().chain(exported).collect()
}

/// Its entries as they may have been observed.
pub(crate) fn observed(held: &Baseline, most: usize) -> Vec<Observation> {
    held.list().iter().filter_map(risk::observed).take(most).collect()
}
