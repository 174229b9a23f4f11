//! Reading the behaviour log.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use jiff::Timestamp;

use super::deed::{Actor, Deed};
use super::wire::{self, FRAME_HEAD, FRAME_MAX, MAGIC, Rest, frame_head, unzigzag};
use crate::container::Identity;

/// How a segment's file ends, and one that holds drift.
pub(super) const NAME_END: &str = ".flight";
pub(super) const DRIFT: &str = "-drift.flight";

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FlightError {
    #[error("cannot read the behaviour log {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "the behaviour log {} is of another version of driftline, or none; read it with the version that wrote it",
        path.display()
    )]
    Version { path: PathBuf },
    #[error(
        "the behaviour log {} is damaged at byte {at}: {why}; move the file away to leave it out",
        path.display()
    )]
    Damaged { path: PathBuf, at: usize, why: &'static str },
}

/// A segment's file.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(super) number: u64,
    pub(super) size: u64,
    pub(super) modified: SystemTime,
    pub(super) has_drift: bool,
}

/// The segments of a store, the oldest first; none where nothing was recorded.
pub(crate) fn segments(store: &Path) -> Result<Vec<Found>, FlightError> {
    let path = store.join(super::DIRECTORY);
    match listed(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(|source| FlightError::Read { path, source }),
    }
}

pub(super) fn listed(directory: &Path) -> io::Result<Vec<Found>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let has_drift = name.ends_with(DRIFT);
        let stem = name.strip_suffix(if has_drift { DRIFT } else { NAME_END });
        let Some(number) = stem.and_then(|stem| stem.parse().ok()) else { continue };
        // One that retention removes meanwhile is none.
        let Ok(metadata) = entry.metadata() else { continue };
        let modified = metadata.modified()?;
        all.push(Found { path: entry.path(), number, size: metadata.len(), modified, has_drift });
    }
    all.sort_by_key(|one| one.number);
    Ok(all)
}

/// A segment with all that its entries mean.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// Of the key that its secrets are hashed with.
    pub(crate) key_id: String,
    pub(crate) containers: Vec<Identity>,
    actors: Vec<Actor>,
    /// With the number of their actor.
    deeds: Vec<(u32, Deed)>,
    /// The frames' records, one behind the other.
    records: Vec<u8>,
    /// Entries that the agent left out.
    pub(crate) left_out: u64,
    /// It ends in the middle of a frame, as that of a killed agent may.
    pub(crate) is_torn: bool,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) container: usize,
    pub(crate) deed: usize,
    /// Nanoseconds since 1970.
    pub(crate) time: i64,
    pub(crate) pid: u32,
}

impl Segment {
    /// Checks all of it, so that its entries can be walked through without another look.
    pub(crate) fn read(path: &Path) -> Result<Self, FlightError> {
        let bytes =
            fs::read(path).map_err(|source| FlightError::Read { path: path.to_owned(), source })?;
        let damaged = |at, why| FlightError::Damaged { path: path.to_owned(), at, why };
        let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
            // One that was just begun.
            if MAGIC.starts_with(&bytes) {
                return Ok(Self { is_torn: true, ..Self::default() });
            }
            return Err(FlightError::Version { path: path.to_owned() });
        };
        let mut segment = Self::default();
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let Some((head, behind)) = rest.split_at_checked(FRAME_HEAD) else {
                segment.is_torn = true;
                break;
            };
            let length = head.first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
            let length = length as usize;
            if length > FRAME_MAX {
                return Err(damaged(at, "a frame cannot be so long"));
            }
            let Some((frame, behind)) = behind.split_at_checked(length) else {
                segment.is_torn = true;
                break;
            };
            if frame_head(frame) != *head {
                return Err(damaged(at, "a frame is not what its checksum says"));
            }
            segment.take(frame).ok_or_else(|| damaged(at, "a record cannot be understood"))?;
            segment.records.extend_from_slice(frame);
            rest = behind;
        }
        Ok(segment)
    }

    /// Learns what a frame's entries mean.
    fn take(&mut self, frame: &[u8]) -> Option<()> {
        let mut rest = Rest(frame);
        while let Some(tag) = rest.byte() {
            match tag {
                wire::HEADER => self.key_id = String::from_utf8(rest.text()?.to_vec()).ok()?,
                wire::CONTAINER => self.containers.push(json(rest.text()?)?),
                wire::ACTOR => self.actors.push(json(rest.text()?)?),
                wire::DEED => {
                    let actor = rest.small()?;
                    self.actors.get(actor as usize)?;
                    self.deeds.push((actor, json(rest.text()?)?));
                }
                wire::ENTRY => {
                    self.containers.get(rest.small()? as usize)?;
                    rest.number()?;
                    self.deeds.get(rest.small()? as usize)?;
                    rest.small()?;
                }
                wire::LEFT_OUT => self.left_out = self.left_out.saturating_add(rest.number()?),
                _ => return None,
            }
        }
        Some(())
    }

    /// Distinct behaviours.
    pub(crate) fn deeds(&self) -> usize {
        self.deeds.len()
    }

    pub(crate) fn deed(&self, number: usize) -> Option<(&Actor, &Deed)> {
        let (actor, deed) = self.deeds.get(number)?;
        Some((self.actors.get(*actor as usize)?, deed))
    }

    /// Everything in the order in which it was written, which is nearly that in which it happened.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let (mut rest, mut time) = (Rest(&self.records), 0_i64);
        std::iter::from_fn(move || {
            loop {
                match rest.byte()? {
                    wire::ENTRY => {
                        let container = rest.small()? as usize;
                        time = time.wrapping_add(unzigzag(rest.number()?));
                        let (deed, pid) = (rest.small()? as usize, rest.small()?);
                        return Some(Step { container, deed, time, pid });
                    }
                    wire::DEED => {
                        rest.number()?;
                        rest.text()?;
                    }
                    wire::LEFT_OUT => {
                        rest.number()?;
                    }
                    _ => {
                        rest.text()?;
                    }
                }
            }
        })
    }
}

impl Step {
    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_nanosecond(self.time.into()).unwrap_or_default()
    }
}

fn json<T: serde::de::DeserializeOwned>(text: &[u8]) -> Option<T> {
    serde_json::from_slice(text).ok()
}
