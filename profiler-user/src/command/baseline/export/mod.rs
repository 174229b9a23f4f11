//! `driftline baseline export`: what a baseline allows, for tools that enforce.

mod networkpolicy;
mod seccomp;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::print_json;
use crate::{
    baseline::{self, Baseline, Whereabouts},
    error::Error,
};

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(subcommand)]
    form: Form,
}

#[derive(Debug, Subcommand)]
enum Form {
    /// A seccomp profile for runc, crun, Docker, Podman and Kubernetes
    Seccomp {
        /// The baseline
        file: PathBuf,
    },
    /// A `NetworkPolicy` of Kubernetes
    Networkpolicy {
        /// The policy's name; by default the image's
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// The namespace of the pods
        #[arg(long, value_name = "NAME")]
        namespace: Option<String>,
        /// Labels of the pods it is for: key=value, separated by commas
        #[arg(long, value_name = "LABELS", value_delimiter = ',', required = true)]
        selector: Vec<String>,
        /// The baseline
        file: PathBuf,
    },
}

pub(super) fn run(args: &Export) -> Result<ExitCode, Error> {
    let (json, left_out) = match &args.form {
        Form::Seccomp { file } => seccomp::profile(&allowed(file)?),
        Form::Networkpolicy { name, namespace, selector, file } => {
            let pods = networkpolicy::Pods::new(name.as_deref(), namespace.as_deref(), selector)
                .map_err(Error::Usage)?;
            networkpolicy::policy(&allowed(file)?, &pods)
        }
    };
    for why in left_out {
        eprintln!("driftline: {why}");
    }
    print_json(&json)?;
    Ok(ExitCode::SUCCESS)
}

/// What every container of the image may do: what was recorded, and what is approved.
fn allowed(file: &Path) -> Result<Baseline, Error> {
    let baseline = baseline::load_file(file)?;
    Ok(baseline.with_approved(Whereabouts::default(), Timestamp::now()).into_owned())
}

/// In every form, each with what it leaves out.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn in_every_form(
    held: &Baseline,
    now: Timestamp,
) -> [(serde_json::Value, Vec<String>); 2] {
    let pods = networkpolicy::Pods::new(None, Some("shop"), &["app=web".to_owned()]);
    let allowed = held.with_approved(Whereabouts::default(), now);
    [seccomp::profile(&allowed), networkpolicy::policy(&allowed, &pods.expect("a label"))]
}
