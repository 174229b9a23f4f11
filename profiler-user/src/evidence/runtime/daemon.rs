//! What a runtime's daemon wrote into its log around now: from a file, or from the machine's journal.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::{PIECE_MAX, tail};
use crate::evidence::Collected;
use crate::redact::Redactor;

/// Of the journal, what is not older than this.
const AROUND: SignedDuration = SignedDuration::from_mins(15);
/// For the journal.
const PATIENCE: Duration = Duration::from_secs(10);
const LINES_MAX: &str = "5000";

/// Whose words are asked for.
const UNITS: [&str; 5] =
    ["containerd.service", "crio.service", "docker.service", "podman.service", "kubelet.service"];

/// `files`: the daemon's own, where somebody has said so.
pub(super) async fn log(all: &mut Collected, files: &[PathBuf], redactor: &Redactor) {
    for (number, file) in files.iter().enumerate() {
        let name = format!("runtime/log.{number}");
        match tail(file) {
            Ok(text) => all.piece(name, hidden(&text, redactor)),
            Err(error) => {
                all.missing(name, format!("cannot read the log {}: {error}", file.display()));
            }
        }
    }
    if files.is_empty() {
        match journal(Path::new("journalctl")).await {
            Ok(text) if text.is_empty() => all.missing(
                "runtime/journal",
                format!("the journal has no word of {} of the last 15 minutes; where they write elsewhere, give --runtime-log", UNITS.join(", ")),
            ),
            Ok(text) => all.piece("runtime/journal", hidden(&text, redactor)),
            Err(why) => all.missing("runtime/journal", format!("{why}; or give --runtime-log")),
        }
    }
}

/// By whatever journalctl is here: journals have formats of their own.
async fn journal(program: &Path) -> Result<String, String> {
    let since = Timestamp::now().checked_sub(AROUND).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut command = Command::new(program);
    command
        .args(["--no-pager", "--quiet", "--utc", "--output=short-iso", "--lines", LINES_MAX])
        .arg(format!("--since=@{}", since.as_second()))
        .args(UNITS.iter().flat_map(|unit| ["--unit", unit]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("cannot run journalctl: {error}"))?;
    let mut bytes = Vec::new();
    let read = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(PIECE_MAX as u64).read_to_end(&mut bytes).await?;
        }
        child.wait().await
    };
    match timeout(PATIENCE, read).await {
        // Without a line that fits it ends with 1, as grep does.
        Ok(Ok(status)) if status.success() || bytes.is_empty() => {
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        Ok(Ok(status)) => Err(format!("journalctl ended with {status}")),
        Ok(Err(error)) => Err(format!("journalctl cannot be read: {error}")),
        Err(_) => Err(format!("journalctl took longer than {} s", PATIENCE.as_secs())),
    }
}

fn hidden(text: &str, redactor: &Redactor) -> String {
    text.lines().map(|line| redactor.redact_text(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn what_cannot_be_had_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let (log_file, gone) = (directory.path().join("a.log"), directory.path().join("gone"));
        fs::write(&log_file, "one\npulled with --password=Zq7planted\n").unwrap();
        let mut all = Collected::default();
        log(&mut all, &[log_file, gone], &Redactor::new([7; 32])).await;
        let text = String::from_utf8(all.pieces[0].content.clone()).unwrap();
        assert!(text.starts_with("one\n") && !text.contains("Zq7"), "{text}");
        assert!(all.missing[0].why.contains("gone"), "{:?}", all.missing);
        assert!(journal(Path::new("/no/journalctl")).await.unwrap_err().contains("cannot run"));
    }
}
