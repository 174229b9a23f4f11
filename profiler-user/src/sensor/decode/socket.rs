//! Sockets of every family, and the peers of Unix sockets.

use profiler_common::event::{Socket, UNIX_DATAGRAM, Unix};
use zerocopy::IntoBytes;

use super::{DecodeError, EventBody, fixed, text};
use crate::behaviour;

pub(super) fn socket(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Socket { family, kind, protocol, .. } = fixed(rest, "socket")?;
    Ok(EventBody::Socket(behaviour::Socket { family, kind, protocol }))
}

pub(super) fn unix(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Unix { header, len, name, .. } = fixed(rest, "Unix peer")?;
    let name = name.as_bytes().get(..len as usize);
    let name = name.ok_or(DecodeError::Short { what: "Unix peer's name", len: name_len() })?;
    Ok(EventBody::Unix(behaviour::Unix {
        peer: unix_name(name),
        datagram: header.flags & UNIX_DATAGRAM != 0,
    }))
}

const fn name_len() -> usize {
    profiler_common::event::UNIX_WORDS * size_of::<u64>()
}

/// An abstract name begins with a NUL, which `ss` and others write as `@`; a path ends with one. One within an abstract name is
/// written as bytes are that are no text: what reads events need not know NUL.
fn unix_name(name: &[u8]) -> String {
    match name {
        [0, name @ ..] => format!("@{}", text(name).replace('\0', "\\x00")),
        path => text(path.split(|byte| *byte == 0).next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::unix_name;

    #[test]
    fn paths_end_at_a_nul_and_abstract_names_begin_with_one() {
        assert_eq!(unix_name(b"/run/docker.sock\0"), "/run/docker.sock");
        assert_eq!(unix_name(b"/run/docker.sock\0rest"), "/run/docker.sock");
        assert_eq!(unix_name(b"\0bus"), "@bus");
        assert_eq!(unix_name(b"\0a\0b\0"), "@a\\x00b\\x00");
        assert_eq!(unix_name(b"\x000001a"), "@0001a");
    }
}
