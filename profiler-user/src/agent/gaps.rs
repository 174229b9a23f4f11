//! What was not seen while no agent ran: told once for each container that it concerns.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;

use super::task::Member;
use crate::{
    container::{ContainerId, Identity, Role, Source},
    drift::{Context, DriftKind, Node as Machine, Notice, Origin, severity::Table},
    store::{Capture, LedgerRow, Store, StoreError, UNOBSERVED, Write},
};

/// The containers that an earlier agent left running, and since when nobody looked.
pub(super) struct Gaps {
    from: Option<Timestamp>,
    unfinished: HashMap<ContainerId, LedgerRow>,
    /// Up to when it has been told already, by an agent that was killed before its first sign of life.
    told: HashMap<ContainerId, Timestamp>,
    rules: Arc<Table>,
}

impl Gaps {
    /// What the earlier agent left. Ask before the first sign of life of this one.
    pub(super) async fn open(store: &Store, rules: Arc<Table>) -> Result<Self, StoreError> {
        let from = store.last_heartbeat().await?;
        let (mut unfinished, mut told) = (HashMap::new(), HashMap::new());
        for row in store.unfinished().await? {
            let id = row.identity.id.clone();
            if let Some((_, until, _)) = store.gaps(Some(&id)).await?.last() {
                told.insert(id.clone(), *until);
            }
            unfinished.insert(id, row);
        }
        Ok(Self { from, unfinished, told, rules })
    }

    /// Whether all gaps are told. Until then this agent must not count as alive: should it be killed, the next one tells
    /// the rest.
    pub(super) fn are_told(&self) -> bool {
        self.unfinished.is_empty()
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

    /// Tells of the gaps of all that have a name. Returned are those containers that are not there any more: their ends
    /// are to be asked for.
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
                let provenance = row.provenance.clone();
                let origin = Origin::of_container(machine, &row.identity);
                let origin = Arc::new(Origin { provenance, ..origin });
                self.write(&row.identity, &origin, tier, now, out);
            }
            if !is_there(&id) {
                out.push(Write::Ended {
                    id: id.clone(),
                    at: now,
                    exit_code: None,
                    reason: Some(UNOBSERVED.to_owned()),
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
        let told = self.told.get(&identity.id).copied();
        let from = self.from.max(told).unwrap_or(now);
        let seconds = now.duration_since(from).as_secs();
        let why = format!("no driftline ran on this node for {seconds} s");
        let notice = Notice {
            refused: false,
            kind: DriftKind::SensorGap,
            object: "agent".to_owned(),
            sentence: format!("{why}: what this container did meanwhile was not seen"),
            time: from,
            last: now,
        };
        // A sandbox does nothing that could have been missed.
        let context = Context {
            rules: Arc::clone(&self.rules),
            ..Context::unjudged(Arc::clone(origin), tier)
        };
        let event = (identity.role == Role::Container).then(|| Box::new(notice.event(&context)));
        out.push(Write::Gap { container: Some(identity.id.clone()), from, to: now, why, event });
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{drift::sample, store::LedgerEntry};

    #[tokio::test]
    async fn an_agent_killed_before_its_first_sign_of_life_leaves_no_gap_to_be_told_twice() {
        let at = |seconds| sample::start() + SignedDuration::from_secs(seconds);
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let id = ContainerId::parse(&"a".repeat(64)).unwrap();
        let mut identity = Identity::of_path(id.clone(), None, None);
        identity.source = Source::Runtime;
        let entry = LedgerEntry {
            identity,
            cgroup: None,
            node: "node-1".to_owned(),
            seen: at(0),
            capture: Capture::FromStart,
            tier: None,
            baseline: None,
            provenance: None,
        };
        let container = Write::Container(Box::new(entry));
        store.commit(vec![container, Write::Heartbeat(at(1))]).await.unwrap();

        let machine = Machine { host_name: "node-1".to_owned(), name: None, cluster: None };
        for now in [at(5), at(9)] {
            let mut gaps = Gaps::open(&store, Arc::clone(Table::builtin())).await.unwrap();
            assert!(!gaps.are_told());
            let mut out = Vec::new();
            assert!(gaps.settle(|_| true, &machine, "full", now, &mut out).is_empty());
            assert!(gaps.are_told());
            store.commit(out).await.unwrap();
        }
        let gaps = store.gaps(Some(&id)).await.unwrap();
        let gaps: Vec<_> = gaps.into_iter().map(|(from, to, _)| (from, to)).collect();
        assert_eq!(gaps, [(at(1), at(5)), (at(5), at(9))]);
        assert_eq!(store.events_after(0, 9).await.unwrap().len(), 2, "each with its event");
    }
}
