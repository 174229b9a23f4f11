//! How numbers and names are told to people.

use crate::baseline::{Completeness, Limit, Units};
/// What a baseline says may have been written by anybody: it must not move a terminal's cursor.
pub(super) use crate::drift::clean as plain;

/// `97.9 %`; never 100 % of what is a little less.
pub(in crate::command) fn percent(share: f64) -> String {
    let tenths = (share * 1000.0).floor() / 10.0;
    if share >= 1.0 { "100 %".to_owned() } else { format!("{tenths:.1} %") }
}

/// What is known of how complete a baseline is, in a few words.
pub(in crate::command) fn coverage(told: &Completeness) -> String {
    match told.limit {
        Limit::Starts if told.left_out.is_empty() => {
            "unknown: one run does not tell what the next would bring".to_owned()
        }
        Limit::Starts => "unknown: fewer than two runs were seen wholly".to_owned(),
        Limit::Runs => format!("{} by {} runs", percent(told.coverage), told.overall.runs.units),
        Limit::Windows => format!(
            "{} by {} windows of 10 minutes",
            percent(told.coverage),
            told.overall.windows.units
        ),
    }
}

/// `expect 0.3 new (0 to 2)`
pub(super) fn next(units: &Units) -> String {
    match &units.next {
        Some(next) => format!("{:.1} ({} to {})", next.expected, next.low, next.high),
        None => "-".to_owned(),
    }
}
