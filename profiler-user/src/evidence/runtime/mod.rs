//! What the runtime and the node say of a container. Nothing fails as a whole: what could not be had is said.

mod daemon;
mod hide;
mod inside;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Collected;
use crate::container::Identity;
use crate::redact::Redactor;
use crate::runtime::{Client, Endpoint, Error, Told};

/// For each call of a runtime.
const PATIENCE: Duration = Duration::from_secs(5);
/// For all calls of one runtime.
const ALL_PATIENCE: Duration = Duration::from_secs(30);
/// The largest piece, in bytes.
const PIECE_MAX: usize = 4 << 20;
/// Of a log, its end, in bytes.
const TAIL: u64 = 256 * 1024;

const NETWORK: [&str; 9] =
    ["arp", "dev", "fib_trie", "if_inet6", "ipv6_route", "route", "tcp", "tcp6", "udp"];
const NODE: [&str; 5] =
    ["/proc/version", "/etc/os-release", "/proc/uptime", "/proc/self/mounts", "/etc/resolv.conf"];

/// Whom to ask, and where their logs are.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub endpoints: Vec<Endpoint>,
    /// Of the runtimes' daemons; the journal where there is none.
    pub logs: Vec<PathBuf>,
}

/// [`collect`] for who is in no task: from a thread of its own.
///
/// # Errors
/// Where the machine has no room for the runtime that waits for the answers.
pub fn ask_now(
    sources: &Sources,
    of: Option<&Identity>,
    redactor: &Redactor,
) -> io::Result<Collected> {
    let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(waiting.block_on(collect(sources, of, redactor)))
}

/// Of a container, or with none of the node alone.
pub async fn collect(sources: &Sources, of: Option<&Identity>, redactor: &Redactor) -> Collected {
    let mut all = Collected::default();
    for (number, endpoint) in sources.endpoints.iter().enumerate() {
        let directory = format!("runtime/{number}");
        let mut told = Vec::new();
        let asked = tokio::time::timeout(ALL_PATIENCE, ask(endpoint, of, &mut told)).await;
        // What it answered in time is kept.
        for (name, told) in told {
            answer(&mut all, &directory, name, told, redactor);
        }
        match asked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => all.missing(directory, error.to_string()),
            Err(_) => {
                let why = format!("{endpoint} took longer than {} s", ALL_PATIENCE.as_secs());
                all.missing(directory, why);
            }
        }
    }
    if sources.endpoints.is_empty() {
        all.missing("runtime", "no container runtime is known");
    }
    daemon::log(&mut all, &sources.logs, redactor).await;
    if let Some(identity) = of {
        match &identity.log_path {
            Some(path) => log(&mut all, Path::new(path), redactor),
            None => all.missing("container.log", "the runtime names no log"),
        }
        match identity.pid {
            Some(pid) => {
                network(&mut all, "network/container", &pid.to_string(), redactor);
                inside::files(&mut all, pid, redactor);
            }
            None => all.missing("network/container", "its first process is not known, or ended"),
        }
    }
    network(&mut all, "network/node", "1", redactor);
    for path in NODE {
        let name = path.rsplit('/').next().unwrap_or(path);
        file(&mut all, format!("node/{name}"), Path::new(path), redactor);
    }
    all
}

async fn ask(
    endpoint: &Endpoint,
    of: Option<&Identity>,
    told: &mut Vec<(&'static str, Told)>,
) -> Result<(), Error> {
    let (client, _) = Client::connect(endpoint, PATIENCE).await?;
    client.tell(of.map(|identity| &identity.id), told).await;
    Ok(())
}

fn answer(all: &mut Collected, directory: &str, name: &str, told: Told, redactor: &Redactor) {
    let name = format!("{directory}/{name}.json");
    match told {
        Ok(mut value) => {
            hide::secrets(&mut value, redactor);
            let text = format!("{value:#}\n");
            if text.len() > PIECE_MAX {
                all.missing(name, format!("it has {} bytes, more than {PIECE_MAX}", text.len()));
            } else {
                all.piece(name, text);
            }
        }
        Err(why) => all.missing(name, redactor.redact_text(&why)),
    }
}

fn network(all: &mut Collected, directory: &str, pid: &str, redactor: &Redactor) {
    for name in NETWORK {
        file(
            all,
            format!("{directory}/{name}"),
            &Path::new("/proc").join(pid).join("net").join(name),
            redactor,
        );
    }
}

fn file(all: &mut Collected, name: String, path: &Path, redactor: &Redactor) {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(PIECE_MAX as u64).read_to_end(&mut bytes));
    match read {
        Ok(_) => all.piece(name, redactor.redact_text(&String::from_utf8_lossy(&bytes))),
        Err(error) => all.missing(name, format!("cannot read it: {error}")),
    }
}

fn log(all: &mut Collected, path: &Path, redactor: &Redactor) {
    match tail(path) {
        Ok(text) => {
            let lines = text.lines().map(|line| redactor.redact_text(line) + "\n");
            all.piece("container.log", lines.collect::<String>());
        }
        Err(error) => all.missing("container.log", format!("cannot read the log: {error}")),
    }
}

/// Whole lines of the log's end. A pipe in its place is not waited for.
fn tail(path: &Path) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = if from > 0 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    Ok(whole.to_owned())
}
