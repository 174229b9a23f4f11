//! Events about a container that no process caused: nothing to judge by, a gap in what was seen.

use std::sync::Arc;

use jiff::Timestamp;
use ulid::Ulid;

use super::{Action, Context, Event, SCHEMA_VERSION, Subject};
use crate::drift::fingerprint::Fingerprint;
use crate::drift::kind::{DriftKind, Novelty};

/// What there is to say.
#[derive(Clone, Debug)]
pub struct Notice {
    pub kind: DriftKind,
    pub object: String,
    pub sentence: String,
    /// It tells of a baseline that is there and not believed, which is graver than that there is none.
    pub refused: bool,
    pub time: Timestamp,
    /// The end of what it speaks of, where that has a length.
    pub last: Timestamp,
}

impl Notice {
    pub fn event(self, context: &Context) -> Event {
        let table = &context.rules;
        let verdict = if self.refused { table.of_refused() } else { table.default_of(self.kind) };
        Event {
            schema_version: SCHEMA_VERSION,
            id: Ulid::from_datetime(self.time.into()),
            seq: None,
            prev_hash: None,
            action: Action::Created,
            time: self.time,
            last: self.last,
            count: 1,
            observer_version: env!("CARGO_PKG_VERSION"),
            kind: self.kind,
            severity: verdict.severity,
            novelty: Novelty::Container,
            rule: verdict.rule.to_string(),
            rules_version: table.version().to_owned(),
            accept: accept(self.kind, self.refused).map(str::to_owned),
            sentence: self.sentence,
            nearest: None,
            pattern: None,
            relearn: None,
            fingerprint: Fingerprint::of_notice(self.kind, &self.object).to_string(),
            seen: None,
            before: Vec::new(),
            object: self.object,
            canary: false,
            silence: None,
            group: None,
            incident: None,
            member_of: None,
            techniques: Vec::new(),
            framework_version: None,
            origin: Arc::clone(&context.origin),
            process: None,
            subject: Subject::default(),
            baseline_id: context.baseline_id.clone(),
            baseline_status: context.baseline_status,
            baseline_signature: context.baseline_signature,
            baseline_bind: context.baseline_bind.clone(),
            baseline_coverage: context.baseline_coverage,
            sensor_tier: context.sensor_tier.clone(),
            lost_events: context.lost_events,
        }
    }
}

/// What would make it the last of its sort. Nothing brings back what was not seen.
fn accept(kind: DriftKind, refused: bool) -> Option<&'static str> {
    match kind {
        DriftKind::ImageUnprofiled if refused => Some("driftline baseline sign --key PEM FILE"),
        DriftKind::ImageUnprofiled => Some("driftline record --baselines DIR"),
        _ => None,
    }
}
