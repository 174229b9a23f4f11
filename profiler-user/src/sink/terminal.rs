//! One line per drift for the person who watches.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use jiff::Timestamp;
use serde::Deserialize;

use super::{Sink, SinkError, off_thread};
use crate::drift::event::{Action, Event};
use crate::drift::severity::Severity;
use crate::store::StoredEvent;

/// Tells each drift once, when it first happens; its repeats are for the record, not for a person.
#[derive(Debug)]
pub struct Terminal {
    colour: bool,
}

/// What a line is made of.
#[derive(Deserialize)]
struct Shown {
    time: Timestamp,
    #[serde(rename = "drift.severity")]
    severity: Severity,
    #[serde(rename = "drift.kind")]
    kind: String,
    #[serde(rename = "drift.sentence")]
    sentence: String,
    #[serde(rename = "threat.technique.id", default)]
    techniques: Vec<String>,
}

impl Terminal {
    /// Coloured only on a terminal, and not where `NO_COLOR` asks otherwise (<https://no-color.org>).
    pub fn stderr() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: io::stderr().is_terminal() && !no_colour }
    }

    /// Writes the event's line to stderr, if it has one, as a single write.
    pub fn show(&self, event: &Event) -> io::Result<()> {
        if event.action != Action::Created {
            return Ok(());
        }
        io::stderr().lock().write_all(line(&Shown::of(event), self.colour).as_bytes())
    }
}

impl Sink for Terminal {
    fn name(&self) -> &'static str {
        "terminal"
    }

    async fn deliver(&mut self, events: &[StoredEvent]) -> Result<(), SinkError> {
        let mut text = String::new();
        for event in events.iter().filter(|event| event.action == Action::Created) {
            let shown = serde_json::from_str(&event.line).map_err(SinkError::new)?;
            text.push_str(&line(&shown, self.colour));
        }
        // Where stderr was closed, nobody wants to see it.
        let _closed = off_thread(move || io::stderr().lock().write_all(text.as_bytes())).await?;
        Ok(())
    }
}

impl Shown {
    fn of(event: &Event) -> Self {
        Self {
            time: event.time,
            severity: event.severity,
            kind: event.kind.to_string(),
            sentence: event.sentence.clone(),
            techniques: event.techniques.clone(),
        }
    }
}

/// `drift 20:59:01Z high     exec: … [T1059.004]`
fn line(shown: &Shown, colour: bool) -> String {
    let Shown { severity, kind, sentence, .. } = shown;
    let (on, off) = if colour { (code(*severity), "\x1b[0m") } else { ("", "") };
    let time = shown.time.strftime("%H:%M:%SZ");
    let mut line = format!("drift {time} {on}{severity:<8}{off} {kind}: {sentence}");
    if !shown.techniques.is_empty() {
        let _ = write!(line, " [{}]", shown.techniques.join(", "));
    }
    line.push('\n');
    line
}

/// The terminal's code for a severity: grey, none, yellow, red, white on red.
pub(crate) const fn code(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "\x1b[90m",
        Severity::Low => "",
        Severity::Medium => "\x1b[33m",
        Severity::High => "\x1b[31m",
        Severity::Critical => "\x1b[1;37;41m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::kind::DriftKind;
    use crate::drift::sample;

    #[test]
    fn a_drift_is_one_line() {
        let mut event = sample::event(DriftKind::FileRead, &sample::read("/etc/shadow\n\x1b[2J"));
        let plain = line(&Shown::of(&event), false);
        assert_eq!(
            plain,
            "drift 20:59:01Z low      file.read: /usr/bin/cat (pid 4711) read \
             /etc/shadow\\n\\u{1b}[2J; nothing in this container read it in 5 recorded runs \
             [T1005]\n"
        );
        event.severity = Severity::High;
        let coloured = line(&Shown::of(&event), true);
        assert!(coloured.starts_with("drift 20:59:01Z \x1b[31mhigh    \x1b[0m file.read: "));
        let stored = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        assert_eq!(line(&stored, true), coloured, "from the store it reads the same");
    }
}
