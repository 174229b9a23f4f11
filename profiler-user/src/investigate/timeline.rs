//! What happened, in the order in which it happened.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::history::{History, HistoryError};
use super::select::Selector;
use super::statement::Statement;
use super::told::{Told, place};
use crate::drift::DriftKind;
use crate::store::{CHAIN, nanoseconds, timestamp};

/// Entries in the order of their times.
#[derive(Debug, Serialize)]
pub struct Timeline {
    pub entries: Vec<Entry>,
    /// There were earlier ones than are here.
    pub cut: bool,
}

/// One line of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    Drift(Box<Told>),
    /// A container began.
    Started(Moment),
    /// And ended.
    Ended(Moment),
    /// Nobody watched.
    Gap(Gap),
}

/// A moment in the life of a container.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    pub time: Timestamp,
    #[serde(rename = "container.id")]
    pub container: String,
    #[serde(rename = "k8s.namespace.name", skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(rename = "k8s.pod.name", skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    #[serde(rename = "container.name", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "container.image.name", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(rename = "container.image.id", skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    #[serde(rename = "k8s.node.name", skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Of an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Of an end: the runtime's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of a start: it was not seen from its first instruction on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<String>,
}

/// A time in which nobody watched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    pub time: Timestamp,
    pub until: Timestamp,
    /// None where it was the whole node.
    #[serde(rename = "container.id", skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    pub why: String,
}

impl Entry {
    /// When it was, or began.
    pub fn time(&self) -> Timestamp {
        match self {
            Self::Drift(told) => told.time,
            Self::Started(moment) | Self::Ended(moment) => moment.time,
            Self::Gap(gap) => gap.time,
        }
    }
}

impl Moment {
    /// As [`Told::place`].
    pub fn place(&self) -> String {
        place([&self.namespace, &self.pod, &self.name], Some(&self.container)).unwrap_or_default()
    }
}

/// The newest `limit` of what the selector fits.
///
/// Of a drift the first event is told, with the count and the last time of its newest one. What is told of a container's
/// own life is left out where the selector asks for drift alone.
pub async fn timeline(
    history: &mut History,
    selector: &Selector,
    limit: u32,
) -> Result<Timeline, HistoryError> {
    let limit = limit.max(1);
    let (drifts, mut cut) = drifts(history, selector, limit).await?;
    let mut entries: Vec<Entry> =
        drifts.into_iter().map(|told| Entry::Drift(Box::new(told))).collect();
    if !selector.is_about_drift() {
        for what in [Turn::Start, Turn::End] {
            let moments = moments(history, selector, what, limit).await?;
            cut |= moments.len() > limit as usize;
            entries.extend(moments);
        }
        let gaps = gaps(history, selector, limit).await?;
        cut |= gaps.len() > limit as usize;
        entries.extend(gaps.into_iter().map(Entry::Gap));
    }
    // At one moment: the start, what was done, the end.
    let rank = |entry: &Entry| match entry {
        Entry::Started(_) => 0,
        Entry::Gap(_) => 1,
        Entry::Drift(_) => 2,
        Entry::Ended(_) => 3,
    };
    let seq = |entry: &Entry| if let Entry::Drift(told) = entry { told.seq } else { 0 };
    entries.sort_by_key(|entry| (entry.time(), rank(entry), seq(entry)));
    let over = entries.len().saturating_sub(limit as usize);
    cut |= over > 0;
    entries.drain(..over);
    Ok(Timeline { entries, cut })
}

/// The newest first; and whether there were more.
pub(super) async fn drifts(
    history: &mut History,
    selector: &Selector,
    limit: u32,
) -> Result<(Vec<Told>, bool), HistoryError> {
    let mut told = begun(history, selector, limit, None).await?;
    if let Some(from) = selector.from {
        let earlier = Selector { from: None, ..selector.clone() };
        let going_on = begun(history, &earlier, limit, Some(from)).await?;
        if !going_on.is_empty() {
            told.extend(going_on);
            told.sort_by_key(|told| std::cmp::Reverse((told.last, told.seq)));
        }
    }
    let more = told.len() > limit as usize;
    told.truncate(limit as usize);
    Ok((told, more))
}

/// Repeats that are looked at for what goes on, at most: those nearest to the time that is asked about.
const REPEATS: i64 = 5_000;

