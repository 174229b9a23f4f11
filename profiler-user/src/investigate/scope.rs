//! Where did it spread: which containers, pods, nodes, images?

use std::collections::BTreeSet;

use serde::Serialize;

use super::history::{History, HistoryError};
use super::seen::Occurrence;
use super::statement::Statement;
use super::{Selector, seen};
use crate::store::CHAIN;

/// Who did any of what was asked for.
#[derive(Debug, Default, Serialize)]
pub struct Scope {
    pub nodes: BTreeSet<String>,
    pub namespaces: BTreeSet<String>,
    /// As `namespace/name`.
    pub workloads: BTreeSet<String>,
    /// As `namespace/name`.
    pub pods: BTreeSet<String>,
    /// Digests of their configuration.
    pub images: BTreeSet<String>,
    /// One for each container; its count is of all that was asked for, and `event.id` is the newest of it.
    pub containers: Vec<Occurrence>,
    /// Of them, how many run still.
    pub running: usize,
}

/// Everybody who did what `name` names, a fingerprint or an event.
pub async fn scope_of(history: &mut History, name: &str) -> Result<Scope, HistoryError> {
    let fingerprint = history.fingerprint(name).await?;
    seen::occurrences(history, &fingerprint).await.map(Scope::of)
}

/// Everybody who did any drift that the selector fits.
pub async fn scope(history: &mut History, selector: &Selector) -> Result<Scope, HistoryError> {
    let same = history.dialect.of_one_node("c", "d");
    let mut query = Statement::new(
        history.dialect,
        "SELECT MIN(d.first) AS first, MAX(d.last) AS last, CAST(SUM(d.count) AS BIGINT) AS count, MAX(d.id) AS event, d.container, \
             MIN(c.name) AS name, MIN(c.namespace) AS namespace, MIN(c.pod_name) AS pod_name, MIN(c.workload) AS workload, \
             MIN(c.node) AS node, MIN(c.image_name) AS image_name, MIN(c.image_id) AS image_id, MIN(c.ended) AS ended FROM ",
    );
    if selector.is_about_more_than_a_fingerprint() {
        // Which drifts those are is asked first: of each the table of drifts has the count, whatever became of its rows.
        query.push("(SELECT DISTINCT COALESCE(e.container, '') AS container, e.fingerprint");
        query.either("", ", e.agent").push(" FROM events e WHERE e.kind <> ");
        query.push_bind(CHAIN);
        selector.of_events(&mut query);
        query.push(
            ") f JOIN drifts d ON d.container = f.container AND d.fingerprint = f.fingerprint",
        );
        query.push(&history.dialect.of_one_node("f", "d"));
        query.push(" LEFT JOIN containers c ON c.id = d.container").push(&same).push(" WHERE true");
    } else {
        query.push("drifts d LEFT JOIN containers c ON c.id = d.container").push(&same);
        query.push(" WHERE d.fingerprint <> ''");
        selector.of_drifts(&mut query);
    }
    query.push(" GROUP BY d.container").either("", ", d.agent");
    query.push(" ORDER BY first, d.container, node");
    let found = query.all::<Occurrence>(&mut history.connection).await;
    history.failed(found).map(Scope::of)
}

impl Scope {
    fn of(containers: Vec<Occurrence>) -> Self {
        let mut scope = Self::default();
        for one in &containers {
            scope.nodes.extend(one.node.clone());
            scope.namespaces.extend(one.namespace.clone());
            let named = |name: &Option<String>| {
                one.namespace
                    .as_ref()
                    .zip(name.as_ref())
                    .map(|(space, name)| format!("{space}/{name}"))
            };
            scope.workloads.extend(named(&one.workload));
            scope.pods.extend(named(&one.pod));
            scope.images.extend(one.image_id.clone());
            scope.running += usize::from(one.container.is_some() && one.ended.is_none());
        }
        Self { containers, ..scope }
    }
}
