//! `driftline investigate lateral`: did it go from one pod to another?

use std::{fmt::Write as _, process::ExitCode};

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::{
    print, table,
    table::Table,
    which::{Where, Which, Within},
};
use crate::command;
use crate::drift::clean;
use crate::error::Error;
use crate::investigate;

/// Drifts of a pod after a hop that the text shows.
const SHOWN: usize = 5;

#[derive(Debug, Args)]
pub(super) struct Lateral {
    #[command(flatten)]
    at: Where,
    /// Of the pod that connects
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    within: Within,
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
    Text,
    /// One object, driftline.lateral/v1
    Json,
    /// A graph, for Graphviz
    Dot,
    /// A picture
    Svg,
}

pub(super) async fn run(args: &Lateral, now: Timestamp) -> Result<ExitCode, Error> {
    let window = args.within.window()?;
    let mut history = args.at.open().await?;
    let selector = args.which.selector(&mut history, now).await?;
    let lateral = investigate::lateral(&mut history, &selector, window).await?;
    history.close().await;
    let format = if args.json { Format::Json } else { args.format };
    match format {
        Format::Json => print::json("driftline.lateral/v1", &lateral)?,
        Format::Text => command::print(text(&lateral).as_bytes())?,
        Format::Dot => command::print(investigate::dot(&lateral).as_bytes())?,
        Format::Svg => command::print(investigate::svg(&lateral).as_bytes())?,
    }
    if lateral.cut {
        eprintln!("driftline: there were more connections before these; ask for less with --until");
    }
    Ok(ExitCode::SUCCESS)
}

fn text(lateral: &investigate::Lateral) -> String {
    if lateral.hops.is_empty() {
        return "no drift of a pod led to another pod's\n".to_owned();
    }
    let mut text = String::new();
    for chain in &lateral.chains {
        let pods: Vec<String> = chain.pods.iter().map(|pod| clean(pod)).collect();
        let confidence = format!("{:?}", chain.confidence).to_lowercase();
        let _ = writeln!(text, "{} ({confidence} confidence)", pods.join(" -> "));
        let mut table = Table::new(&["time", "hop", "confidence", "told"]);
        for hop in chain.hops.iter().map(|hop| &lateral.hops[*hop]) {
            let name = format!("{} -> {}", hop.from.name, hop.to.name);
            let confidence = format!("{:?}", hop.confidence).to_lowercase();
            table.row([table::time(hop.time), name, confidence, table::drift(&hop.connect)]);
            let then = hop.accept.iter().chain(hop.after.iter().take(SHOWN));
            for told in then {
                let (empty, what) = (String::new(), format!("then {}", table::drift(told)));
                table.row([table::time(told.time), hop.to.name.clone(), empty, what]);
            }
            if hop.after.len() > SHOWN {
                let more = format!("and {} more", hop.after.len() - SHOWN);
                table.row([String::new(), hop.to.name.clone(), String::new(), more]);
            }
        }
        text.push_str(&table.text());
        text.push('\n');
    }
    text
}
