//! Drift as a story: what matters line by line, the rest as numbers.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Deserialize;

use crate::drift::kind::DriftKind;
use crate::drift::severity::Severity;

const WIDTH: usize = 100;
/// Where the text of a line begins: behind the time and the severity.
const INDENT: usize = 20;

/// The keys of an event that the story needs.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    #[serde(rename = "event.id")]
    id: String,
    pub(super) time: Timestamp,
    #[serde(rename = "drift.kind")]
    kind: DriftKind,
    #[serde(rename = "drift.object")]
    object: String,
    #[serde(rename = "drift.severity")]
    severity: Severity,
    #[serde(rename = "drift.sentence")]
    sentence: String,
    #[serde(rename = "drift.count")]
    count: u64,
    #[serde(rename = "threat.technique.id", default)]
    techniques: Vec<String>,
    #[serde(rename = "process.executable.path")]
    executable: String,
    #[serde(rename = "process.pid")]
    pid: u32,
}

/// The file's drift in the order in which it first happened, each with its newest count. No file is
/// no drift.
pub(super) fn read(path: &Path) -> Result<Vec<Line>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context(format!("cannot read {}", path.display())),
    };
    parse(&text).with_context(|| format!("{} is not a file of events", path.display()))
}

fn parse(text: &str) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> = Vec::new();
    let mut known = HashMap::new();
    for text in text.lines() {
        let line: Line = serde_json::from_str(text)?;
        let at = *known.entry(line.id.clone()).or_insert(lines.len());
        if at == lines.len() {
            lines.push(line);
        } else {
            lines[at] = line;
        }
    }
    lines.sort_by_key(|line| line.time);
    Ok(lines)
}

pub(super) fn render(lines: &[Line], begun: Timestamp) -> String {
    render_with(lines, begun, io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
}

fn render_with(lines: &[Line], begun: Timestamp, colour: bool) -> String {
    let mut story = String::new();
    for (at, line) in lines.iter().enumerate() {
        if matters(line) {
            tell(&mut story, line, begun, colour);
        }
        let same = |other: &&Line| (other.pid, &other.executable) == (line.pid, &line.executable);
        // After the last that this process did: what else it did.
        if !lines[at + 1..].iter().any(|other| same(&other)) {
            fold(&mut story, lines.iter().filter(same).filter(|line| !matters(line)), line);
        }
    }
    story
}

/// What is told in full: every program, and whatever is more than a trifle.
fn matters(line: &Line) -> bool {
    let program = line.kind.name().starts_with("exec");
    line.severity >= Severity::Medium || (program && line.severity > Severity::Info)
}

fn tell(story: &mut String, line: &Line, begun: Timestamp, colour: bool) {
    let seconds = line.time.duration_since(begun).as_secs_f64();
    let (on, off) =
        if colour { (crate::sink::terminal::code(line.severity), "\x1b[0m") } else { ("", "") };
    let mut text = line.sentence.clone();
    if line.count > 1 {
        let _ = write!(text, "; {} times", line.count);
    }
    if !line.techniques.is_empty() {
        let _ = write!(text, " [{}]", line.techniques.join(", "));
    }
    let wrapped = wrap(&text);
    let _ = writeln!(story, "{seconds:>8.3}  {on}{:<8}{off}  {wrapped}", line.severity);
}

/// `… and 9 reads, 2 system calls more by /usr/bin/id (pid 12)`
fn fold<'a>(story: &mut String, rest: impl Iterator<Item = &'a Line>, last: &Line) {
    let mut counts: BTreeMap<DriftKind, usize> = BTreeMap::new();
    for line in rest {
        *counts.entry(line.kind).or_default() += 1;
    }
    if counts.is_empty() {
        return;
    }
    let counted: Vec<String> = counts
        .iter()
        .map(|(kind, count)| {
            format!("{count} {}{}", noun(*kind), if *count == 1 { "" } else { "s" })
        })
        .collect();
    let (indent, counted) = (" ".repeat(INDENT), counted.join(", "));
    let _ = writeln!(story, "{indent}… and {counted} by {} (pid {})", last.executable, last.pid);
}

fn noun(kind: DriftKind) -> &'static str {
    match kind {
        DriftKind::Exec
        | DriftKind::ExecParent
        | DriftKind::ExecArgs
        | DriftKind::ExecFileless
        | DriftKind::ExecInjected
        | DriftKind::ExecNotInImage => "more program",
        DriftKind::FileRead => "more read",
        DriftKind::FileWrite => "more write",
        DriftKind::FileDelete => "more deletion",
        DriftKind::FileLink => "more link",
        DriftKind::FileMeta => "more change of mode",
        DriftKind::FileMapExec => "more mapped file",
        DriftKind::NetConnect => "more connection",
        DriftKind::NetListen => "more listener",
        DriftKind::NetAccept => "more accepted connection",
        DriftKind::Dns => "more name",
        DriftKind::NetUnix => "more Unix socket",
        DriftKind::NetSocket => "more sort of socket",
        DriftKind::Capability => "more capability",
        DriftKind::Identity => "more change of user",
        DriftKind::ContainerEscape => "more escape",
        DriftKind::Syscall | DriftKind::SyscallAbi => "more system call",
        DriftKind::ImageUnprofiled | DriftKind::SensorGap | DriftKind::IncidentLateral => {
            "more notice"
        }
    }
}

/// Breaks between words; the lines after the first are indented.
fn wrap(text: &str) -> String {
    let mut wrapped = String::new();
    let mut column = INDENT;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column + 1 + length > WIDTH && column > INDENT {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(INDENT));
            column = INDENT;
        } else if column > INDENT {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// The steps of the break-in that no event tells of.
pub(super) fn missed(lines: &[Line]) -> Vec<&'static str> {
    let seen = |kind: DriftKind, object: &str| {
        lines.iter().any(|line| line.kind == kind && line.object.contains(object))
    };
    let steps = [
        ("the dropped program", seen(DriftKind::Exec, "/.update")),
        ("the copy being written", seen(DriftKind::FileWrite, "/.update")),
        ("the secret being read", seen(DriftKind::FileRead, "/etc/shadow")),
        ("the call to the intruder", seen(DriftKind::NetConnect, "127.0.0.1:")),
        ("the back door", seen(DriftKind::NetListen, "127.0.0.1:")),
        ("the back door in use", seen(DriftKind::NetAccept, "")),
    ];
    steps.iter().filter(|(_, seen)| !seen).map(|(step, _)| *step).collect()
}

#[cfg(test)]
mod tests;
