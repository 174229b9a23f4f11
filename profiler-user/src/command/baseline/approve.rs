//! `driftline baseline approve`: a drift that was looked at becomes allowed, with a reason, and for whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;

use super::{text, when};
use crate::{
    attest,
    baseline::{self, Approval, Baseline, Drifted, Grant, Scope, Whereabouts, Width},
    cli::home,
    error::Error,
    store,
};

#[derive(Debug, Args)]
pub(super) struct Approve {
    /// `event.id` of each drift
    #[arg(required = true, value_name = "EVENT_ID")]
    ids: Vec<String>,
    /// Why it may be done; it becomes part of the baseline
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Until when: 90d, 12h, or a date; then it is drift again
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// For which containers of the image; by default those of the event's workload, or all where it names none
    #[arg(long, value_enum)]
    scope: Option<Width>,
    /// The events file that holds the drift
    #[arg(long, value_name = "FILE", conflicts_with = "store", required_unless_present = "store")]
    events: Option<PathBuf>,
    /// The node agent's store that holds it
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_STORE", hide_env_values = true, value_parser = home())]
    store: Option<PathBuf>,
    /// The directory with the baseline of the event's image
    #[arg(long, value_name = "DIR", default_value = "baselines", env = "DRIFTLINE_BASELINES")]
    baselines: PathBuf,
}

/// What of an event says where it happened, besides what happened.
#[derive(Debug, Deserialize)]
struct Told {
    #[serde(rename = "event.id")]
    id: String,
    #[serde(flatten)]
    drifted: Drifted,
    #[serde(rename = "container.image.id")]
    image_id: Option<String>,
    #[serde(rename = "container.image.name")]
    image: Option<String>,
    #[serde(rename = "k8s.container.name")]
    pod_container: Option<String>,
    #[serde(rename = "container.name")]
    container: Option<String>,
    #[serde(rename = "k8s.namespace.name")]
    namespace: Option<String>,
    #[serde(rename = "driftline.workload")]
    workload: Option<String>,
}

