//! What the flight recorder has, below an answer.

use std::fmt::Write as _;

use serde::Serialize;

use super::table::{self, Table};
use crate::drift::clean;
use crate::flight::Recorded;

/// An answer, and what was recorded where somebody asked for it.
#[derive(Serialize)]
pub(super) struct WithFlight<T> {
    #[serde(flatten)]
    pub(super) answer: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recorded: Option<Recorded>,
}

pub(super) fn text(recorded: Option<&Recorded>) -> String {
    let Some(recorded) = recorded else { return String::new() };
    let mut text = "\nflight recorder\n".to_owned();
    for why in &recorded.unreadable {
        let _ = writeln!(text, "{}", clean(why));
    }
    if recorded.cut {
        let _ = writeln!(text, "(and more, earlier)");
    }
    if recorded.moments.is_empty() {
        let _ = writeln!(text, "nothing is recorded of it");
    }
    let mut rows = Table::new(&["time", "kind", "pid", "program", "what"]);
    for moment in &recorded.moments {
        rows.row([
            table::time(moment.time),
            moment.kind.to_owned(),
            moment.pid.to_string(),
            moment.executable.to_string(),
            moment.object.clone(),
        ]);
    }
    text + &rows.text()
}
