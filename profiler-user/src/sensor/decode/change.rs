//! Changes of files, and executable mappings.

use profiler_common::event::{
    CHANGE_CLAIMED, Change, MAP_UNNAMED, Map, Operation, PathForm, PathPart,
};

use super::path::{claimed, part, unnamed, without_number};
use super::{DecodeError, EventBody, fixed};
use crate::behaviour::{self, File};

pub(super) fn change(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let change: Change = fixed(rest, "change")?;
    let operation =
        Operation::from_value(change.operation).ok_or(DecodeError::Operation(change.operation))?;
    let is_claimed = change.header.flags & CHANGE_CLAIMED != 0;
    let path = place(rest, change.path, change.base, is_claimed)?;
    let other = match operation {
        // A text, no place.
        Operation::SymbolicLink => {
            let text = part(rest, change.other, 0)?;
            let _none = part(rest, change.other_base, 0)?;
            text
        }
        _ => place(rest, change.other, change.other_base, is_claimed)?,
    };
    let operation = match operation {
        Operation::Truncate => {
            let file = File { path, read: false, write: true, denied: false };
            return Ok(EventBody::File(file));
        }
        Operation::Delete => behaviour::Operation::Delete,
        Operation::Rename => behaviour::Operation::Rename(other),
        Operation::HardLink => behaviour::Operation::HardLink(without_number(other)),
        Operation::SymbolicLink => behaviour::Operation::SymbolicLink(other),
        Operation::Mode => behaviour::Operation::Mode(change.mode),
        Operation::Owner => behaviour::Operation::Owner,
    };
    Ok(EventBody::Change(behaviour::Change { path, operation }))
}

pub(super) fn map(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Map { header, inode, path, .. } = fixed(rest, "mapping")?;
    let path = part(rest, path, inode)?;
    let path = if header.flags & MAP_UNNAMED != 0 { unnamed(path) } else { path };
    Ok(EventBody::Map(behaviour::Map { path }))
}

/// A path with where it starts from. Without a path of its own that is the file itself.
fn place(
    rest: &mut &[u8],
    path: PathPart,
    base: PathPart,
    is_claimed: bool,
) -> Result<String, DecodeError> {
    let given = path.form != PathForm::None as u32;
    let path = part(rest, path, 0)?;
    let base = part(rest, base, 0)?;
    Ok(match (is_claimed, given) {
        (false, _) => path,
        (true, false) => base,
        // From the caller's root, which is the base, not from the container's.
        (true, true) => claimed(&base, path.trim_start_matches('/')),
    })
}
