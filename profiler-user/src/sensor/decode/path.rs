//! Paths and opens.

use bytes::Bytes;
use profiler_common::event::{OPEN_DENIED, OPEN_READ, OPEN_WRITE, Open, PathForm, PathPart};

use super::{DecodeError, EventBody, fixed, take, text};
use crate::behaviour::File;

pub(super) fn open(rest: &mut Bytes) -> Result<EventBody, DecodeError> {
    let Open { header, inode, path, base, .. } = fixed(rest, "open")?;
    let path = part(rest, path, inode)?;
    let base = part(rest, base, inode)?;
    let denied = header.flags & OPEN_DENIED != 0;
    Ok(EventBody::File(File {
        path: if denied { claimed(&base, &path) } else { path },
        read: header.flags & OPEN_READ != 0,
        write: header.flags & OPEN_WRITE != 0,
        denied,
    }))
}

/// Takes a path off the front. `inode` names what has no path.
pub(super) fn part(rest: &mut Bytes, part: PathPart, inode: u64) -> Result<String, DecodeError> {
    let form = PathForm::from_value(part.form).ok_or(DecodeError::PathForm(part.form))?;
    let bytes = take(rest, part.len, "path")?;
    Ok(match form {
        PathForm::None => format!("(unreadable path, inode {inode})"),
        PathForm::TooLong => format!("(path longer than 4095 bytes, inode {inode})"),
        PathForm::Text => text(bytes.strip_suffix(&[0]).unwrap_or(&bytes)),
        PathForm::Names => format!("/{}", names(&bytes)),
        PathForm::NamesCut => format!("…/{}", names(&bytes)),
        PathForm::Unrooted => unrooted(&names(&bytes), inode),
    })
}

/// The names of a walk, root first.
fn names(bytes: &[u8]) -> String {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if bytes.is_empty() {
        return String::new();
    }
    let mut names: Vec<String> = bytes.split(|byte| *byte == 0).map(text).collect();
    names.reverse();
    names.join("/")
}

/// As the kernel prints what has no place in the tree: memfds have a name, pipes have none.
fn unrooted(name: &str, inode: u64) -> String {
    if name.is_empty() { format!("pipe:[{inode}]") } else { format!("/{name} (deleted)") }
}

/// What a caller asked for, made absolute and without `.` and `..`: the best that can be said of an open that failed.
fn claimed(base: &str, path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { base };
    for name in base.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{claimed, names};

    #[test]
    fn walks_are_turned_around() {
        assert_eq!(names(b"passwd\0etc\0"), "etc/passwd");
        assert_eq!(names(b""), "");
    }

    #[test]
    fn claims_become_absolute() {
        assert_eq!(claimed("/srv/app", "../../etc/./shadow"), "/etc/shadow");
        assert_eq!(claimed("/srv/app", "/etc/shadow"), "/etc/shadow");
        assert_eq!(claimed("/srv", "../../../x"), "/x");
    }
}
