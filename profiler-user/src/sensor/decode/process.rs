//! Execs, forks and exits.

use profiler_common::event::{
    Capability, EXEC_FILELESS, EXEC_FIRST, EXEC_INJECTED, EXEC_UPPER, Exec, Exit, Fork, Identity,
};

use super::{DecodeError, EventBody, fixed, path::part, take, text};
use crate::{
    behaviour::{self, DELETED},
    redact::Redactor,
};

pub(super) fn exec(rest: &mut &[u8], redactor: &Redactor) -> Result<EventBody, DecodeError> {
    let exec: Exec = fixed(rest, "exec")?;
    let executable = part(rest, exec.executable, exec.inode)?;
    let fileless = exec.header.flags & EXEC_FILELESS != 0;
    let executable = if fileless { without_mark(executable) } else { executable };
    let given = part(rest, exec.given, exec.inode)?;
    let cwd = part(rest, exec.cwd, exec.inode)?;
    let args = take(rest, exec.args, "argv")?;
    let args_cut = exec.args_total > exec.args;
    Ok(EventBody::Exec {
        first: exec.header.flags & EXEC_FIRST != 0,
        injected: exec.header.flags & EXEC_INJECTED != 0,
        fileless,
        not_in_image: exec.header.flags & EXEC_UPPER != 0,
        parent_pid: exec.parent_pid,
        vpid: exec.vpid,
        executable,
        given,
        cwd,
        args: redactor.redact_args(if args_cut { whole_words(split(args)) } else { split(args) }),
        args_cut,
    })
}

pub(super) fn fork(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Fork { child_pid, child_vpid, .. } = fixed(rest, "fork")?;
    Ok(EventBody::Fork { child_pid, child_vpid })
}

pub(super) fn exit(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Exit { status, .. } = fixed(rest, "exit")?;
    Ok(EventBody::Exit { status })
}

/// A deleted program by the name that it had, however the kernel tells it. What never had a place has the mark in its name.
fn without_mark(path: String) -> String {
    match path.strip_suffix(DELETED) {
        Some(name) if !name.starts_with("/memfd:") => name.to_owned(),
        _ => path,
    }
}

pub(super) fn capability(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Capability { number, .. } = fixed(rest, "capability")?;
    Ok(EventBody::Capability(behaviour::Capability(number)))
}

pub(super) fn identity(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Identity { real, effective, .. } = fixed(rest, "identity")?;
    Ok(EventBody::Identity { real, effective })
}

/// argv from its memory: each argument ends with a NUL, but for one that was cut.
pub(crate) fn split(bytes: &[u8]) -> Vec<String> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    bytes.split(|byte| *byte == 0).map(text).collect()
}

/// Arguments that were cut, up to the last blank: half a word may be half a secret, no longer to be known for one.
fn whole_words(mut args: Vec<String>) -> Vec<String> {
    if let Some(last) = args.pop()
        && let Some(blank) = last.rfind(char::is_whitespace)
    {
        args.push(last[..blank].to_owned());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::{split, whole_words, without_mark};

    #[test]
    fn a_deleted_program_keeps_its_name() {
        let name = |path: &str| without_mark(path.to_owned());
        assert_eq!(name("/tmp/x (deleted)"), "/tmp/x");
        assert_eq!(name("/tmp/x"), "/tmp/x");
        assert_eq!(name("/memfd:x (deleted)"), "/memfd:x (deleted)");
    }

    #[test]
    fn half_a_word_is_dropped() {
        let cut = |args: &[u8]| whole_words(split(args));
        assert_eq!(cut(b"curl\0https://user:hunt"), ["curl"]);
        assert_eq!(cut(b"sh\0-c\0id; curl https://user:hunt"), ["sh", "-c", "id; curl"]);
    }

    #[test]
    fn empty_arguments_are_kept() {
        assert_eq!(split(b"printf\0\0x\0"), ["printf", "", "x"]);
        assert_eq!(split(b"printf\0cut-of"), ["printf", "cut-of"]);
        assert!(split(b"").is_empty());
    }
}
