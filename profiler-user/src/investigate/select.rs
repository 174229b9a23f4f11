//! Which part of a history somebody asks about.

use jiff::Timestamp;

use super::statement::{Dialect, Statement};
use crate::drift::Severity;
use crate::store::nanoseconds;

/// What is absent does not restrict. Every value is bound, never part of a statement.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// Nothing that was over by then.
    pub from: Option<Timestamp>,
    /// Nothing that began later.
    pub until: Option<Timestamp>,
    pub namespace: Option<String>,
    pub pod: Option<String>,
    pub workload: Option<String>,
    /// The whole id.
    pub container: Option<String>,
    /// The image's name, or the reference as the user wrote it.
    pub image: Option<String>,
    /// Of the image's configuration, or one of its manifests: `sha256:…`.
    pub digest: Option<String>,
    pub node: Option<String>,
    /// The value of `drift.kind`, or the part before its dot: `exec` holds `exec.args`.
    pub kind: Option<String>,
    /// At least.
    pub severity: Option<Severity>,
    /// An ATT&CK technique; `T1059` holds `T1059.004`.
    pub technique: Option<String>,
    pub fingerprint: Option<String>,
    /// What may come of somebody who came in: more than `info`, or a connection that was taken.
    pub speaking: bool,
}

impl Selector {
    /// Asks for drift alone: starts, ends and gaps of containers are none.
    pub(super) fn is_about_drift(&self) -> bool {
        self.is_about_more_than_a_fingerprint() || self.fingerprint.is_some()
    }

    /// Of a fingerprint alone all is counted by container, members of groups too.
    pub(super) fn is_about_more_than_a_fingerprint(&self) -> bool {
        self.kind.is_some() || self.severity.is_some() || self.technique.is_some()
    }

    pub(super) fn is_about_containers(&self) -> bool {
        self.namespace.is_some()
            || self.pod.is_some()
            || self.workload.is_some()
            || self.image.is_some()
            || self.digest.is_some()
            || self.node.is_some()
    }

    /// ` AND …` for a row `e` of events.
    pub(super) fn of_events(&self, query: &mut Statement) {
        if let Some(from) = self.from {
            query.push(" AND e.last >= ").push_bind(nanoseconds(from));
        }
        if let Some(until) = self.until {
            query.push(" AND e.time <= ").push_bind(nanoseconds(until));
        }
        if let Some(container) = &self.container {
            query.push(" AND e.container = ").push_bind(container.clone());
        }
        if let Some(fingerprint) = &self.fingerprint {
            query.push(" AND e.fingerprint = ").push_bind(fingerprint.clone());
        }
        if let Some(kind) = &self.kind {
            query.push(" AND (e.kind = ").push_bind(kind.clone());
            // `/` follows `.`, so these are the kinds that begin with the kind and a dot.
            query.push(" OR (e.kind > ").push_bind(format!("{kind}."));
            query.push(" AND e.kind < ").push_bind(format!("{kind}/")).push("))");
        }
        if let Some(least) = self.severity {
            query.push(" AND e.severity IN (");
            let grave = Severity::ALL.into_iter().filter(|one| *one >= least);
            for (number, severity) in grave.enumerate() {
                query.push(if number == 0 { "" } else { ", " }).push_bind(severity.name());
            }
            query.push(")");
        }
        if self.speaking {
            query.push(" AND (e.severity <> 'info' OR e.kind = 'net.accept')");
        }
        if let Some(technique) = &self.technique {
            // As the line has it between its brackets; `T1059` and whatever is below it.
            let whole = serde_json::Value::from(technique.as_str()).to_string();
            let below = format!("{}.", whole.strip_suffix('"').unwrap_or(&whole));
            query.push(" AND (").either("instr", "strpos").push("(e.techniques, ");
            query.push_bind(whole).push(") > 0 OR ").either("instr", "strpos");
            query.push("(e.techniques, ").push_bind(below).push(") > 0)");
            if query.dialect == Dialect::Postgres {
                // What its index knows: the parts of each.
                let parts = "'[^A-Za-z0-9]+')";
                query.push(" AND regexp_split_to_array(e.techniques, ").push(parts);
                query.push(" @> regexp_split_to_array(").push_bind(technique.clone());
                query.push(", ").push(parts);
            }
        }
        if self.is_about_containers() {
            // All of an index of time is read sooner than all rows of many containers.
            query.either(" AND +e.container", " AND (e.container, e.agent)");
            self.in_containers(query);
        }
    }

    /// ` IN (…)`: the containers that the selector names.
    fn in_containers(&self, query: &mut Statement) {
        query.either(" IN (SELECT c.id", " IN (SELECT c.id, c.agent");
        query.push(" FROM containers c WHERE true");
        self.of_named(query);
        query.push(")");
    }

    /// ` AND …` for a row `d` of drifts, beside its container `c`, where nothing but its fingerprint is asked about the drift.
    pub(super) fn of_drifts(&self, query: &mut Statement) {
        if let Some(from) = self.from {
            query.push(" AND d.last >= ").push_bind(nanoseconds(from));
        }
        if let Some(until) = self.until {
            query.push(" AND d.first <= ").push_bind(nanoseconds(until));
        }
        if let Some(container) = &self.container {
            query.push(" AND d.container = ").push_bind(container.clone());
        }
        if let Some(fingerprint) = &self.fingerprint {
            query.push(" AND d.fingerprint = ").push_bind(fingerprint.clone());
        }
        if self.is_about_containers() {
            // For its index: from the few containers to their drifts.
            query.either(" AND d.container", " AND (d.container, d.agent)");
            self.in_containers(query);
        }
    }

    /// ` AND …` for a row `c` of containers.
    pub(super) fn of_containers(&self, query: &mut Statement) {
        if let Some(from) = self.from {
            query
                .push(" AND (c.ended IS NULL OR c.ended >= ")
                .push_bind(nanoseconds(from))
                .push(")");
        }
        if let Some(until) = self.until {
            query.push(" AND c.first_seen <= ").push_bind(nanoseconds(until));
        }
        if let Some(container) = &self.container {
            query.push(" AND c.id = ").push_bind(container.clone());
        }
        self.of_named(query);
    }

    fn of_named(&self, query: &mut Statement) {
        for (column, value) in [
            (" AND c.namespace = ", &self.namespace),
            (" AND c.pod_name = ", &self.pod),
            (" AND c.workload = ", &self.workload),
            (" AND c.node = ", &self.node),
        ] {
            if let Some(value) = value {
                query.push(column).push_bind(value.clone());
            }
        }
        if let Some(image) = &self.image {
            query.push(" AND (c.image_name = ").push_bind(image.clone());
            query.push(" OR c.image_reference = ").push_bind(image.clone()).push(")");
        }
        if let Some(digest) = &self.digest {
            query.push(" AND (c.image_id = ").push_bind(digest.clone());
            query.push(" OR EXISTS (SELECT 1 FROM ").either(
                "json_each(c.image_digests) d",
                "json_array_elements_text(c.image_digests::json) d(value)",
            );
            query.push(" WHERE d.value = ");
            query.push_bind(digest.clone());
            // As `registry/name@sha256:…`.
            let behind = format!("@{digest}");
            query.either(" OR substr(d.value, -", " OR right(d.value, (");
            query.push_bind(i64::try_from(behind.chars().count()).unwrap_or(i64::MAX));
            query.either("", ")::int").push(") = ").push_bind(behind).push("))");
        }
    }
}
