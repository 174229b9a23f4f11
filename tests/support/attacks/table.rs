//! The steps as a table in Markdown, and the figures of one machine: what `docs/attacks.md` says, out of the same data that is
//! tested.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::{How, Step, TACTICS, run::Outcome};
use crate::tiers;

/// Behaviours that are blind under `lockdown=confidentiality`, see ARCHITECTURE.md.
const CONFIDENTIAL: &[&str] = &["change", "layers", "map"];

/// The table, and below it why some steps cannot be seen.
pub fn rendered() -> String {
    let mut reasons = Vec::new();
    let mut text = String::new();
    for tactic in TACTICS {
        let _infallible = write!(
            text,
            "\n### {}\n\n| step | how | kind | object | technique | full | restricted | confidential |\n\
             |---|---|---|---|---|---|---|---|\n",
            tactic.name
        );
        for step in tactic.steps {
            let (restricted, confidential) = seen(step, &mut reasons);
            let _infallible = writeln!(
                text,
                "| {}{} | {} | {} | `{}`{} | {} | seen | {restricted} | {confidential} |",
                step.what,
                where_it_is_done(step),
                language(step.how),
                step.kind,
                step.object.replace('|', "\\|"),
                if step.refused { " †" } else { "" },
                step.technique,
            );
        }
    }
    text.push('\n');
    for (number, why) in reasons.iter().enumerate() {
        let _infallible = writeln!(text, "{}. {why}", number + 1);
    }
    text
}

fn where_it_is_done(step: &Step) -> String {
    match (step.from_outside, step.on_a_node) {
        (true, _) => " (by exec alone)".to_owned(),
        (_, Some(why)) => format!(" (on a node alone: {why})"),
        _ => String::new(),
    }
}

fn language(how: How) -> &'static str {
    match how {
        How::Shell(_) => "shell",
        How::Perl(_) => "Perl",
        How::Python(_) => "Python",
        How::C(_) => "C",
    }
}

/// By the restricted tier, and under `lockdown=confidentiality`.
fn seen(step: &Step, reasons: &mut Vec<&'static str>) -> (String, String) {
    let Some(unseen) = step.unseen else { return ("seen".to_owned(), "seen".to_owned()) };
    let known = reasons.iter().position(|why| *why == unseen.why);
    let number = known.unwrap_or_else(|| {
        reasons.push(unseen.why);
        reasons.len() - 1
    });
    let no = format!("no ({})", number + 1);
    let yes = "seen".to_owned();
    match (unseen.first_choice_only, CONFIDENTIAL.contains(&unseen.behaviour)) {
        (true, _) => (no, yes),
        (false, true) => (yes, no),
        (false, false) => (yes.clone(), yes),
    }
}

/// How this machine's steps ended: counts, and milliseconds from the system call to the line in the events file.
pub fn figures<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Value {
    let outcomes: Vec<_> = outcomes.collect();
    let told = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Told(took) => Some(*took),
        _ => None,
    });
    let mut told: Vec<Duration> = told.collect();
    told.sort_unstable();
    let unseen = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Unseen)).count();
    // The one that so many of a hundred do not exceed.
    let share = |percent: usize| {
        let at = (told.len() * percent).div_ceil(100).saturating_sub(1);
        told.get(at).map(Duration::as_secs_f64).map(|seconds| (seconds * 10_000.).round() / 10.)
    };
    json!({
        "kernel": nix::sys::utsname::uname().map_or_else(|_| String::new(), |name| name.release().to_string_lossy().into_owned()),
        "tier": tiers::whole(),
        "done": outcomes.len(),
        "told": told.len(),
        "unseen": unseen,
        "ms": { "p50": share(50), "p99": share(99), "max": share(100) },
    })
}
