//! Paths and opens.

use profiler_common::event::{
    CgroupMade, Escape, OPEN_CLAIMED, OPEN_DENIED, OPEN_READ, OPEN_UNNAMED, OPEN_WRITE, Open,
    PathForm, PathPart,
};

use super::{DecodeError, EventBody, fixed, take, text};
use crate::behaviour::{self, DELETED, File};

pub(super) fn open(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Open { header, inode, path, base, .. } = fixed(rest, "open")?;
    let path = part(rest, path, inode)?;
    let (base_form, base) = raw(rest, base)?;
    Ok(EventBody::File(File {
        path: match () {
            () if header.flags & OPEN_CLAIMED != 0 => {
                claimed(&readable(base_form, base, inode), &path)
            }
            () if header.flags & OPEN_UNNAMED != 0 => unnamed(path),
            () => path,
        },
        read: header.flags & OPEN_READ != 0,
        write: header.flags & OPEN_WRITE != 0,
        denied: header.flags & OPEN_DENIED != 0,
    }))
}

pub(super) fn cgroup_made(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let CgroupMade { cgroup, path, .. } = fixed(rest, "cgroup")?;
    let readable = path.form == PathForm::Text as u32;
    let path = part(rest, path, cgroup)?;
    Ok(EventBody::CgroupMade { cgroup, path: readable.then_some(path) })
}

pub(super) fn escape(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Escape { cgroup, path, .. } = fixed(rest, "escape")?;
    Ok(EventBody::Escape(behaviour::Escape { cgroup: part(rest, path, cgroup)? }))
}

/// Takes a path off the front. `inode` names what has no path.
pub(super) fn part(rest: &mut &[u8], part: PathPart, inode: u64) -> Result<String, DecodeError> {
    let (form, bytes) = raw(rest, part)?;
    Ok(readable(form, bytes, inode))
}

/// The same as the kernel wrote it.
fn raw<'a>(rest: &mut &'a [u8], part: PathPart) -> Result<(PathForm, &'a [u8]), DecodeError> {
    let form = PathForm::from_value(part.form).ok_or(DecodeError::PathForm(part.form))?;
    Ok((form, take(rest, part.len, "path")?))
}

fn readable(form: PathForm, bytes: &[u8], inode: u64) -> String {
    match form {
        PathForm::None => format!("(unreadable path, inode {inode})"),
        PathForm::TooLong => format!("(path longer than 4095 bytes, inode {inode})"),
        PathForm::Text => text(bytes.strip_suffix(&[0]).unwrap_or(bytes)),
        PathForm::Names => names("/", bytes),
        PathForm::NamesCut => names("…/", bytes),
        PathForm::Detached => names("(detached)/", bytes),
        PathForm::Unrooted => unrooted(&names("", bytes), inode),
    }
}

/// The names of a walk, root first, behind `before`.
fn names(before: &str, bytes: &[u8]) -> String {
    let mut path = Vec::with_capacity(before.len() + bytes.len());
    path.extend_from_slice(before.as_bytes());
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    for (index, name) in bytes.rsplit(|byte| *byte == 0).enumerate() {
        if index > 0 {
            path.push(b'/');
        }
        path.extend_from_slice(name);
    }
    // Neither a slash nor a NUL is part of another character: the whole is text if each name is.
    String::from_utf8(path).unwrap_or_else(|error| text(error.as_bytes()))
}

/// As the kernel prints what has no place in the tree: memfds have a name, pipes have none.
fn unrooted(name: &str, inode: u64) -> String {
    if name.is_empty() { format!("pipe:[{inode}]") } else { format!("/{name}{DELETED}") }
}

/// A file that has lost its name, or never had one. Some kernels' printing says `(deleted)`, a walk does not.
pub(super) fn unnamed(path: String) -> String {
    if !path.starts_with('/') {
        return path;
    }
    let path = path.strip_suffix(DELETED).unwrap_or(&path);
    nameless(path).unwrap_or_else(|| format!("{path}{DELETED}"))
}

/// The same of a file that has just got its first name.
pub(super) fn without_number(path: String) -> String {
    nameless(&path).unwrap_or(path)
}

/// The kernel calls what `O_TMPFILE` makes `#` and its inode number.
fn nameless(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once('/')?;
    let number = name.strip_prefix('#')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("{directory}/(unnamed)"))
}

/// What a caller asked for, made absolute and without `.` and `..`: the best that can be said of an open that failed.
pub(super) fn claimed(base: &str, path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { base };
    // `(detached)` and `…` stay what they are.
    let root = if base.is_empty() || base.starts_with('/') { "/" } else { "" };
    for name in base.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    format!("{root}{}", names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{claimed, names, unnamed};

    #[test]
    fn unnamed_files_have_one_name_on_every_tier() {
        let name = |path: &str| unnamed(path.to_owned());
        assert_eq!(name("/root/#10117125"), "/root/(unnamed)");
        assert_eq!(name("/root/#10117125 (deleted)"), "/root/(unnamed)");
        assert_eq!(name("/tmp/x"), "/tmp/x (deleted)");
        assert_eq!(name("/tmp/x (deleted)"), "/tmp/x (deleted)");
        assert_eq!(name("pipe:[12]"), "pipe:[12]");
    }

    #[test]
    fn walks_are_turned_around() {
        assert_eq!(names("/", b"passwd\0etc\0"), "/etc/passwd");
        assert_eq!(names("…/", b"x\0\xff\0"), "…/\\xff/x");
        assert_eq!(names("/", b""), "/");
    }

    #[test]
    fn claims_become_absolute() {
        assert_eq!(claimed("/srv/app", "../../etc/./shadow"), "/etc/shadow");
        assert_eq!(claimed("/srv/app", "/etc/shadow"), "/etc/shadow");
        assert_eq!(claimed("/srv", "../../../x"), "/x");
        assert_eq!(claimed("(detached)/srv", "x"), "(detached)/srv/x");
        assert_eq!(claimed("(detached)/srv", "/x"), "/x");
    }
}
