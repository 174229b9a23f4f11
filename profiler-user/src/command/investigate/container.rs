//! `driftline investigate container`: the full life of a container.

use std::{fmt::Write as _, process::ExitCode};

use clap::Args;

use super::{
    flight::{self, WithFlight},
    print::Form,
    table,
    which::Where,
};
use crate::drift::clean;
use crate::error::Error;
use crate::flight::recorded;
use crate::investigate::{self, Life};

#[derive(Debug, Args)]
pub(super) struct Container {
    /// Its id, or the beginning of it
    #[arg(value_name = "ID")]
    id: String,
    /// At most so many drifts, the newest
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Show what the flight recorder has of it as well, also what was no drift
    #[arg(long)]
    flight: bool,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(args: &Container) -> Result<ExitCode, Error> {
    let mut history = args.at.open().await?;
    let life = investigate::container(&mut history, &args.id, args.limit).await?;
    history.close().await;
    let id = life.identity.id.as_str();
    let recorded = if args.flight {
        Some(recorded(args.at.home()?, id, None, None, args.limit)?)
    } else {
        None
    };
    let answer = WithFlight { answer: life, recorded };
    args.form.answer("driftline.container/v1", &answer, |all| {
        text(&all.answer) + &flight::text(all.recorded.as_ref())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn text(life: &Life) -> String {
    let mut text = String::new();
    let identity = &life.identity;
    let mut say = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "  {name:<12} {}", clean(&value));
        }
    };
    say("container", Some(identity.id.as_str().to_owned()));
    say("name", identity.name.clone());
    if let Some(pod) = &identity.pod {
        let names = [&pod.namespace, &pod.name].into_iter().flatten();
        let names: Vec<&str> = names.map(String::as_str).collect();
        say("pod", Some(format!("{} ({})", names.join("/"), pod.uid)));
        say("address", pod.ip.map(|ip| ip.to_string()));
    }
    say("workload", life.workload.clone());
    say("node", life.node.clone());
    say("runtime", identity.runtime.clone());
    if let Some(image) = &identity.image {
        say("image", image.reference.clone().or_else(|| Some(image.name.clone())));
        say("image id", image.id.clone());
        for digest in &image.repo_digests {
            say("digest", Some(digest.clone()));
        }
    }
    say("provenance", life.provenance_line.clone());
    say("first seen", Some(table::time(life.first_seen)));
    say("started", identity.started.map(table::time));
    say("restarts", Some(life.restarts.to_string()).filter(|_| life.restarts > 0));
    let ended = identity.finished.map(|at| {
        let code = identity.exit_code.map(|code| format!(", exit code {code}"));
        let reason = identity.reason.as_ref().map(|reason| format!(", {reason}"));
        format!("{}{}{}", table::time(at), code.unwrap_or_default(), reason.unwrap_or_default())
    });
    say("ended", ended.or_else(|| Some("not as far as is known".to_owned())));
    say("seen", Some(life.capture.replace('_', " ")));
    say("tier", life.tier.clone());
    let baseline = life.baseline_status.as_ref().map(|status| match &life.baseline_id {
        Some(id) => format!("{status}, {id}"),
        None => status.clone(),
    });
    say("baseline", baseline);
    for (kind, lost) in &life.lost {
        say("lost", Some(format!("{lost} {kind}")));
    }
    for gap in &life.gaps {
        let gap = format!("{} to {}: {}", table::time(gap.time), table::time(gap.until), gap.why);
        say("not watched", Some(gap));
    }
    text.push('\n');
    if life.drift.is_empty() {
        text.push_str("it did nothing beyond its baseline\n");
    }
    if life.cut {
        text.push_str("(and more, earlier)\n");
    }
    text + &table::drifts(&life.drift)
}
