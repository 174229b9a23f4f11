//! Writing what is not an event.

use serde::Serialize;
use sqlx::SqliteConnection;

use super::commit::nanoseconds;
use super::{LedgerEntry, Write};
use crate::container::{ContainerId, Role, Source};
use crate::drift::BaselineStatus;

/// New facts win over old ones, nothing wins over a fact by being absent, and the runtime's word over what was read
/// off a path. An end stays, unless the container was started again after it (as Docker does under the same id).
///
/// How complete the view is only gets worse: whoever says `partial` of a container that was seen from its
/// start is a later agent, so there is a gap.
const CONTAINER: &str = "
INSERT INTO containers (id, source, role, runtime, name, attempt, pod_uid, pod_name, namespace, labels, pod_ip, workload,
    image_id, image_reference, image_name, image_tags, image_digests, image_architecture, pid, log_path, cgroup, node,
    first_seen, created, started, ended, exit_code, reason, capture, tier, baseline_id, baseline_status,
    provenance)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    source = CASE excluded.source WHEN 'runtime' THEN 'runtime' ELSE containers.source END,
    role = CASE excluded.source WHEN 'runtime' THEN excluded.role ELSE containers.role END,
    attempt = CASE excluded.source WHEN 'runtime' THEN excluded.attempt ELSE containers.attempt END,
    runtime = COALESCE(excluded.runtime, containers.runtime),
    name = COALESCE(excluded.name, containers.name),
    pod_uid = COALESCE(excluded.pod_uid, containers.pod_uid),
    pod_name = COALESCE(excluded.pod_name, containers.pod_name),
    namespace = COALESCE(excluded.namespace, containers.namespace),
    labels = COALESCE(excluded.labels, containers.labels),
    pod_ip = COALESCE(excluded.pod_ip, containers.pod_ip),
    workload = COALESCE(excluded.workload, containers.workload),
    image_id = COALESCE(excluded.image_id, containers.image_id),
    image_reference = COALESCE(excluded.image_reference, containers.image_reference),
    image_name = COALESCE(excluded.image_name, containers.image_name),
    image_tags = COALESCE(excluded.image_tags, containers.image_tags),
    image_digests = COALESCE(excluded.image_digests, containers.image_digests),
    image_architecture = COALESCE(excluded.image_architecture, containers.image_architecture),
    pid = COALESCE(excluded.pid, containers.pid),
    log_path = COALESCE(excluded.log_path, containers.log_path),
    cgroup = COALESCE(excluded.cgroup, containers.cgroup),
    node = COALESCE(excluded.node, containers.node),
    first_seen = MIN(excluded.first_seen, containers.first_seen),
    created = COALESCE(containers.created, excluded.created),
    started = COALESCE(excluded.started, containers.started),
    ended = CASE WHEN excluded.started > containers.ended THEN excluded.ended
        ELSE COALESCE(containers.ended, excluded.ended) END,
    exit_code = CASE WHEN excluded.started > containers.ended THEN excluded.exit_code
        ELSE COALESCE(containers.exit_code, excluded.exit_code) END,
    reason = CASE WHEN excluded.started > containers.ended THEN excluded.reason
        ELSE COALESCE(containers.reason, excluded.reason) END,
    restarts = containers.restarts + (COALESCE(excluded.started > containers.ended, 0)),
    capture = CASE
        WHEN containers.capture = 'listed' THEN excluded.capture
        WHEN excluded.capture = 'listed' THEN containers.capture
        WHEN 'gaps' IN (containers.capture, excluded.capture) THEN 'gaps'
        WHEN containers.capture = 'from_start' AND excluded.capture = 'partial' THEN 'gaps'
        ELSE containers.capture END,
    tier = COALESCE(excluded.tier, containers.tier),
    baseline_id = CASE WHEN excluded.baseline_status IS NULL THEN containers.baseline_id ELSE excluded.baseline_id END,
    baseline_status = COALESCE(excluded.baseline_status, containers.baseline_status),
    provenance = COALESCE(excluded.provenance, containers.provenance)";

/// A container of which nothing is known but its end gets a row all the same. Whoever saw an end knows better than who did not.
const ENDED: &str = "
INSERT INTO containers (id, source, role, attempt, first_seen, ended, exit_code, reason, capture)
VALUES (?1, 'path', 'container', 0, ?2, ?2, ?3, ?4, 'listed')
ON CONFLICT (id) DO UPDATE SET
    ended = CASE containers.reason WHEN 'Unobserved' THEN excluded.ended
        ELSE COALESCE(containers.ended, excluded.ended) END,
    exit_code = COALESCE(containers.exit_code, excluded.exit_code),
    reason = CASE containers.reason WHEN 'Unobserved' THEN excluded.reason
        ELSE COALESCE(containers.reason, excluded.reason) END";

