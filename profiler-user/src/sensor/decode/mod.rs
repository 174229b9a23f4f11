//! Records to events: checked, with secrets removed where arguments are decoded.
//!
//! Arbitrary bytes give an error, never a panic and never a half-true event.

mod change;
mod dns;
mod net;
mod path;
mod process;
mod socket;

use profiler_common::event::{self, Header, Kind};
use thiserror::Error;
use zerocopy::FromBytes;

use crate::{behaviour, redact::Redactor};

/// One decoded record.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The id of the container's outermost cgroup.
    pub container: u64,
    /// Nanoseconds since boot.
    pub time: u64,
    /// 0 where the event belongs to no process.
    pub pid: u32,
    pub uid: u32,
    pub body: EventBody,
}

#[derive(Clone, Debug, PartialEq)]
pub enum EventBody {
    Exec {
        first: bool,
        /// The process came from outside the container.
        injected: bool,
        fileless: bool,
        not_in_image: bool,
        parent_pid: u32,
        vpid: u32,
        executable: String,
        given: String,
        cwd: String,
        args: Vec<String>,
        args_cut: bool,
    },
    Fork {
        child_pid: u32,
        child_vpid: u32,
    },
    Exit {
        status: u32,
    },
    File(behaviour::File),
    Change(behaviour::Change),
    Map(behaviour::Map),
    Connect(behaviour::Connect),
    Listen(behaviour::Listen),
    /// Whether the port was chosen is not known here, nor for a connect: the listener's event said it.
    Accept(behaviour::Accept),
    Syscall {
        number: u64,
        denied: bool,
        foreign: bool,
    },
    Capability(behaviour::Capability),
    Socket(behaviour::Socket),
    Unix(behaviour::Unix),
    /// From here on; what it was before is not in the record.
    Identity {
        real: u32,
        effective: u32,
    },
    Escape(behaviour::Escape),
    /// None for a packet that answers nothing.
    Dns(Option<behaviour::Dns>),
    /// A cgroup was made; the event's container is the one that it belongs to.
    CgroupMade {
        cgroup: u64,
        /// From the hierarchy's root; none where the kernel may not be read.
        path: Option<String>,
    },
    /// A container's own cgroup is gone.
    CgroupRemoved,
}

#[derive(Debug, Error, PartialEq)]
pub enum DecodeError {
    #[error("a record of {len} bytes is shorter than a {what} needs")]
    Short { what: &'static str, len: usize },
    #[error("a record has the unknown kind {0}")]
    Kind(u32),
    #[error("a record has the unknown path form {0}")]
    PathForm(u32),
    #[error("a record has the unknown address family {0}")]
    Family(u32),
    #[error("a record has the unknown operation {0}")]
    Operation(u32),
    #[error("a record has the port {0}")]
    Port(u32),
    #[error("{0} bytes follow a record's end")]
    Trailing(usize),
}

/// Decodes one record.
pub fn decode(record: &[u8], redactor: &Redactor) -> Result<Event, DecodeError> {
    let header = Header::read_from_prefix(record)
        .map_err(|_| DecodeError::Short { what: "header", len: record.len() })?
        .0;
    let kind = Kind::from_value(header.kind).ok_or(DecodeError::Kind(header.kind))?;
    let mut rest = record;
    let body = match kind {
        Kind::Exec => process::exec(&mut rest, redactor)?,
        Kind::Fork => process::fork(&mut rest)?,
        Kind::Exit => process::exit(&mut rest)?,
        Kind::Open => path::open(&mut rest)?,
        Kind::Connect => net::connect(&mut rest)?,
        Kind::Listen => net::listen(&mut rest)?,
        Kind::Accept => net::accept(&mut rest)?,
        Kind::Syscall => syscall(&mut rest)?,
        Kind::Change => change::change(&mut rest)?,
        Kind::Map => change::map(&mut rest)?,
        Kind::CgroupMade => path::cgroup_made(&mut rest)?,
        Kind::CgroupRemoved => {
            let _header_again: event::CgroupRemoved = fixed(&mut rest, "cgroup removal")?;
            EventBody::CgroupRemoved
        }
        Kind::Capability => process::capability(&mut rest)?,
        Kind::Socket => socket::socket(&mut rest)?,
        Kind::Unix => socket::unix(&mut rest)?,
        Kind::Identity => process::identity(&mut rest)?,
        Kind::Escape => path::escape(&mut rest)?,
        Kind::Dns => dns::dns(&mut rest)?,
    };
    // The ring buffer rounds nothing up: what is left over is not ours.
    if !rest.is_empty() {
        return Err(DecodeError::Trailing(rest.len()));
    }
    let Header { container, time, pid, uid, .. } = header;
    Ok(Event { container, time, pid, uid, body })
}

fn syscall(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let event::Syscall { header, number, .. } = fixed(rest, "syscall")?;
    Ok(EventBody::Syscall {
        number,
        denied: header.flags & event::SYSCALL_DENIED != 0,
        foreign: header.flags & event::SYSCALL_FOREIGN != 0,
    })
}

/// argv as `/proc/PID/cmdline` has it, redacted.
pub fn command_line(bytes: &[u8], redactor: &Redactor) -> Vec<String> {
    redactor.redact_args(process::split(bytes))
}

/// Takes a record's fixed part off its front.
fn fixed<T: FromBytes>(rest: &mut &[u8], what: &'static str) -> Result<T, DecodeError> {
    let short = DecodeError::Short { what, len: rest.len() };
    let (fixed, behind) = T::read_from_prefix(rest).map_err(|_| short)?;
    *rest = behind;
    Ok(fixed)
}

/// Takes `len` bytes off the front.
fn take<'a>(rest: &mut &'a [u8], len: u32, what: &'static str) -> Result<&'a [u8], DecodeError> {
    let short = DecodeError::Short { what, len: rest.len() };
    let (taken, behind) = rest.split_at_checked(len as usize).ok_or(short)?;
    *rest = behind;
    Ok(taken)
}

/// Text as people read it: UTF-8 where it is, `\xNN` for every byte that is not.
fn text(bytes: &[u8]) -> String {
    use std::fmt::Write;
    // Nearly all of it is UTF-8, which is checked whole faster than piece by piece.
    if let Ok(valid) = str::from_utf8(bytes) {
        return valid.to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _infallible = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
