//! What a replay found, beside what was told.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use crate::agent::replay::Replay as Judged;
use crate::drift::{Event, clean};
use crate::investigate::ToldDrift;

/// What these baselines would have told, beside what was told.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    schema_version: &'static str,
    /// Of what was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// Entries of the behaviour log.
    pub(super) judged: u64,
    /// Different drifts, by container and fingerprint.
    told: usize,
    would_be_told: usize,
    same: usize,
    more: Vec<One>,
    fewer: Vec<One>,
    /// Entries that the agent had to leave out of the log.
    left_out: u64,
    /// Segments that end in the middle, as those of a killed agent may.
    torn: u64,
}

/// One drift that only one side has.
#[derive(Debug, Serialize)]
struct One {
    /// Of `fewer` the `event.id`; of `more` one that is made from the container, the fingerprint and the time.
    id: String,
    time: Timestamp,
    last: Timestamp,
    count: u64,
    kind: String,
    object: String,
    severity: String,
    sentence: String,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<String>,
    #[serde(rename = "container.id")]
    container: String,
    #[serde(rename = "container.image.name", skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(rename = "k8s.namespace.name", skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(rename = "k8s.pod.name", skip_serializing_if = "Option::is_none")]
    pod: Option<String>,
}

pub(super) fn compare(
    replay: &Judged<'_>,
    told: Vec<ToldDrift>,
    left_out: u64,
    torn: u64,
) -> Answer {
    let at = |time: i64| Timestamp::from_nanosecond(time.into()).unwrap_or_default();
    let would = &replay.drift;
    let key = |one: &ToldDrift| (one.container.clone(), one.fingerprint.clone());
    let told: BTreeMap<_, _> = told.into_iter().map(|one| (key(&one), one)).collect();
    let more = would.iter().filter(|(key, _)| !told.contains_key(*key));
    let mut more: Vec<_> = more.map(|(_, would)| One::of_event(&replay.event(would))).collect();
    let fewer = told.iter().filter(|(key, _)| !would.contains_key(*key));
    let mut fewer: Vec<_> = fewer.map(|(_, one)| One::of_told(one)).collect();
    more.sort_by(|one, other| (one.time, &one.id).cmp(&(other.time, &other.id)));
    fewer.sort_by(|one, other| (one.time, &one.id).cmp(&(other.time, &other.id)));
    Answer {
        schema_version: "driftline.replay/v1",
        from: replay.span.map(|(first, _)| at(first)),
        until: replay.span.map(|(_, last)| at(last)),
        judged: replay.judged,
        told: told.len(),
        would_be_told: would.len(),
        same: would.len() - more.len(),
        more,
        fewer,
        left_out,
        torn,
    }
}

impl One {
    fn of_event(event: &Event) -> Self {
        let origin = &event.origin;
        Self {
            id: event.id.to_string(),
            time: event.time,
            last: event.last,
            count: event.count,
            kind: event.kind.name().to_owned(),
            object: event.object.clone(),
            severity: event.severity.name().to_owned(),
            sentence: event.sentence.clone(),
            fingerprint: event.fingerprint.clone(),
            executable: event.process.as_ref().map(|process| process.executable.to_string()),
            container: origin.container_id.clone().unwrap_or_default(),
            image: origin.image_name.clone(),
            namespace: origin.namespace.clone(),
            pod: origin.pod.clone(),
        }
    }

    fn of_told(told: &ToldDrift) -> Self {
        let line = told.line.clone();
        Self {
            id: line.id,
            time: line.time,
            last: Timestamp::from_nanosecond(told.last.into()).unwrap_or(line.time),
            count: told.count.unsigned_abs(),
            kind: line.kind,
            object: line.object,
            severity: line.severity,
            sentence: line.sentence,
            fingerprint: told.fingerprint.clone(),
            executable: line.executable,
            container: told.container.clone(),
            image: line.image,
            namespace: line.namespace,
            pod: line.pod,
        }
    }
}

pub(super) fn text(answer: &Answer) -> String {
    let mut text = String::new();
    let Answer { more, fewer, told, would_be_told, same, .. } = answer;
    let (Some(from), Some(until)) = (answer.from, answer.until) else {
        return "nothing of that time is in the behaviour log\n".to_owned();
    };
    let _ = writeln!(
        text,
        "{} more, {} fewer: {would_be_told} drifts would be told, {told} were, {same} are the same\n\
         {} entries from {from:.3} to {until:.3}",
        more.len(),
        fewer.len(),
        answer.judged
    );
    if answer.left_out > 0 || answer.torn > 0 {
        let _ = writeln!(
            text,
            "not whole: {} entries were left out by the agent, {} segments end in the middle",
            answer.left_out, answer.torn
        );
    }
    for (sign, all) in [('+', more), ('-', fewer)] {
        for one in all {
            let place = one.pod.as_deref().or(one.image.as_deref()).unwrap_or_default();
            let _ = writeln!(
                text,
                "{sign} {:.3}  {:<8} {:<14} {}×  {}  {}  {}",
                one.time,
                one.severity,
                one.kind,
                one.count,
                one.container.get(..12).unwrap_or(&one.container),
                clean(place),
                clean(&one.sentence)
            );
        }
    }
    text
}
