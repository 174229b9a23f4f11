//! `driftline investigate timeline`: what happened, in the order in which it happened.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::{
    print, table,
    table::Table,
    which::{Where, Which},
};
use crate::command;
use crate::error::Error;
use crate::investigate::{self, Entry, Moment};

/// Of the JSON.
const SCHEMA: &str = "driftline.timeline/v1";

#[derive(Debug, Args)]
pub(super) struct Timeline {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    which: Which,
    /// At most so many entries, the newest ones
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Table,
    /// One object, driftline.timeline/v1
    Json,
    /// Comma-separated, with a head (RFC 4180)
    Csv,
    /// What Timesketch imports: CSV with `message`, `datetime` and `timestamp_desc`
    Timesketch,
}

pub(super) async fn run(args: &Timeline, now: Timestamp) -> Result<ExitCode, Error> {
    let mut history = args.at.open().await?;
    let selector = args.which.selector(&mut history, now).await?;
    let timeline = investigate::timeline(&mut history, &selector, args.limit).await?;
    history.close().await;
    let format = if args.json { Format::Json } else { args.format };
    match format {
        Format::Json => print::json(SCHEMA, &timeline)?,
        Format::Table => command::print(text(&timeline.entries).as_bytes())?,
        Format::Csv => command::print(&csv(&timeline.entries, false)?)?,
        Format::Timesketch => command::print(&csv(&timeline.entries, true)?)?,
    }
    if timeline.cut {
        eprintln!(
            "driftline: there is more before that; ask for less with --until, or for more with --limit"
        );
    }
    if timeline.entries.is_empty() {
        eprintln!("driftline: the history holds nothing of that");
    }
    Ok(ExitCode::SUCCESS)
}

fn text(entries: &[Entry]) -> String {
    let mut table = Table::new(&["time", "severity", "what", "where", "told"]);
    for entry in entries {
        let (severity, what, place) = about(entry);
        table.row([table::time(entry.time()), severity, what, place, message(entry)]);
    }
    table.text()
}

/// Severity, kind, place.
fn about(entry: &Entry) -> (String, String, String) {
    match entry {
        Entry::Drift(told) => (told.severity.clone(), told.kind.clone(), told.place()),
        Entry::Started(moment) => (String::new(), "started".to_owned(), moment.place()),
        Entry::Ended(moment) => (String::new(), "ended".to_owned(), moment.place()),
        Entry::Gap(gap) => {
            let short = |id: &String| id.chars().take(12).collect();
            let place = gap.container.as_ref().map_or_else(|| "the whole node".to_owned(), short);
            (String::new(), "gap".to_owned(), place)
        }
    }
}

/// What it says to a reader.
fn message(entry: &Entry) -> String {
    match entry {
        Entry::Drift(told) => table::drift(told),
        Entry::Started(moment) => started(moment),
        Entry::Ended(moment) => {
            let code = moment.exit_code.map(|code| format!(" with exit code {code}"));
            let reason = moment.reason.as_ref().map(|reason| format!(" ({reason})"));
            format!("it ended{}{}", code.unwrap_or_default(), reason.unwrap_or_default())
        }
        Entry::Gap(gap) => format!("nobody watched until {}: {}", table::time(gap.until), gap.why),
    }
}

fn started(moment: &Moment) -> String {
    let image = moment.image.as_deref().unwrap_or("an unknown image");
    let digest = moment.image_id.as_ref().map(|_| table::digest(moment.image_id.as_ref()));
    let digest = digest.map_or_else(String::new, |digest| format!(" ({digest})"));
    let seen = match moment.capture.as_deref() {
        None => "",
        Some("partial") => "; it was seen from later on only",
        Some("listed") => "; it was never watched",
        Some(_) => "; nobody watched at times",
    };
    format!("a container of {image}{digest} began{seen}")
}

/// With the columns that Timesketch asks for, or without.
/// <https://timesketch.org/guides/user/import-from-json-csv/>
fn csv(entries: &[Entry], timesketch: bool) -> Result<Vec<u8>, Error> {
    let failed = |error: csv::Error| Error::Internal(error.into());
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let heads = if timesketch {
        ["message", "datetime", "timestamp_desc"]
    } else {
        ["told", "time", "what"]
    };
    let rest = [
        "last",
        "count",
        "severity",
        "kind",
        "object",
        "techniques",
        "node",
        "namespace",
        "pod",
        "container_id",
        "image",
        "image_id",
        "executable",
        "command",
        "pid",
        "uid",
        "fingerprint",
        "event_id",
    ];
    writer.write_record(heads.iter().chain(&rest)).map_err(failed)?;
    for entry in entries {
        writer.write_record(fields(entry)).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| Error::Internal(error.into_error().into()))
}

fn fields(entry: &Entry) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = format!("{:.6}", entry.time());
    match entry {
        Entry::Drift(told) => vec![
            told.sentence.clone(),
            time,
            format!("drift: {}", told.kind),
            format!("{:.6}", told.last),
            told.count.to_string(),
            told.severity.clone(),
            told.kind.clone(),
            told.object.clone(),
            told.techniques.join(" "),
            told.machine().to_owned(),
            text(&told.namespace),
            text(&told.pod),
            text(&told.container),
            text(&told.image),
            text(&told.image_id),
            text(&told.executable),
            shlex::try_join(told.args.iter().map(String::as_str)).unwrap_or_default(),
            told.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            told.uid.map(|uid| uid.to_string()).unwrap_or_default(),
            told.fingerprint.clone(),
            told.id.clone(),
        ],
        Entry::Started(moment) | Entry::Ended(moment) => {
            let what = if matches!(entry, Entry::Started(_)) {
                "container started"
            } else {
                "container ended"
            };
            let mut fields = vec![message(entry), time, what.to_owned()];
            fields.resize(9, String::new());
            fields.extend([
                text(&moment.node),
                text(&moment.namespace),
                text(&moment.pod),
                moment.container.clone(),
                text(&moment.image),
                text(&moment.image_id),
            ]);
            fields.resize(21, String::new());
            fields
        }
        Entry::Gap(gap) => {
            let mut fields = vec![message(entry), time, "nobody watched".to_owned()];
            fields.push(format!("{:.6}", gap.until));
            fields.resize(12, String::new());
            fields.push(text(&gap.container));
            fields.resize(21, String::new());
            fields
        }
    }
}
