//! One line per drift for the person who watches.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use crate::drift::event::{Action, Event};
use crate::drift::severity::Severity;

/// Tells each drift once, when it first happens; its repeats are for the record, not for a person.
#[derive(Debug)]
pub struct Terminal {
    colour: bool,
}

impl Terminal {
    /// Coloured only on a terminal, and not where `NO_COLOR` asks otherwise (<https://no-color.org>).
    pub fn stderr() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: io::stderr().is_terminal() && !no_colour }
    }

    /// Writes the event's line to stderr, if it has one, as a single write.
    pub fn show(&self, event: &Event) -> io::Result<()> {
        match line(event, self.colour) {
            Some(line) => io::stderr().lock().write_all(line.as_bytes()),
            None => Ok(()),
        }
    }
}

/// `drift 20:59:01Z high     exec: … [T1059.004]`
fn line(event: &Event, colour: bool) -> Option<String> {
    if event.action != Action::Created {
        return None;
    }
    let (on, off) = if colour { (code(event.severity), "\x1b[0m") } else { ("", "") };
    let time = event.time.strftime("%H:%M:%SZ");
    let Event { severity, kind, sentence, .. } = event;
    let mut line = format!("drift {time} {on}{severity:<8}{off} {kind}: {sentence}");
    if !event.techniques.is_empty() {
        let _ = write!(line, " [{}]", event.techniques.join(", "));
    }
    line.push('\n');
    Some(line)
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
        let plain = line(&event, false).unwrap();
        assert_eq!(
            plain,
            "drift 20:59:01Z low      file.read: /usr/bin/cat (pid 4711) read \
             /etc/shadow\\n\\u{1b}[2J; nothing in this container read it in 5 recorded runs \
             [T1005]\n"
        );
        event.severity = Severity::High;
        let coloured = line(&event, true).unwrap();
        assert!(coloured.starts_with("drift 20:59:01Z \x1b[31mhigh    \x1b[0m file.read: "));
        event.action = Action::Updated;
        assert_eq!(line(&event, false), None);
    }
}