const LOST: &str = "
INSERT INTO losses (container, kind, lost) VALUES (?, ?, ?)
ON CONFLICT (container, kind) DO UPDATE SET lost = MAX(excluded.lost, losses.lost)";

const HEARTBEAT: &str = "INSERT INTO heartbeat (one, at) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET at = excluded.at";

const GAP: &str = "INSERT INTO gaps (container, begun, ended, why) VALUES (?, ?, ?, ?)";

const GAP_OF: &str =
    "UPDATE containers SET capture = 'gaps' WHERE id = ? AND capture IN ('from_start', 'partial')";

/// Anything but an event, which the caller has to number.
pub(super) async fn apply(to: &mut SqliteConnection, write: &Write) -> sqlx::Result<()> {
    match write {
        // Numbered and written by the transaction itself.
        Write::Event(_)
        | Write::Evidence(_)
        | Write::Repeated(_)
        | Write::Head(_)
        | Write::Silence(_) => {}
        Write::Container(entry) => container(to, entry).await?,
        Write::Ended { id, at, exit_code, reason } => {
            let query =
                sqlx::query(ENDED).bind(id.as_str()).bind(nanoseconds(*at)).bind(*exit_code);
            query.bind(reason).execute(to).await?;
        }
        Write::Lost { id, kind, total } => {
            let query = sqlx::query(LOST).bind(id.as_str()).bind(*kind);
            query.bind(i64::try_from(*total).unwrap_or(i64::MAX)).execute(to).await?;
        }
        Write::Heartbeat(at) => {
            sqlx::query(HEARTBEAT).bind(nanoseconds(*at)).execute(to).await?;
        }
        Write::Gap { container, from, to: until, why, event: _ } => {
            let id = container.as_ref().map(ContainerId::as_str);
            let query =
                sqlx::query(GAP).bind(id).bind(nanoseconds(*from)).bind(nanoseconds(*until));
            query.bind(why).execute(&mut *to).await?;
            if let Some(id) = id {
                sqlx::query(GAP_OF).bind(id).execute(to).await?;
            }
        }
    }
    Ok(())
}

async fn container(to: &mut SqliteConnection, entry: &LedgerEntry) -> sqlx::Result<()> {
    let identity = &entry.identity;
    let (pod, image) = (identity.pod.as_ref(), identity.image.as_ref());
    let (baseline_id, status) = entry.baseline.as_ref().map(|(id, status)| (id, status)).unzip();
    sqlx::query(CONTAINER)
        .bind(identity.id.as_str())
        .bind(if identity.source == Source::Runtime { "runtime" } else { "path" })
        .bind(if identity.role == Role::Sandbox { "sandbox" } else { "container" })
        .bind(&identity.runtime)
        .bind(&identity.name)
        .bind(identity.attempt)
        .bind(pod.map(|pod| &pod.uid))
        .bind(pod.and_then(|pod| pod.name.as_ref()))
        .bind(pod.and_then(|pod| pod.namespace.as_ref()))
        .bind(pod.and_then(|pod| filled(&pod.labels, pod.labels.is_empty())))
        .bind(pod.and_then(|pod| pod.ip).map(|ip| ip.to_string()))
        .bind(identity.workload())
        .bind(image.and_then(|image| image.id.as_ref()))
        .bind(image.and_then(|image| image.reference.as_ref()))
        .bind(image.map(|image| &image.name))
        .bind(image.and_then(|image| filled(&image.tags, image.tags.is_empty())))
        .bind(image.and_then(|image| filled(&image.repo_digests, image.repo_digests.is_empty())))
        .bind(image.and_then(|image| image.architecture.as_ref()))
        .bind(identity.pid)
        .bind(&identity.log_path)
        .bind(&entry.cgroup)
        .bind(&entry.node)
        .bind(nanoseconds(entry.seen))
        .bind(identity.created.map(nanoseconds))
        .bind(identity.started.map(nanoseconds))
        .bind(identity.finished.map(nanoseconds))
        .bind(identity.exit_code)
        .bind(&identity.reason)
        .bind(entry.capture.name())
        .bind(&entry.tier)
        .bind(baseline_id.and_then(Option::as_ref))
        .bind(status.copied().map(status_name))
        .bind(entry.provenance.as_ref().and_then(|provenance| filled(provenance, false)))
        .execute(to)
        .await
        .map(|_| ())
}

/// As JSON; absent where there is nothing in it.
fn filled<T: Serialize>(values: &T, empty: bool) -> Option<String> {
    if empty { None } else { serde_json::to_string(values).ok() }
}

fn status_name(status: BaselineStatus) -> &'static str {
    match status {
        BaselineStatus::Exact => "exact",
        BaselineStatus::Provisional => "provisional",
        BaselineStatus::None => "none",
    }
}
