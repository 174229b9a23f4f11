//! What was not seen while no agent ran: told once for each container that it concerns.

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{task::Member, watcher::context};
use crate::{
    container::{ContainerId, Role},
    drift::{DriftKind, Node as Machine, Notice, Origin},
    store::{Capture, LedgerRow, Write},
};

/// How long the runtime has to say when a container ended that nobody watched.
const PATIENCE: SignedDuration = SignedDuration::from_secs(15);

/// The containers that an earlier agent left running, and since when nobody looked.
pub(super) struct Gaps {
    from: Option<Timestamp>,
    unfinished: HashMap<ContainerId, LedgerRow>,
    /// Ended meanwhile; until when the runtime may say how.
    missing: HashMap<ContainerId, Timestamp>,
}

impl Gaps {
    /// `from`: when the earlier agent was last alive.
    pub(super) fn new(from: Option<Timestamp>, unfinished: Vec<LedgerRow>) -> Self {
        let unfinished = unfinished.into_iter().map(|row| (row.identity.id.clone(), row)).collect();
        Self { from, unfinished, missing: HashMap::new() }
    }

    /// Whether an earlier agent knew this container as running.
    pub(super) fn is_known(&self, id: &ContainerId) -> bool {
        self.unfinished.contains_key(id)
    }

    /// A container that an earlier agent knew goes on.
    pub(super) fn tell(
        &mut self,
        member: &Member,
        tier: &str,
        now: Timestamp,
        out: &mut Vec<Write>,
    ) {
        if member.capture == Capture::Gaps && self.unfinished.remove(&member.identity.id).is_some()
        {
            self.write(&member.identity.id, &member.origin, tier, now, out);
        }
    }

    /// Those that are not there any more. Their ends are to be asked for.
    pub(super) fn gone(
        &mut self,
        is_there: impl Fn(&ContainerId) -> bool,
        machine: &Machine,
        tier: &str,
        now: Timestamp,
        out: &mut Vec<Write>,
    ) -> Vec<ContainerId> {
        let gone: Vec<_> = self.unfinished.keys().filter(|id| !is_there(id)).cloned().collect();
        for id in &gone {
            if let Some(row) = self.unfinished.remove(id) {
                // One that was never seen has no gap either.
                if row.capture != Capture::Listed && row.identity.role == Role::Container {
                    let origin = Arc::new(Origin::of_container(machine, &row.identity));
                    self.write(id, &origin, tier, now, out);
                }
                self.missing.insert(id.clone(), now.saturating_add(PATIENCE).unwrap_or(now));
            }
        }
        gone
    }

    /// The runtime told of this container's end.
    pub(super) fn found(&mut self, id: &ContainerId) {
        self.missing.remove(id);
    }

    /// Of what no runtime knows the end, it is said to be now.
    pub(super) fn give_up(&mut self, now: Timestamp, out: &mut Vec<Write>) {
        self.missing.retain(|id, until| {
            let waits = *until > now;
            if !waits {
                out.push(Write::Ended {
                    id: id.clone(),
                    at: now,
                    exit_code: None,
                    reason: Some("Unobserved".to_owned()),
                    lost: 0,
                });
            }
            waits
        });
    }

    fn write(
        &self,
        id: &ContainerId,
        origin: &Arc<Origin>,
        tier: &str,
        now: Timestamp,
        out: &mut Vec<Write>,
    ) {
        let from = self.from.unwrap_or(now);
        let seconds = now.duration_since(from).as_secs();
        let why = format!("no driftline ran on this node for {seconds} s");
        let notice = Notice {
            kind: DriftKind::SensorGap,
            object: "agent".to_owned(),
            sentence: format!("{why}: what this container did meanwhile was not seen"),
            time: from,
            last: now,
        };
        out.push(Write::Gap { container: Some(id.clone()), from, to: now, why });
        out.push(Write::Event(Box::new(notice.event(&context(origin, tier)))));
    }
}
