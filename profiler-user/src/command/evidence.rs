//! `driftline evidence`: what was kept of containers that drifted.

mod collect;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::print;
use crate::attest::PublicKey;
use crate::cli::{DEFAULT_STORE, home};
use crate::drift::clean;
use crate::error::{Error, code};
use crate::evidence::bundle::{self, BundleError, Manifest, Why};
use crate::evidence::{DIRECTORY, key};

#[derive(Debug, Args)]
pub struct Evidence {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print which bundles there are
    List(List),
    /// Print what a bundle says of itself; `verify` says whether to believe it
    Show(Show),
    /// Say whether a bundle is as it was signed
    Verify(Which),
    /// Verify a bundle and write its pieces to a directory that is not there yet
    Extract(Extract),
    /// Make a bundle now, of a container or of every one of this node
    Collect(collect::Collect),
}

#[derive(Debug, Args)]
struct List {
    /// Directory of the history
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_STORE", default_value = DEFAULT_STORE, hide_env_values = true, value_parser = home())]
    store: PathBuf,
    /// Only those of this drift
    #[arg(long, value_name = "EVENT_ID")]
    event: Option<String>,
    /// Only those of containers whose id begins so
    #[arg(long, value_name = "ID")]
    container: Option<String>,
    /// Print them as JSON, one a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Which {
    /// The bundle's id, or its file
    #[arg(value_name = "ID|FILE")]
    bundle: String,
    /// Directory of the history
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_STORE", default_value = DEFAULT_STORE, hide_env_values = true, value_parser = home())]
    store: PathBuf,
    /// Believe this public key [default: the one of --store]
    #[arg(long, value_name = "PUB")]
    key: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    which: Which,
    /// Print the manifest
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Extract {
    #[command(flatten)]
    which: Which,
    /// Where to: a directory that is made, or - for a tar on stdout [default: the bundle's id]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(args: Evidence) -> Result<ExitCode, Error> {
    match args.action {
        Action::List(args) => list(&args),
        Action::Show(args) => show(&args),
        Action::Verify(args) => verify(&args),
        Action::Extract(args) => extract(&args),
        Action::Collect(args) => collect::run(args).await,
    }
}

impl Which {
    fn path(&self) -> PathBuf {
        let is_id =
            self.bundle.len() == 26 && self.bundle.bytes().all(|b| b.is_ascii_alphanumeric());
        if is_id {
            return self.store.join(DIRECTORY).join(format!("{}.tar.zst", self.bundle));
        }
        PathBuf::from(&self.bundle)
    }

    fn trusted(&self) -> Result<Vec<PublicKey>, Error> {
        let path = self.key.clone().unwrap_or_else(|| self.store.join(key::PUBLIC));
        let key = PublicKey::read(&path).map_err(|error| {
            Error::Baseline(format!(
                "{error}; give --key the public key that bundles are signed with"
            ))
        })?;
        Ok(vec![key])
    }
}

/// What is refused has a status of its own.
fn refused(path: &Path, error: &BundleError) -> Result<ExitCode, Error> {
    let text = clean(&format!("the bundle {} {error}", path.display()));
    match error {
        BundleError::Refused(_) | BundleError::Damaged(_) => {
            eprintln!("driftline: {text}");
            Ok(code::BROKEN.into())
        }
        BundleError::Unreadable(_) => Err(Error::History(text)),
        BundleError::Output { .. } => Err(Error::Output(text)),
    }
}

fn list(args: &List) -> Result<ExitCode, Error> {
    let directory = args.store.join(DIRECTORY);
    let entries = std::fs::read_dir(&directory).map_err(|error| {
        Error::History(format!("cannot read the evidence in {}: {error}", directory.display()))
    })?;
    let is_bundle = |path: &PathBuf| path.to_string_lossy().ends_with(".tar.zst");
    let mut paths: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_bundle).collect();
    paths.sort();
    let (mut text, mut status) = (String::new(), ExitCode::SUCCESS);
    for path in paths {
        let manifest = match bundle::manifest(&path) {
            Ok(manifest) => manifest,
            Err(error) => {
                status = refused(&path, &error)?;
                continue;
            }
        };
        let container = manifest.container.as_ref().map(|it| it.id.as_str()).unwrap_or_default();
        let is_asked =
            args.event.as_deref().is_none_or(|event| manifest.why.event() == Some(event))
                && args.container.as_deref().is_none_or(|id| container.starts_with(id));
        if !is_asked {
            continue;
        }
        if args.json {
            text += &serde_json::to_string(&manifest).map_err(anyhow::Error::from)?;
        } else {
            text += &line(&manifest);
        }
        text.push('\n');
    }
    print(text.as_bytes())?;
    Ok(status)
}

fn line(manifest: &Manifest) -> String {
    let why = match &manifest.why {
        Why::Drift { event } => format!("drift {event}"),
        Why::End { event } => format!("end after {event}"),
        Why::Demand {} => "on demand".to_owned(),
    };
    let of = match &manifest.container {
        Some(it) => match (it.namespace(), it.pod_name()) {
            (Some(namespace), Some(pod)) => format!("{namespace}/{pod} {}", it.id.short()),
            _ => it.id.short().to_owned(),
        },
        None => "the node".to_owned(),
    };
    clean(&format!(
        "{}  {}  {of}  {why}  {} pieces",
        manifest.id,
        manifest.time,
        manifest.pieces.len()
    ))
}

fn show(args: &Show) -> Result<ExitCode, Error> {
    let path = args.which.path();
    let manifest = match bundle::manifest(&path) {
        Ok(manifest) => manifest,
        Err(error) => return refused(&path, &error),
    };
    if args.json {
        let text = serde_json::to_string(&manifest).map_err(anyhow::Error::from)?;
        print(format!("{text}\n").as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = line(&manifest) + "\n";
    for piece in &manifest.pieces {
        let (hash, name) = (clean(&piece.sha256), clean(&piece.name));
        let _infallible = writeln!(text, "{:>12}  {hash}  {name}", piece.size);
    }
    for missing in &manifest.missing {
        text += &clean(&format!("missing: {}: {}", missing.name, missing.why));
        text.push('\n');
    }
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn verify(args: &Which) -> Result<ExitCode, Error> {
    let path = args.path();
    match bundle::verify(&path, &args.trusted()?) {
        Ok(verified) => {
            let count = verified.manifest.pieces.len();
            let text = format!(
                "{} is as it was signed by {}: {count} pieces\n",
                verified.manifest.id, verified.keys[0]
            );
            print(clean(text.trim_end()).as_bytes())?;
            print(b"\n")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => refused(&path, &error),
    }
}

fn extract(args: &Extract) -> Result<ExitCode, Error> {
    let (path, trusted) = (args.which.path(), args.which.trusted()?);
    let done = match args.output.as_deref() {
        Some(to) if to == Path::new("-") => bundle::tar(&path, &trusted, &mut std::io::stdout()),
        Some(to) => bundle::extract(&path, &trusted, to),
        None => {
            let id = bundle::manifest(&path).map(|manifest| manifest.id);
            match id {
                Ok(id) if ulid::Ulid::from_string(&id).is_ok() => {
                    bundle::extract(&path, &trusted, Path::new(&id))
                }
                Ok(_) => Err(BundleError::Refused("its id is none".to_owned())),
                Err(error) => Err(error),
            }
        }
    };
    done.map(|_| ExitCode::SUCCESS).or_else(|error| refused(&path, &error))
}
