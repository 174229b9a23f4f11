//! The command line.

mod evidence;
mod place;
mod provenance;
mod sinks;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand};

pub use self::evidence::Evidence;
pub(crate) use self::place::home;
pub use self::place::{Place, discreet};
pub use self::provenance::Provenance;
pub use self::sinks::{Events, Sinks};
use crate::{baseline::Width, error::Error};

/// Records what a container or a command does, and says when it does anything else.
#[derive(Debug, Parser)]
#[command(name = "driftline", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  CMD's own, or 128 + N where signal N ended it
    2  wrong command line
    3  drift was seen (watch --fail-on-drift), or anything is new (baseline diff)
    4  the log is broken (investigate verify-log), or a bundle is not to be believed (evidence)
    5  the canary did not come out of every sink (canary)
  120  this machine does not allow it: not root, no BTF, no cgroup2, no probe, no agent
  121  a baseline, a key, a bind file or a rules file is missing or cannot be used; a baseline is refused
  122  a file could not be written
  123  a registry cannot be reached, refuses, or cannot be believed
  124  a history or a file of events cannot be read (investigate, replay), or a bundle of evidence
  125  driftline failed in another way
  126  CMD was found but cannot be run
  127  CMD was not found";

/// Where a node's history is.
pub(crate) const DEFAULT_STORE: &str = "/var/lib/driftline";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what this kernel and node allow, and what will be blind
    Check(Check),
    /// Take what CMD, or every container of this node, does into baselines
    Record(Box<Record>),
    /// Report what CMD, or any container of this node, does beyond its baseline
    Watch(Box<Watch>),
    /// Show, compare, sign, verify, merge, export, push and pull baselines
    Baseline(crate::command::baseline::Baseline),
    /// Print the rules that grade drift, or say whether a file of one's own fits them
    Rules(crate::command::rules::Rules),
    /// Keep known drift from calling anybody, for a time and with a reason
    Silence(crate::command::silence::Silence),
    /// Ask the history of a node
    Investigate(Box<crate::command::investigate::Investigate>),
    /// Judge what this node's containers did by other baselines: what would have been told more, or less
    Replay(crate::command::replay::Replay),
    /// List, show, verify, extract and collect evidence of containers that drifted
    Evidence(crate::command::evidence::Evidence),
    /// Have this node's agent run a harmless drift, and say whether it came out of every sink
    Canary(crate::command::canary::Canary),
    /// Record a real server, break into it, and show what Driftline saw
    Demo,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Print the report as JSON on stdout
    #[arg(long)]
    pub json: bool,
    /// Directory of the node's history, for what was lost of its containers; it may be in use
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_STORE", default_value = DEFAULT_STORE, hide_env_values = true, value_parser = home())]
    pub store: PathBuf,
    #[command(flatten)]
    pub sensor: Sensor,
}

#[derive(Debug, Args)]
pub struct Record {
    #[command(flatten)]
    pub target: Target,
    /// End after this long (seconds, or with a unit: 90s, 10m, 2h)
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub duration: Option<std::time::Duration>,
    /// End when so much of what an image does has been seen, such as 0.99: every image of the node, or CMD, which is run
    /// again until then
    #[arg(long, value_name = "COVERAGE", value_parser = coverage)]
    pub until: Option<f64>,
    /// Run CMD so often; with --until at most so often [default: 1, with --until 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub runs: Option<u32>,
    /// Without CMD: record the containers of each namespace or workload by themselves, each into a baseline of its own
    #[arg(long, value_name = "SCOPE", env = "DRIFTLINE_SCOPE", value_enum, default_value_t)]
    pub scope: Width,
    #[command(flatten)]
    pub node: Node,
    #[command(flatten)]
    pub sensor: Sensor,
}

#[derive(Debug, Args)]
pub struct Watch {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub events: Events,
    /// Exit with status 3 when anything drifted
    #[arg(long)]
    pub fail_on_drift: bool,
    /// Believe only baselines that a key of this directory has signed (public keys, *.pem and *.pub)
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_TRUST")]
    pub trust: Option<PathBuf>,
    /// Judge peers and names by what this file says of this environment: whose place is taken by whom
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_BIND")]
    pub bind: Option<PathBuf>,
    /// Grade drift by these rules first, then by those that are built in (driftline rules)
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_RULES")]
    pub rules: Option<PathBuf>,
    /// Without CMD: the file of silences (driftline silence) [default: silences.json in --store]
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_SILENCES")]
    pub silences: Option<PathBuf>,
    /// Without CMD: run a harmless drift so often and follow it through every sink (10m, 1h); receivers know it by drift.canary
    #[arg(long, value_name = "DURATION", env = "DRIFTLINE_CANARY_EVERY", value_parser = duration)]
    pub canary_every: Option<std::time::Duration>,
    #[command(flatten)]
    pub provenance: Provenance,
    #[command(flatten)]
    pub evidence: Evidence,
    #[command(flatten)]
    pub node: Node,
    #[command(flatten)]
    pub sensor: Sensor,
}

