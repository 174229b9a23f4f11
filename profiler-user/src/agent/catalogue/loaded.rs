//! A baseline that is believed, made ready, and what a container gets of it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::super::likeness::{Likeness, Nearness};
use crate::{
    baseline::{Ancestor, Baseline, Image, Judge, Scope, Whereabouts},
    bind::Bind,
    drift::{BaselineSignature, BaselineStatus},
};

pub(super) struct Loaded {
    pub(super) image: Image,
    pub(super) scope: Scope,
    id: String,
    signature: BaselineSignature,
    pub(super) expires: Option<Timestamp>,
    pub(super) runs: u64,
    coverage: Option<f64>,
    /// By the scope of its approvals; of the image there is always one.
    judges: BTreeMap<Scope, Arc<Judge>>,
    inheritance: Inheritance,
    /// The id of what it was bound with.
    bind: Option<String>,
}

/// What a container is judged by.
#[derive(Clone)]
pub(in super::super) struct Choice {
    pub(super) nearness: Nearness,
    pub(in super::super) judge: Arc<Judge>,
    pub(in super::super) id: String,
    pub(in super::super) runs: u64,
    pub(in super::super) coverage: Option<f64>,
    pub(in super::super) status: BaselineStatus,
    pub(in super::super) signature: BaselineSignature,
    pub(in super::super) bind: Option<String>,
    /// Of a provisional one.
    pub(in super::super) inheritance: Option<Inheritance>,
}

/// What an image without a baseline of its own may have of this one.
#[derive(Clone)]
pub(in super::super) struct Inheritance {
    pub(in super::super) ancestor: Arc<Ancestor>,
    /// Of what was recorded, without what was approved.
    pub(in super::super) judge: Arc<Judge>,
}

impl Loaded {
    pub(super) fn new(
        baseline: &Baseline,
        key_id: &str,
        signature: BaselineSignature,
        expires: Option<Timestamp>,
        bind: Option<&Bind>,
        now: Timestamp,
    ) -> Self {
        let judge = |of: &Baseline| {
            Arc::new(match bind {
                Some(bind) => Judge::bound(of, key_id, bind),
                None => Judge::new(of, key_id),
            })
        };
        let scopes = baseline.approvals.values().map(|approval| &approval.scope);
        let allowed = |scope: &Scope| judge(&baseline.with_approved(scope.whereabouts(), now));
        let judges = scopes.chain([&Scope::Image]).map(|scope| (scope.clone(), allowed(scope)));
        let judges: BTreeMap<_, _> = judges.collect();
        let recorded = match &judges[&Scope::Image] {
            all if baseline.approvals.is_empty() => Arc::clone(all),
            _ => judge(baseline),
        };
        Self {
            signature,
            // When an approval ends, it is read again.
            expires: expires.into_iter().chain(baseline.next_expiry(now)).min(),
            image: baseline.image.clone(),
            scope: baseline.scope.clone(),
            id: baseline.id(),
            runs: baseline.runs.len() as u64,
            coverage: baseline.told_coverage(now),
            judges,
            inheritance: Inheritance {
                ancestor: Arc::new(Ancestor::new(baseline)),
                judge: recorded,
            },
            bind: bind.map(|bind| bind.id.clone()),
        }
    }

    pub(super) fn is_verified(&self) -> bool {
        self.signature == BaselineSignature::Verified
    }

    pub(super) fn choice(&self, nearness: Nearness, at: Whereabouts<'_>) -> Choice {
        let scope = Scope::narrowest(self.judges.keys(), at).unwrap_or(&Scope::Image);
        let status = match nearness.likeness {
            Likeness::Exact => BaselineStatus::Exact,
            _ => BaselineStatus::Provisional,
        };
        let is_own = status == BaselineStatus::Exact;
        Choice {
            nearness,
            judge: Arc::clone(&self.judges[scope]),
            id: self.id.clone(),
            runs: self.runs,
            coverage: self.coverage,
            status,
            signature: self.signature,
            bind: self.bind.clone(),
            inheritance: (!is_own).then(|| self.inheritance.clone()),
        }
    }
}
