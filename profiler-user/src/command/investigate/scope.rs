//! `driftline investigate scope`: where did it spread?

use std::{fmt::Write as _, process::ExitCode};

use clap::Args;
use jiff::Timestamp;

use super::{
    print::Form,
    table,
    table::Table,
    which::{Where, Which},
};
use crate::drift::clean;
use crate::error::Error;
use crate::investigate::{self, Occurrence};

#[derive(Debug, Args)]
pub(super) struct Scope {
    /// A fingerprint, or an event of it; without, all drift that the other flags fit
    #[arg(value_name = "FINGERPRINT|EVENT_ID")]
    what: Option<String>,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: &Scope, now: Timestamp) -> Result<ExitCode, Error> {
    let mut history = args.at.open().await?;
    let mut selector = args.which.selector(&mut history, now).await?;
    if let Some(what) = &args.what {
        let named = history.fingerprint(what).await?;
        if selector.fingerprint.as_ref().is_some_and(|other| *other != named) {
            let why = "a fingerprint is given twice, and they are not the same".to_owned();
            return Err(Error::Usage(why));
        }
        selector.fingerprint = Some(named);
    }
    let scope =
        if let (Some(fingerprint), true) = (&selector.fingerprint, args.which.is_everything()) {
            investigate::scope_of(&mut history, fingerprint).await?
        } else {
            investigate::scope(&mut history, &selector).await?
        };
    history.close().await;
    args.form.answer("driftline.scope/v1", &scope, text)?;
    Ok(ExitCode::SUCCESS)
}

fn text(scope: &investigate::Scope) -> String {
    let mut text = String::new();
    if scope.containers.is_empty() {
        return "no container did that\n".to_owned();
    }
    let of =
        |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    let _ = writeln!(
        text,
        "{} ({} of them running) of {}, {}, {}, on {}",
        of(scope.containers.len(), "container"),
        scope.running,
        of(scope.pods.len(), "pod"),
        of(scope.workloads.len(), "workload"),
        of(scope.images.len(), "image"),
        of(scope.nodes.len(), "node"),
    );
    for (name, values) in
        [("nodes", &scope.nodes), ("workloads", &scope.workloads), ("images", &scope.images)]
    {
        let values: Vec<String> = values.iter().map(|value| clean(value)).collect();
        if !values.is_empty() {
            let _ = writeln!(text, "  {name:<10} {}", values.join(", "));
        }
    }
    text.push('\n');
    text + &occurrences(&scope.containers)
}

/// Who did it, when and how often.
pub(super) fn occurrences(occurrences: &[Occurrence]) -> String {
    let mut table =
        Table::new(&["first", "last", "count", "container", "node", "image", "ended", "where"]);
    for one in occurrences {
        table.row([
            table::time(one.first),
            table::time(one.last),
            one.count.to_string(),
            one.container
                .as_ref()
                .map_or_else(|| "-".to_owned(), |id| id.chars().take(12).collect()),
            table::or_dash(one.node.as_ref()),
            table::digest(one.image_id.as_ref()),
            one.ended.map_or_else(|| "-".to_owned(), table::time),
            one.place(),
        ]);
    }
    table.text()
}
