//! `drift.seen`: what this history knew of a fingerprint before an event.
//!
//! Read for all first occurrences of a commit by one statement, from a table that holds it by fingerprint, and remembered:
//! most are of few fingerprints.

use std::collections::{HashMap, HashSet};

use sqlx::{AssertSqlSafe, SqliteConnection, query_as};

use super::Write;
use super::commit::timestamp;
use crate::drift::event::Seen;
use crate::drift::{Action, Event};

/// Fingerprints that are remembered: about 100 bytes each.
const REMEMBERED: usize = 2048;

/// Variables in one statement.
const AT_ONCE: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Cache {
    /// `None` for one that was never seen.
    known: HashMap<String, Option<Seen>>,
}

impl Cache {
    /// What was remembered may be of a transaction that was taken back, or of rows that retention took.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Sets `drift.seen` of the first occurrences among `writes`, each by what came before it.
    pub(super) async fn mark(
        &mut self,
        connection: &mut SqliteConnection,
        writes: &mut [Write],
    ) -> sqlx::Result<()> {
        if self.known.len() > REMEMBERED {
            self.known.clear();
        }
        self.forget_counted(writes);
        let firsts: Vec<(String, String)> = writes
            .iter_mut()
            .filter_map(first)
            .map(|event| (container(event), event.fingerprint.clone()))
            .collect();
        let mut known_here = self.known_here(connection, &firsts).await?;
        let unknown: HashSet<&String> = firsts
            .iter()
            .map(|(_, fingerprint)| fingerprint)
            .filter(|fingerprint| !self.known.contains_key(*fingerprint))
            .collect();
        let unknown: Vec<String> = unknown.into_iter().cloned().collect();
        self.read(connection, &unknown).await?;
        for event in writes.iter_mut().filter_map(first) {
            let seen = self.known.entry(event.fingerprint.clone()).or_default();
            event.seen = *seen;
            let is_new_here = known_here.insert((container(event), event.fingerprint.clone()));
            let before = seen.unwrap_or(Seen {
                first: event.time,
                last: event.last,
                count: 0,
                containers: 0,
            });
            *seen = Some(Seen {
                first: before.first.min(event.time),
                last: before.last.max(event.last),
                count: before.count + event.count,
                containers: before.containers + u64::from(is_new_here),
            });
        }
        // What was just read does not have these counts yet.
        self.forget_counted(writes);
        Ok(())
    }

    /// A later count of what was told before is read from the table when it is asked for again.
    fn forget_counted(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Repeated(repeated) => _ = self.known.remove(&repeated.fingerprint),
                write => {
                    if let Some(event) = write.event().filter(|event| !is_first(event)) {
                        self.known.remove(&event.fingerprint);
                    }
                }
            }
        }
    }

    /// Of these containers and fingerprints, those that the history has.
    async fn known_here(
        &self,
        connection: &mut SqliteConnection,
        firsts: &[(String, String)],
    ) -> sqlx::Result<HashSet<(String, String)>> {
        // Of a fingerprint that nobody has, no container has it.
        let may_be: Vec<_> = firsts
            .iter()
            .filter(|(_, fingerprint)| !matches!(self.known.get(fingerprint), Some(None)))
            .collect();
        let mut known = HashSet::new();
        for some in may_be.chunks(AT_ONCE) {
            let places = vec!["(?,?)"; some.len()].join(",");
            let text = format!(
                "SELECT container, fingerprint FROM drifts WHERE (container, fingerprint) IN (VALUES {places})"
            );
            let mut query = query_as(AssertSqlSafe(text));
            for (container, fingerprint) in some {
                query = query.bind(container).bind(fingerprint);
            }
            known.extend(query.fetch_all(&mut *connection).await?);
        }
        Ok(known)
    }

    async fn read(
        &mut self,
        connection: &mut SqliteConnection,
        fingerprints: &[String],
    ) -> sqlx::Result<()> {
        for some in fingerprints.chunks(AT_ONCE) {
            let places = vec!["?"; some.len()].join(",");
            let text = format!(
                "SELECT fingerprint, first, last, count, containers FROM fingerprints \
                 WHERE fingerprint IN ({places})"
            );
            let mut query = query_as(AssertSqlSafe(text));
            for fingerprint in some {
                query = query.bind(fingerprint);
            }
            let rows: Vec<(String, i64, i64, i64, i64)> = query.fetch_all(&mut *connection).await?;
            self.known.extend(some.iter().map(|fingerprint| (fingerprint.clone(), None)));
            for (fingerprint, first, last, count, containers) in rows {
                let seen = Seen {
                    first: timestamp(first)?,
                    last: timestamp(last)?,
                    count: count.unsigned_abs(),
                    containers: containers.unsigned_abs(),
                };
                self.known.insert(fingerprint, Some(seen));
            }
        }
        Ok(())
    }
}

fn is_first(event: &Event) -> bool {
    event.action == Action::Created && event.group.is_none()
}

/// The first occurrence that this tells of, on its own or as one of a group.
fn first(write: &mut Write) -> Option<&mut Event> {
    let event = match write {
        Write::Evidence(event) => event,
        write => write.event_mut()?,
    };
    is_first(event).then_some(event)
}

fn container(event: &Event) -> String {
    event.origin.container_id.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests;
