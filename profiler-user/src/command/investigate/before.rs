//! `driftline investigate before`: what changed in the behaviour before the alert?

use std::{fmt::Write as _, process::ExitCode};

use clap::Args;

use super::{
    flight::{self, WithFlight},
    print::Form,
    table,
    table::Table,
    which::{Where, window},
};
use crate::cli::duration;
use crate::drift::clean;
use crate::error::Error;
use crate::flight::recorded;
use crate::investigate;

#[derive(Debug, Args)]
pub(super) struct Before {
    /// The event.id of the alert's drift
    #[arg(value_name = "EVENT_ID")]
    event: String,
    /// How far back (seconds, or with a unit: 90s, 10m, 2h)
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h")]
    window: std::time::Duration,
    /// At most so many drifts, the newest before the alert
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Show what the flight recorder has of that time as well, also what was no drift
    #[arg(long)]
    flight: bool,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: &Before) -> Result<ExitCode, Error> {
    let window = window(args.window)?;
    let mut history = args.at.open().await?;
    let before = investigate::before(&mut history, &args.event, window, args.limit).await?;
    history.close().await;
    let recorded = match &before.event.container {
        Some(id) if args.flight => Some(recorded(
            args.at.home()?,
            id,
            Some(before.from),
            Some(before.event.time),
            args.limit,
        )?),
        _ => None,
    };
    let answer = WithFlight { answer: before, recorded };
    args.form.answer("driftline.before/v1", &answer, |all| {
        text(&all.answer) + &flight::text(all.recorded.as_ref())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn text(before: &investigate::Before) -> String {
    let mut text = String::new();
    let event = &before.event;
    let _ =
        writeln!(text, "{} {} {}", table::time(event.time), event.severity, clean(&event.sentence));
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    line("where", clean(&event.place()));
    if let Some(id) = &event.container {
        line("container", clean(id));
    }
    if let Some(started) = before.started {
        let restarts = match before.restarts {
            0 => String::new(),
            number => format!(", {number} restarts"),
        };
        line("started", format!("{}{restarts}", table::time(started)));
    }
    if let Some(image) = &before.image_before {
        line(
            "image",
            format!(
                "another one than the workload's before: {} ({}), of which the last began {}",
                clean(image.reference.as_deref().unwrap_or("of no name")),
                table::digest(image.id.as_ref()),
                table::time(image.started)
            ),
        );
    }
    for gap in &before.gaps {
        line(
            "not watched",
            format!("{} to {}: {}", table::time(gap.time), table::time(gap.until), clean(&gap.why)),
        );
    }
    if before.lost > 0 {
        line("lost", format!("{} events of this container could not be delivered", before.lost));
    }
    text.push('\n');
    if before.drift.is_empty() {
        let _ = writeln!(text, "since {} it did nothing else anew", table::time(before.from));
        return text;
    }
    if before.cut {
        let _ = writeln!(text, "(and more, earlier)");
    }
    let mut table = Table::new(&["time", "severity", "kind", "new here", "event", "what"]);
    for told in before.drift.iter().chain([event]) {
        let first = before.first_ever.contains(&told.id);
        table.row([
            table::time(told.time),
            told.severity.clone(),
            told.kind.clone(),
            if first { "nobody did it before" } else { "seen elsewhere" }.to_owned(),
            told.id.clone(),
            table::drift(told),
        ]);
    }
    text + &table.text()
}