/// Of what began within the time: one more than `limit` where there are as many. `going_on`: instead, what was told before
/// that moment, and again since.
pub(super) async fn begun(
    history: &mut History,
    selector: &Selector,
    limit: u32,
    going_on: Option<Timestamp>,
) -> Result<Vec<Told>, HistoryError> {
    let mut query = Statement::new(
        history.dialect,
        "SELECT e.seq, e.line, \
             (SELECT n.line FROM events n WHERE n.id = e.id AND n.seq > e.seq ORDER BY n.seq DESC LIMIT 1) AS newest \
         FROM events e WHERE e.kind <> ",
    );
    query.push_bind(CHAIN);
    // An incident grows, by the word of several nodes: its newest event tells all of it. Of others retention may have taken the
    // first.
    query.push(" AND CASE WHEN e.kind = ").push_bind(DriftKind::IncidentLateral.name());
    query.push(
        " THEN NOT EXISTS (SELECT 1 FROM events f WHERE f.id = e.id AND (f.last, f.seq) > (e.last, e.seq)) \
         ELSE e.action = 'created' OR NOT EXISTS (SELECT 1 FROM events f WHERE f.id = e.id AND f.seq < e.seq) END",
    );
    selector.of_events(&mut query);
    if let Some(from) = going_on {
        query.either(" AND +e.last < ", " AND e.last < ").push_bind(nanoseconds(from));
        query.push(
            " AND e.id IN (SELECT n.id FROM events n WHERE n.action <> 'created' AND n.last >= ",
        );
        query.push_bind(nanoseconds(from));
        if let Some(container) = &selector.container {
            query.push(" AND n.container = ").push_bind(container.clone());
        }
        query.push(" ORDER BY n.last").push(if selector.until.is_some() { "" } else { " DESC" });
        query.push(" LIMIT ").push_bind(REPEATS).push(")");
    }
    query.push(" ORDER BY e.last DESC, e.seq DESC LIMIT ").push_bind(i64::from(limit) + 1);
    let told = query.all::<Told>(&mut history.connection).await;
    history.failed(told)
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Turn {
    Start,
    End,
}

async fn moments(
    history: &mut History,
    selector: &Selector,
    turn: Turn,
    limit: u32,
) -> Result<Vec<Entry>, HistoryError> {
    let mut query = Statement::new(history.dialect, "SELECT c.*, ");
    let at = match turn {
        Turn::Start => "COALESCE(c.started, c.created, c.first_seen)",
        Turn::End => "c.ended",
    };
    query.push(at).push(" AS at FROM containers c WHERE ").push(at).push(" IS NOT NULL");
    if let Some(from) = selector.from {
        query.push(" AND ").push(at).push(" >= ").push_bind(crate::store::nanoseconds(from));
    }
    if let Some(until) = selector.until {
        query.push(" AND ").push(at).push(" <= ").push_bind(crate::store::nanoseconds(until));
    }
    selector.of_containers(&mut query);
    query.push(" ORDER BY at DESC LIMIT ").push_bind(i64::from(limit) + 1);
    let moments = query.all::<Moment>(&mut history.connection).await;
    let moments = history.failed(moments)?.into_iter();
    Ok(match turn {
        Turn::Start => moments
            .map(|moment| Entry::Started(Moment { exit_code: None, reason: None, ..moment }))
            .collect(),
        Turn::End => {
            moments.map(|moment| Entry::Ended(Moment { capture: None, ..moment })).collect()
        }
    })
}

pub(super) async fn gaps(
    history: &mut History,
    selector: &Selector,
    limit: u32,
) -> Result<Vec<Gap>, HistoryError> {
    let mut query = Statement::new(
        history.dialect,
        "SELECT g.begun, g.ended, g.container, g.why FROM gaps g WHERE true",
    );
    if let Some(from) = selector.from {
        query.push(" AND g.ended >= ").push_bind(crate::store::nanoseconds(from));
    }
    if let Some(until) = selector.until {
        query.push(" AND g.begun <= ").push_bind(crate::store::nanoseconds(until));
    }
    // One of the whole node is one of each container.
    query.either(
        " AND (g.container IS NULL OR g.container IN (SELECT c.id FROM containers c WHERE true",
        " AND (EXISTS (SELECT 1 FROM containers c WHERE c.agent = g.agent AND (g.container IS NULL OR g.container = c.id)",
    );
    selector.of_containers(&mut query);
    // Where no container is asked for, a node's is of interest also if it has none.
    let is_of_all = selector.container.is_none() && !selector.is_about_containers();
    query.push(")").either("", if is_of_all { " OR g.container IS NULL" } else { "" });
    query.push(") ORDER BY g.begun DESC LIMIT ").push_bind(i64::from(limit) + 1);
    let gaps = query.all::<Gap>(&mut history.connection).await;
    history.failed(gaps)
}

/// From a row of containers, with `at`.
impl FromRow<'_, AnyRow> for Moment {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let capture: String = row.try_get("capture")?;
        Ok(Self {
            time: timestamp(row.try_get("at")?)?,
            container: row.try_get("id")?,
            namespace: row.try_get("namespace")?,
            pod: row.try_get("pod_name")?,
            name: row.try_get("name")?,
            image: row.try_get("image_name")?,
            image_id: row.try_get("image_id")?,
            node: row.try_get("node")?,
            exit_code: row.try_get("exit_code")?,
            reason: row.try_get("reason")?,
            capture: Some(capture).filter(|capture| capture != "from_start"),
        })
    }
}

impl FromRow<'_, AnyRow> for Gap {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            time: timestamp(row.try_get("begun")?)?,
            until: timestamp(row.try_get("ended")?)?,
            container: row.try_get("container")?,
            why: row.try_get("why")?,
        })
    }
}