/// Without CMD: the containers of this node.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Without CMD: every container of this node")]
pub struct Node {
    /// Directory of the history: events and the ledger of containers; or the store that many nodes share, as `postgres://USER@HOST/DATABASE`
    /// (its password in PGPASSWORD)
    #[arg(long, value_name = "DIR|URL", env = "DRIFTLINE_STORE", default_value = DEFAULT_STORE, hide_env_values = true)]
    pub store: Place,
    /// With a store that many nodes share: directory of this node's own history, from which it is sent there
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_SPOOL", default_value = DEFAULT_STORE)]
    pub spool: PathBuf,
    /// Keep the history's file below this size: bytes, or with a unit (512M, 2G)
    #[arg(long, value_name = "SIZE", env = "DRIFTLINE_RETAIN_SIZE", default_value = "1G", value_parser = size)]
    pub retain_size: u64,
    /// Keep events so long: seconds, or with a unit (90m, 36h, 30d)
    #[arg(long, value_name = "AGE", env = "DRIFTLINE_RETAIN_AGE", default_value = "30d", value_parser = age)]
    pub retain_age: std::time::Duration,
    /// Keep what this node has in the store that many nodes share below this size
    #[arg(long, value_name = "SIZE", env = "DRIFTLINE_FLEET_RETAIN_SIZE", default_value = "10G", value_parser = size)]
    pub fleet_retain_size: u64,
    /// Keep it there so long, also when this node tells nothing any more
    #[arg(long, value_name = "AGE", env = "DRIFTLINE_FLEET_RETAIN_AGE", default_value = "365d", value_parser = age)]
    pub fleet_retain_age: std::time::Duration,
    /// Tell every sink so often where the chain of the history stands
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = age, hide = true)]
    pub head_every: std::time::Duration,
    /// Serve /metrics, /healthz and /readyz here, such as 0.0.0.0:9465
    #[arg(long, value_name = "ADDR", env = "DRIFTLINE_HTTP")]
    pub http: Option<std::net::SocketAddr>,
    #[command(flatten)]
    pub sinks: Sinks,
    /// The container runtime's socket, as `unix://` and its path; found by itself where there is one
    #[arg(long, value_name = "SOCKET", env = "DRIFTLINE_RUNTIME_ENDPOINT", value_delimiter = ',')]
    pub runtime_endpoint: Vec<String>,
    /// Only containers of this namespace, or with !NAME none of it; repeat it for more
    #[arg(long, value_name = "NAME", env = "DRIFTLINE_NAMESPACE", value_delimiter = ',')]
    pub namespace: Vec<String>,
    /// Only containers of pods with these labels: key=value, key!=value, key, !key, separated by commas
    #[arg(long, value_name = "LABELS", env = "DRIFTLINE_SELECTOR")]
    pub selector: Vec<String>,
    /// Only containers of images like this, where * is any run of characters; repeat it for more
    #[arg(long, value_name = "PATTERN", env = "DRIFTLINE_IMAGES", value_delimiter = ',')]
    pub images: Vec<String>,
    /// The node's name in Kubernetes, from the downward API
    #[arg(long, value_name = "NAME", env = "DRIFTLINE_NODE_NAME")]
    pub node_name: Option<String>,
    /// The cluster's name, for events and alerts
    #[arg(long, value_name = "NAME", env = "DRIFTLINE_CLUSTER")]
    pub cluster: Option<String>,
}

/// What is run, and where its baseline is.
#[derive(Debug, Args)]
pub struct Target {
    /// Directory of the baselines, one JSON file per image
    #[arg(long, value_name = "DIR", env = "DRIFTLINE_BASELINES", default_value = "baselines")]
    pub baselines: PathBuf,
    /// Name of the image; by default CMD's file name
    #[arg(long, value_name = "NAME", env = "DRIFTLINE_IMAGE", value_parser = image)]
    pub image: Option<String>,
    /// The command to run, after `--`; without one, every container of this node
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct Sensor {
    /// Ring buffer between kernel and driftline, in KiB (rounded up to a power of two)
    #[arg(long, value_name = "KIB", env = "DRIFTLINE_BUFFER", default_value_t = 4096,
          value_parser = clap::value_parser!(u32).range(4..=1_048_576))]
    pub buffer: u32,
    /// Print what each probe meets (aya-log); slow
    #[arg(long, env = "DRIFTLINE_DIAGNOSTICS")]
    pub diagnostics: bool,
}