pub(super) async fn run(args: &Approve, now: Timestamp) -> Result<ExitCode, Error> {
    if args.reason.trim().is_empty() {
        return Err(Error::Usage("--reason is empty: say why it may be done".to_owned()));
    }
    let until = args.expires.as_deref().map(|text| when::moment(text, now)).transpose();
    let expires = until.map_err(|why| Error::Usage(format!("--expires: {why}")))?;
    // All of them or none: nothing is written before everything is known to be possible.
    let mut changed: BTreeMap<PathBuf, Baseline> = BTreeMap::new();
    let mut said = Vec::new();
    // Whoever names all ids of a file names a group and its members.
    let mut of_groups = BTreeSet::new();
    for id in &args.ids {
        for told in find(args, id).await? {
            let is_member = told.id != *id;
            // By its own id, then.
            if is_member && (args.ids.contains(&told.id) || !of_groups.insert(told.id.clone())) {
                continue;
            }
            let path = baseline_of(&told, &args.baselines, &changed)?;
            let baseline = match changed.remove(&path) {
                Some(baseline) => baseline,
                None => baseline::load_file(&path)?,
            };
            let scope = scope(&told, args.scope)?;
            let (by, reason) = (args.by.clone(), args.reason.clone());
            let grant = Grant { approved: now, by, reason, expires, scope };
            let id = &told.id;
            let approval = Approval::of(&told.drifted, grant).map_err(|why| {
                let kind = told.drifted.kind;
                Error::Usage(format!("event {id} ({kind}) cannot be approved: {why}"))
            })?;
            said.push(sentence(&told, &approval, &path));
            changed.insert(path, with(baseline, id, approval)?);
        }
    }
    for (path, baseline) in &changed {
        baseline::write_file(path, baseline::render(baseline).as_bytes())
            .map_err(|error| Error::Output(error.to_string()))?;
    }
    for line in said {
        eprintln!("driftline: {line}");
    }
    for path in changed.keys().filter(|path| attest::envelope_path(path).exists()) {
        eprintln!(
            "driftline: {} was signed as it was before: sign it again with driftline baseline sign",
            path.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// More than one where the event tells of a group.
async fn find(args: &Approve, id: &str) -> Result<Vec<Told>, Error> {
    let (place, lines) = match (&args.store, &args.events) {
        (Some(directory), _) => (directory, store::event_lines(directory, id).await),
        (None, Some(file)) => (file, lines_of(file, id)),
        (None, None) => return Err(Error::Usage("give --events or --store".to_owned())),
    };
    let unreadable = |why: String| {
        Error::Baseline(format!("cannot read the events of {}: {why}", place.display()))
    };
    let lines = lines.map_err(unreadable)?;
    if lines.is_empty() {
        return Err(Error::Usage(format!("there is no event {id:?} in {}", place.display())));
    }
    let told: Result<_, serde_json::Error> =
        lines.iter().map(|line| serde_json::from_str(line)).collect();
    told.map_err(|error| unreadable(format!("event {id}: {error}")))
}

/// The first line with that id: a drift is told again when it repeats, in the same words. Of an event that tells of a group
/// the members' lines, where they are there: in what a command wrote.
fn lines_of(file: &Path, id: &str) -> Result<Vec<String>, String> {
    use std::io::BufRead as _;
    #[derive(Deserialize)]
    struct Id {
        #[serde(rename = "event.id")]
        id: String,
        #[serde(rename = "drift.group.id")]
        of: Option<String>,
    }
    let mut members = Vec::new();
    let mut found = None;
    let lines = std::fs::File::open(file).map(std::io::BufReader::new);
    for line in lines.map_err(|error| error.to_string())?.lines() {
        let line = line.map_err(|error| error.to_string())?;
        // What is no event is not what was asked for.
        let Ok(of) = serde_json::from_str::<Id>(&line) else { continue };
        if of.of.is_some_and(|group| group == id) {
            members.push(line);
        } else if of.id == id {
            found.get_or_insert(line);
        }
    }
    Ok(if members.is_empty() { found.into_iter().collect() } else { members })
}

/// The file of the image that the event is of, in its role.
fn baseline_of(
    told: &Told,
    directory: &Path,
    changed: &BTreeMap<PathBuf, Baseline>,
) -> Result<PathBuf, Error> {
    let (namespace, workload) = (told.namespace.as_deref(), told.workload.as_deref());
    let at = Whereabouts { namespace, workload };
    let role = told.pod_container.as_ref().or(told.container.as_ref());
    let is_it = |baseline: &Baseline| match &told.image_id {
        Some(_) => baseline.image.id == told.image_id && baseline.image.container.as_ref() == role,
        None => baseline.image.id.is_none() && Some(&baseline.image.name) == told.image.as_ref(),
    };
    let unreadable =
        |error| Error::Baseline(format!("cannot read {}: {error}", directory.display()));
    let scope = |baseline: &Baseline| is_it(baseline).then(|| baseline.scope.clone());
    let mut found: Option<(Scope, PathBuf)> = None;
    for listed in baseline::list(directory).map_err(unreadable)? {
        let scope = match changed.get(&listed.path) {
            Some(baseline) => scope(baseline),
            // One that cannot be read is not the one: it judged nothing.
            None => baseline::load_file(&listed.path).ok().as_ref().and_then(scope),
        };
        // Of several the narrowest judged it.
        if let Some(scope) = scope.filter(|scope| scope.holds(at))
            && found.as_ref().is_none_or(|(before, _)| *before < scope)
        {
            found = Some((scope, listed.path));
        }
    }
    found.map(|(_, path)| path).ok_or_else(|| {
        Error::Baseline(format!(
            "{} holds no baseline of {}, which event {} is of: give the directory that does with --baselines",
            directory.display(),
            told.image.as_deref().or(told.image_id.as_deref()).unwrap_or("an image without a name"),
            told.id
        ))
    })
}

fn scope(told: &Told, width: Option<Width>) -> Result<Scope, Error> {
    let missing = |what: &str| {
        Error::Usage(format!("event {} names no {what}: give another --scope", told.id))
    };
    let namespace = || told.namespace.clone().ok_or_else(|| missing("namespace"));
    let workload = || told.workload.clone().ok_or_else(|| missing("workload"));
    Ok(match width {
        None if told.namespace.is_none() || told.workload.is_none() => Scope::Image,
        Some(Width::Image) => Scope::Image,
        Some(Width::Namespace) => Scope::Namespace(namespace()?),
        None | Some(Width::Workload) => {
            Scope::Workload { namespace: namespace()?, name: workload()? }
        }
    })
}

fn with(mut baseline: Baseline, id: &str, approval: Approval) -> Result<Baseline, Error> {
    if let Some(before) = baseline.approvals.get(id)
        && !before.is_over(approval.approved)
        && before.scope == approval.scope
    {
        let by = before.by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
        return Err(Error::Usage(format!(
            "event {id} is approved already{by} for {}: {}",
            before.scope, before.reason
        )));
    }
    baseline.approvals.insert(id.to_owned(), approval);
    Ok(baseline)
}

fn sentence(told: &Told, approval: &Approval, path: &Path) -> String {
    let entries: Vec<_> = approval.entries().map(|(list, key)| format!("{list} {key}")).collect();
    let who = approval.executable.as_ref().map_or(String::new(), |path| format!("{path}: "));
    let until = approval.expires.map_or(String::new(), |time| format!(" until {time}"));
    text::plain(&format!(
        "{} allows {who}{} for {}{until} ({} of event {})",
        path.display(),
        entries.join(", "),
        approval.scope,
        told.drifted.kind,
        told.id
    ))
}
