//! What was not seen while no agent ran: told once for each container that it concerns.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;

use super::{task::Member, watcher::context};
use crate::{
    container::{ContainerId, Identity, Role, Source},
    drift::{DriftKind, Node as Machine, Notice, Origin},
    store::{Capture, LedgerRow, UNOBSERVED, Write},
};

/// The containers that an earlier agent left running, and since when nobody looked.
pub(super) struct Gaps {
    from: Option<Timestamp>,
    unfinished: HashMap<ContainerId, LedgerRow>,
}

impl Gaps {
    /// `from`: when the earlier agent was last alive.
    pub(super) fn new(from: Option<Timestamp>, unfinished: Vec<LedgerRow>) -> Self {
        let unfinished = unfinished.into_iter().map(|row| (row.identity.id.clone(), row)).collect();
        Self { from, unfinished }
    }

    /// Whether an earlier agent knew this container as running.
    pub(super) fn is_known(&self, id: &ContainerId) -> bool {
        self.unfinished.contains_key(id)
    }

    /// A container that an earlier agent knew goes on, and only now it is known who it is.
    pub(super) fn tell(
        &mut self,
        member: &Member,
        tier: &str,
        now: Timestamp,
        out: &mut Vec<Write>,
    ) {
        if member.capture == Capture::Gaps && self.unfinished.remove(&member.identity.id).is_some()
        {
            self.write(&member.identity, &member.origin, tier, now, out);
        }
    }

    /// Tells of all gaps, before this agent's first sign of life: should it be killed, the next one has nothing to make
    /// up for. Returned are those containers that are not there any more. Their ends are to be asked for.
    pub(super) fn settle(
        &mut self,
        is_there: impl Fn(&ContainerId) -> bool,
        machine: &Machine,
        tier: &str,
        now: Timestamp,
        out: &mut Vec<Write>,
    ) -> Vec<ContainerId> {
        let mut gone = Vec::new();
        // One that goes on and has no name may get one.
        let settled = self.unfinished.extract_if(|id, row| {
            !is_there(id)
                || row.identity.source == Source::Runtime && row.capture != Capture::Listed
        });
        for (id, row) in settled.collect::<Vec<_>>() {
            // One that was never seen has no gap either.
            if row.capture != Capture::Listed {
                let origin = Arc::new(Origin::of_container(machine, &row.identity));
                self.write(&row.identity, &origin, tier, now, out);
            }
            if !is_there(&id) {
                out.push(Write::Ended {
                    id: id.clone(),
                    at: now,
                    exit_code: None,
                    reason: Some(UNOBSERVED.to_owned()),
                    lost: 0,
                });
                gone.push(id);
            }
        }
        gone
    }

    fn write(
        &self,
        identity: &Identity,
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
        out.push(Write::Gap { container: Some(identity.id.clone()), from, to: now, why });
        // A sandbox does nothing that could have been missed.
        if identity.role == Role::Container {
            out.push(Write::Event(Box::new(notice.event(&context(origin, tier)))));
        }
    }
}
