//! One line per drift for the person who watches.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use jiff::Timestamp;
use serde::Deserialize;

use super::{Sink, SinkError};
use crate::drift::clean;
use crate::drift::event::{Action, Event};
use crate::drift::severity::Severity;
use crate::store::StoredEvent;

/// Tells each drift once, when it first happens; its repeats are for the record, not for a person. What many came to is told
/// again at its end.
#[derive(Debug)]
pub struct Terminal {
    colour: bool,
}

/// What a line shows.
#[derive(Debug, Deserialize)]
struct Shown {
    time: Timestamp,
    #[serde(rename = "drift.kind")]
    kind: String,
    #[serde(rename = "drift.severity")]
    severity: Severity,
    #[serde(rename = "drift.sentence")]
    sentence: String,
    #[serde(rename = "drift.group.objects")]
    objects: Option<u64>,
    #[serde(rename = "threat.technique.id", default)]
    techniques: Vec<String>,
    #[serde(rename = "k8s.namespace.name")]
    namespace: Option<String>,
    #[serde(rename = "k8s.pod.name")]
    pod: Option<String>,
    #[serde(rename = "k8s.container.name", alias = "container.name")]
    container: Option<String>,
    #[serde(rename = "container.id")]
    id: Option<String>,
    #[serde(rename = "drift.silence.reason")]
    silenced: Option<String>,
}

impl Terminal {
    /// Coloured only on a terminal, and not where `NO_COLOR` asks otherwise (<https://no-color.org>).
    pub fn stderr() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: io::stderr().is_terminal() && !no_colour }
    }

    /// Writes the event's line to stderr, if it has one, as a single write.
    pub fn show(&self, event: &Event) -> io::Result<()> {
        if event.action != Action::Created
            && !(event.group.is_some() && event.action == Action::Closed)
        {
            return Ok(());
        }
        let shown = Shown {
            time: event.time,
            kind: event.kind.name().to_owned(),
            severity: event.severity,
            sentence: event.sentence.clone(),
            objects: event.group.as_ref().map(|group| group.objects),
            techniques: event.techniques.clone(),
            namespace: event.origin.namespace.clone(),
            pod: event.origin.pod.clone(),
            container: event.origin.pod_container.clone().or(event.origin.container.clone()),
            id: event.origin.container_id.clone(),
            silenced: event.silence.as_ref().map(|mark| mark.reason.clone()),
        };
        io::stderr().lock().write_all(shown.line(self.colour).as_bytes())
    }
}

/// A terminal that is gone is no reason to keep events for it.
impl Sink for Terminal {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn takes_silenced(&self) -> bool {
        true
    }

    async fn deliver(&mut self, events: &[StoredEvent]) -> Result<(), SinkError> {
        for event in
            events.iter().filter(|event| event.is_drift() && event.action != Action::Updated)
        {
            // Of a version that says it otherwise.
            let Ok(shown) = serde_json::from_str::<Shown>(&event.line) else { continue };
            if event.action == Action::Closed && shown.objects.is_none() {
                continue;
            }
            let _may_be_closed = io::stderr().lock().write_all(shown.line(self.colour).as_bytes());
        }
        Ok(())
    }
}

impl Shown {
    /// `drift 20:59:01Z high     shop/web-5d4f/web exec: … [T1059.004]`
    fn line(&self, colour: bool) -> String {
        let (on, off) = if colour { (code(self.severity), "\x1b[0m") } else { ("", "") };
        let time = self.time.strftime("%H:%M:%SZ");
        let Self { severity, kind, sentence, .. } = self;
        let place = self.place();
        let mut line = format!("drift {time} {on}{severity:<8}{off} {place}{kind}: {sentence}");
        if !self.techniques.is_empty() {
            let _ = write!(line, " [{}]", self.techniques.join(", "));
        }
        if let Some(reason) = &self.silenced {
            let _ = write!(line, " (silenced: {})", clean(reason));
        }
        line.push('\n');
        line
    }

    /// The pod and its container, the container alone, or nothing for a command.
    fn place(&self) -> String {
        let parts = [&self.namespace, &self.pod, &self.container];
        let mut parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        if parts.is_empty() {
            parts.extend(self.id.as_deref().map(|id| id.get(..12).unwrap_or(id)));
        }
        if parts.is_empty() { String::new() } else { format!("{} ", parts.join("/")) }
    }
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
        let event = sample::event(DriftKind::FileRead, &sample::read("/etc/shadow\n\x1b[2J"));
        let line = serde_json::to_string(&event).unwrap();
        let mut shown: Shown = serde_json::from_str(&line).unwrap();
        assert_eq!(
            shown.line(false),
            "drift 20:59:01Z low      file.read: /usr/bin/cat (pid 4711) read \
             /etc/shadow\\n\\u{1b}[2J; nothing in this container read it in 5 recorded runs \
             [T1005]\n"
        );
        shown.severity = Severity::High;
        assert!(
            shown.line(true).starts_with("drift 20:59:01Z \x1b[31mhigh    \x1b[0m file.read: ")
        );
        shown.namespace = Some("shop".to_owned());
        shown.pod = Some("web-0".to_owned());
        shown.container = Some("nginx".to_owned());
        let line = shown.line(false);
        assert!(
            line.starts_with("drift 20:59:01Z high     shop/web-0/nginx file.read: "),
            "{line}"
        );
    }
}
