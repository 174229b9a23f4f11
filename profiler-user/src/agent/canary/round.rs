//! One canary on its way: what each sink says of it, until all have spoken or time is over.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::sink::SinkStatus;

/// How long it may take: a sink that waits after a failure does so for up to half a minute.
const LIMIT: Duration = Duration::from_secs(45);

/// What became of a canary.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Report {
    /// It came out of every sink.
    pub(crate) ok: bool,
    /// `event.id`; absent where no event was made of it.
    #[serde(rename = "event.id", skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
    /// Why there is no event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    pub(crate) sinks: Vec<Heard>,
}

/// What one sink says of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Heard {
    pub(crate) sink: String,
    pub(crate) ok: bool,
    /// Milliseconds from the canary's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

pub(super) struct Round {
    started: Instant,
    /// It could not even begin.
    failed: Option<String>,
}

impl Round {
    pub(super) fn new(started: Instant, failed: Option<String>) -> Self {
        Self { started, failed }
    }

    /// `event`: the id of the event that was made of it. None while it is not over.
    pub(super) fn look(
        &self,
        event: Option<&str>,
        sinks: &[SinkStatus],
        now: Instant,
    ) -> Option<Report> {
        let is_late = now - self.started >= LIMIT;
        let heard: Vec<_> = sinks.iter().map(|sink| self.heard(event, sink)).collect();
        let all = event.is_some() && heard.iter().all(|sink| sink.after_ms.is_some());
        if !all && !is_late && self.failed.is_none() {
            return None;
        }
        let why = match (&self.failed, event) {
            (Some(why), _) => Some(why.clone()),
            (None, None) => Some(format!(
                "no event was made of it within {} s: the probe for execs, or the way from the kernel, does not work",
                LIMIT.as_secs()
            )),
            (None, Some(_)) => None,
        };
        let ok = why.is_none() && heard.iter().all(|sink| sink.ok);
        Some(Report { ok, event: event.map(str::to_owned), why, sinks: heard })
    }

    fn heard(&self, event: Option<&str>, sink: &SinkStatus) -> Heard {
        let name = sink.name.clone();
        let of_it = sink.canary.as_ref().filter(|one| event == Some(one.event.as_str()));
        let Some(one) = of_it else {
            let why = match (event, &sink.last_error) {
                (None, _) => "there was nothing to deliver".to_owned(),
                (Some(_), Some(error)) => error.clone(),
                (Some(_), None) => "it was not delivered in time".to_owned(),
            };
            return Heard { sink: name, ok: false, after_ms: None, why: Some(why) };
        };
        let after = one.at.saturating_duration_since(self.started);
        Heard {
            sink: name,
            ok: one.why.is_none(),
            after_ms: u64::try_from(after.as_millis()).ok(),
            why: one.why.clone(),
        }
    }
}

impl Report {
    /// What went wrong, for a log.
    pub(crate) fn sentence(&self) -> String {
        if let Some(why) = &self.why {
            return why.clone();
        }
        let failed = self.sinks.iter().filter(|sink| !sink.ok);
        let said = failed.map(|sink| {
            format!("{}: {}", sink.sink, sink.why.as_deref().unwrap_or("it does not say why"))
        });
        said.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Sighted;

    fn sink(name: &str, event: Option<(&str, Option<&str>)>, at: Instant) -> SinkStatus {
        SinkStatus {
            name: name.to_owned(),
            up: None,
            queue_length: 0,
            failures: 0,
            refused: 0,
            last_success: None,
            last_error: event.is_none().then(|| "it is down".to_owned()),
            canary: event.map(|(event, why)| Sighted {
                event: event.to_owned(),
                at,
                why: why.map(str::to_owned),
            }),
        }
    }

    #[test]
    fn it_is_over_when_all_have_spoken_or_time_is_over() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let round = Round::new(start, None);
        let good = sink("file", Some(("E", None)), at(1));
        let earlier = sink("otlp", Some(("D", None)), at(0));
        assert_eq!(round.look(None, std::slice::from_ref(&good), at(2)), None);
        assert_eq!(round.look(Some("E"), &[good.clone(), earlier.clone()], at(2)), None);
        let report = round.look(Some("E"), std::slice::from_ref(&good), at(2)).unwrap();
        assert!(report.ok && report.sinks[0].after_ms == Some(1000));

        let late = round.look(Some("E"), &[good.clone(), earlier], at(45)).unwrap();
        assert!(!late.ok);
        assert_eq!(late.sentence(), "otlp: it was not delivered in time");
        let down = round.look(Some("E"), &[sink("otlp", None, at(0))], at(45)).unwrap();
        assert_eq!(down.sentence(), "otlp: it is down");
        let gone = sink("alertmanager", Some(("E", Some("it does not show it"))), at(3));
        let report = round.look(Some("E"), &[good.clone(), gone], at(4)).unwrap();
        assert!(!report.ok && report.sinks[0].ok);
        assert_eq!(report.sentence(), "alertmanager: it does not show it");

        let blind = round.look(None, std::slice::from_ref(&good), at(45)).unwrap();
        assert!(!blind.ok && blind.sentence().contains("no event was made of it"));
        let failed = Round::new(start, Some("no cgroup".to_owned()));
        assert_eq!(failed.look(None, &[good], at(0)).unwrap().sentence(), "no cgroup");
    }
}