impl Target {
    /// Whether every container of the node is meant.
    ///
    /// # Errors
    /// Where `--` is there and nothing behind it: somebody's variable was empty, and did not mean the whole node.
    pub fn is_node(&self) -> Result<bool, Error> {
        if self.command.is_empty() && std::env::args_os().any(|word| word == "--") {
            return Err(Error::Usage(
                "nothing follows `--`: give the CMD to run, or leave `--` out to follow every container of this node"
                    .to_owned(),
            ));
        }
        Ok(self.command.is_empty())
    }

    /// The image's name.
    pub fn image(&self) -> String {
        self.image.clone().unwrap_or_else(|| {
            let program = self.command.first().map(PathBuf::from).unwrap_or_default();
            let name = program.file_name().unwrap_or(program.as_os_str());
            name.to_string_lossy().into_owned()
        })
    }
}

impl From<Sensor> for crate::sensor::Options {
    fn from(sensor: Sensor) -> Self {
        let buffer = (sensor.buffer * 1024).next_power_of_two();
        Self { buffer, diagnostics: sensor.diagnostics, every_cgroup: false }
    }
}

fn image(name: &str) -> Result<String, String> {
    if name.is_empty() { Err("an image needs a name".to_owned()) } else { Ok(name.to_owned()) }
}

fn coverage(text: &str) -> Result<f64, String> {
    let coverage: f64 = text.parse().map_err(|_| format!("{text:?} is no number; write 0.99"))?;
    if coverage > 0.0 && coverage <= 1.0 {
        Ok(coverage)
    } else {
        Err(format!("{text} is not above 0 and at most 1; write 0.99 for 99 %"))
    }
}

pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: u64 =
        number.parse().map_err(|_| format!("{text:?} is no duration; write 90s, 10m or 2h"))?;
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(format!("the unit {unit:?} is unknown; write s, m or h")),
    };
    number
        .checked_mul(seconds)
        .filter(|seconds| *seconds > 0)
        .map(std::time::Duration::from_secs)
        .ok_or_else(|| format!("{text:?} is out of range"))
}

/// At least a mebibyte: an empty history takes a tenth of that.
fn size(text: &str) -> Result<u64, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: u64 =
        number.parse().map_err(|_| format!("{text:?} is no size; write 512M or 2G"))?;
    let bytes = match unit {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err(format!("the unit {unit:?} is unknown; write K, M, G or T")),
    };
    number
        .checked_mul(bytes)
        .filter(|bytes| (1 << 20..=1 << 46).contains(bytes))
        .ok_or_else(|| format!("{text:?} is out of range; write 1M to 64T"))
}

pub(crate) fn age(text: &str) -> Result<std::time::Duration, String> {
    match text.strip_suffix('d').map(str::parse::<u64>) {
        Some(Ok(days @ 1..=36_500)) => Ok(std::time::Duration::from_hours(days * 24)),
        Some(_) => Err(format!("{text:?} is no age; write 36h or 30d, at most 36500d")),
        None => duration(text).map_err(|why| why.replace("s, m or h", "s, m, h or d")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, age, coverage, duration, size};

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_runbook_is_understood() {
        use clap::Parser as _;
        let text = include_str!("../../docs/runbook.md");
        let commands: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("<!-- run: ")?.strip_suffix(" -->"))
            .collect();
        assert!(commands.len() > 8);
        for command in commands {
            // The ids are texts, and this is a number.
            let words = shlex::split(&command.replace("{seq}", "22")).unwrap();
            assert!(Cli::try_parse_from(words).is_ok(), "{command}");
        }
    }

    #[test]
    fn a_coverage_is_a_share() {
        assert!(coverage("0.99").is_ok() && coverage("1").is_ok());
        assert!(["99", "0", "-1", "NaN", "x"].into_iter().all(|text| coverage(text).is_err()));
    }

    #[test]
    fn a_history_has_a_size_and_an_age() {
        assert_eq!(size("1G").unwrap(), 1 << 30);
        assert_eq!(age("30d").unwrap().as_secs(), 2_592_000);
        assert_eq!(age("36h").unwrap().as_secs(), 129_600);
        assert!(
            ["", "1k", "1", "0G", "99999999T", "-1M", "1GB"].iter().all(|text| size(text).is_err())
        );
        assert!(["", "d", "0d", "1w", "99999999d", "-1d"].iter().all(|text| age(text).is_err()));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90").unwrap().as_secs(), 90);
        assert_eq!(duration("2h").unwrap().as_secs(), 7200);
        assert!(duration("0").is_err() && duration("3d").is_err() && duration("-1").is_err());
    }
}
