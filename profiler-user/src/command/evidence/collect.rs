//! `driftline evidence collect`: for an alert that came from elsewhere.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::cgroup::Hierarchy;
use crate::cli::{DEFAULT_STORE, home};
use crate::command::print;
use crate::container::{Identity, locate, path::identify};
use crate::error::Error;
use crate::evidence::bundle::{self, Spool, Why};
use crate::evidence::collect::{self, Upper};
use crate::evidence::runtime::{self, Sources};
use crate::evidence::{DIRECTORY, key};
use crate::redact::{self, Redactor};
use crate::runtime::{Client, Discovery};

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("of").required(true).args(["pod", "container", "node"])))]
pub(super) struct Collect {
    /// The containers of this pod
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pod: Option<String>,
    /// The container whose id begins so
    #[arg(long, value_name = "ID")]
    container: Option<String>,
    /// Every container that runs here, and the node itself
    #[arg(long)]
    node: bool,
    /// Directory of the history
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_STORE", default_value = DEFAULT_STORE, hide_env_values = true, value_parser = home())]
    store: PathBuf,
    /// Sign with this key (PKCS#8 PEM) [default: the one of --store]
    #[arg(long, value_name = "PEM", env = "DRIFTLINE_EVIDENCE_KEY")]
    evidence_key: Option<PathBuf>,
    /// The log of the container runtime's daemon; repeat it for more [default: what the journal has of it]
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_RUNTIME_LOG", value_delimiter = ',')]
    runtime_log: Vec<PathBuf>,
}

impl Collect {
    fn asks_for(&self, identity: &Identity) -> bool {
        let pod = identity.namespace().zip(identity.pod_name());
        let pod = pod.map(|(namespace, name)| format!("{namespace}/{name}"));
        self.node
            || self
                .container
                .as_ref()
                .is_some_and(|id| !id.is_empty() && identity.id.as_str().starts_with(id))
            || (self.pod.is_some() && self.pod == pod)
    }
}

pub(super) async fn run(args: Collect) -> Result<ExitCode, Error> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Error::Output(format!("cannot keep evidence in {}: {what}: {error}", args.store.display()))
    };
    let hierarchy = Hierarchy::find()?;
    let directory = args.store.join(DIRECTORY);
    std::fs::create_dir_all(&directory).map_err(|error| failed("the directory", &error))?;
    let key = key::load(args.evidence_key.as_deref(), &args.store)
        .map_err(|error| failed("the key", &error))?;
    let redactor = Redactor::new(redact::throw_away_key()?);
    let mut known = Vec::new();
    let sources = Sources { endpoints: Discovery::usual().look(), logs: args.runtime_log.clone() };
    for endpoint in &sources.endpoints {
        if let Ok((client, _)) = Client::connect(endpoint, Duration::from_secs(5)).await {
            known.extend(client.known().await.unwrap_or_default());
        }
    }
    let cgroups = locate::scan(&hierarchy).map_err(|error| {
        Error::Machine(format!("cannot read the cgroups of this node: {error}"))
    })?;
    let mut found = 0;
    for (_, path) in cgroups {
        // Of those below a container's own cgroup, the own one tells.
        let Some(cgroup) = identify(&path).filter(|cgroup| cgroup.own == path) else { continue };
        let told = known.iter().find(|identity| identity.id == cgroup.id).cloned();
        let identity =
            told.unwrap_or_else(|| Identity::of_path(cgroup.id, cgroup.runtime, cgroup.pod_uid));
        if !args.asks_for(&identity) {
            continue;
        }
        found += 1;
        let pids = collect::pids(&hierarchy.mount().join(path.trim_start_matches('/')));
        let first = identity.pid.filter(|pid| pids.contains(pid));
        let upper = first.iter().chain(&pids).find_map(|pid| Upper::of(*pid).ok());
        let told = runtime::collect(&sources, Some(&identity), &redactor).await;
        let made = Spool::new(&directory).and_then(|mut spool| {
            collect::container(&mut spool, &pids, Vec::new(), upper.as_ref(), &redactor)?;
            spool.add(told)?;
            let node = crate::host_name();
            bundle::write(&directory, spool, Why::Demand {}, &node, Some(identity), &key)
        });
        let path = made.map_err(|error| failed("a bundle", &error))?;
        print(format!("{}\n", path.display()).as_bytes())?;
    }
    if args.node {
        let told = runtime::collect(&sources, None, &redactor).await;
        let made = Spool::new(&directory).and_then(|mut spool| {
            spool.add(told)?;
            bundle::write(&directory, spool, Why::Demand {}, &crate::host_name(), None, &key)
        });
        let path = made.map_err(|error| failed("a bundle", &error))?;
        print(format!("{}\n", path.display()).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    if found == 0 {
        return Err(Error::Machine(
            "no container that was asked for runs here; driftline check says what this node has"
                .to_owned(),
        ));
    }
    Ok(ExitCode::SUCCESS)
}
