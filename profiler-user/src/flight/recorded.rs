//! What the behaviour log has of one container.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::moment::told;
use super::{FlightError, Moment, Segment, segments};
use crate::store::nanoseconds;

/// Moments of one container, the oldest first.
#[derive(Debug, Serialize)]
pub(crate) struct Recorded {
    pub(crate) moments: Vec<Moment>,
    /// There were more, earlier.
    pub(crate) cut: bool,
    /// Why some of the log could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unreadable: Vec<String>,
}

/// The newest `limit` moments of a container between the two. A damaged segment costs what it held, and is named.
pub(crate) fn recorded(
    store: &Path,
    container: &str,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    limit: u32,
) -> Result<Recorded, FlightError> {
    let (from, until) = (from.map_or(i64::MIN, nanoseconds), until.map_or(i64::MAX, nanoseconds));
    let mut moments = VecDeque::new();
    let (mut cut, mut unreadable) = (false, Vec::new());
    for one in segments(store)? {
        let segment = match Segment::read(&one.path) {
            Ok(segment) => segment,
            // Retention took it meanwhile.
            Err(FlightError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                continue;
            }
            Err(error) => {
                unreadable.push(error.to_string());
                continue;
            }
        };
        let is_it: Vec<bool> =
            segment.containers.iter().map(|one| one.id.as_str() == container).collect();
        for step in segment.steps() {
            if !is_it[step.container] || step.time < from || step.time > until {
                continue;
            }
            let Some((actor, deed)) = segment.deed(step.deed) else { continue };
            let process = actor.process(step.pid);
            let Some((kind, object)) = told(&process, deed.done()) else { continue };
            if moments.len() >= limit as usize {
                moments.pop_front();
                cut = true;
            }
            let executable = Arc::clone(&process.executable);
            let (time, pid) = (step.timestamp(), step.pid);
            moments.push_back(Moment { time, kind, object, executable, pid });
        }
    }
    let mut moments = Vec::from(moments);
    moments.sort_by_key(|moment| moment.time);
    Ok(Recorded { moments, cut, unreadable })
}
