//! A drift in one line that somebody understands who has never seen Driftline: who, did what, why
//! that matters, and what was recorded instead.

mod files;

use std::fmt::Write as _;

use self::files::{changed, mapped, opened};
use super::event::Context;
use super::kind::{DriftKind, Finding, Novelty};
use super::show::{clean, command, cut};
use crate::behaviour::{
    Accept, Behaviour, Connect, Dns, Escape, Exec, Identity, Listen, Observation, Process, Syscall,
    Unix,
};
use crate::observe::INJECTED;

/// Characters of the nearest baseline entry that a sentence shows.
const NEAREST_MAX: usize = 120;

/// `why` comes from the severity table. Arguments are redacted before they get here.
pub fn sentence(
    context: &Context,
    observation: &Observation,
    finding: &Finding,
    why: Option<&str>,
) -> String {
    let process = &*observation.process;
    let runs = runs(context);
    let (did, never) = match &observation.behaviour {
        Behaviour::Exec(exec) => match finding.kind {
            DriftKind::ExecInjected => (ran(process, exec), never_injected(process)),
            DriftKind::ExecParent => (ran(process, exec), never_started(process, exec)),
            DriftKind::ExecArgs => (ran(process, exec), never_like_this(process)),
            DriftKind::ExecNotInImage => (ran_foreign(process, exec), nobody("did that")),
            DriftKind::ExecFileless => (ran_fileless(process, exec), nobody("did that")),
            _ => (ran(process, exec), nobody("ran it")),
        },
        Behaviour::File(file) if finding.kind == DriftKind::FileWrite => {
            (opened(process, file, "write", "wrote"), never_did(process, finding, "wrote it"))
        }
        Behaviour::File(file) => {
            (opened(process, file, "read", "read"), never_did(process, finding, "read it"))
        }
        Behaviour::Change(change) => {
            let (did, never) = changed(process, change);
            (did, never_did(process, finding, never))
        }
        Behaviour::Map(map) => (mapped(process, map), never_did(process, finding, "did that")),
        Behaviour::Connect(connect) => {
            (connected(process, connect), never_did(process, finding, "talked to it"))
        }
        Behaviour::Listen(listen) => {
            (listened(process, listen), never_did(process, finding, "listened there"))
        }
        Behaviour::Accept(accept) => {
            (accepted(process, accept), never_did(process, finding, "took one from there"))
        }
        Behaviour::Syscall(syscall) => {
            (called(process, syscall), never_did(process, finding, "made that call"))
        }
        Behaviour::Socket(_) => {
            (made(process, finding), never_did(process, finding, "made such a socket"))
        }
        Behaviour::Capability(capability) => {
            let did = format!("{} used the capability {capability}", who(process));
            (did, never_did(process, finding, "used it"))
        }
        Behaviour::Unix(unix) => {
            (reached(process, unix), never_did(process, finding, "talked to it"))
        }
        Behaviour::Identity(change) => {
            (became(process, change), never_did(process, finding, "did that"))
        }
        Behaviour::Dns(answer) => {
            (resolved(process, answer), never_did(process, finding, "asked for it"))
        }
        Behaviour::Escape(escape) => {
            (escaped(process, escape), never_did(process, finding, "was moved there"))
        }
    };
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let mut sentence = format!("{did}{why}; {never} in {runs}");
    if let Some(nearest) = &finding.nearest {
        let _ = write!(sentence, "; {}", cut(clean(nearest), NEAREST_MAX));
    }
    sentence
}

fn ran(process: &Process, exec: &Exec) -> String {
    let program = program(process);
    match (process.ancestry.first(), exec.parent.as_deref()) {
        (Some(parent), _) => {
            format!("{} (pid {}) ran {program}", clean(&parent.executable), parent.pid)
        }
        (None, Some(INJECTED)) => format!("{program} was run from outside the container"),
        (None, Some(parent)) => format!("{} ran {program}", clean(parent)),
        (None, None) => format!("the container started with {program}"),
    }
}

fn ran_fileless(process: &Process, exec: &Exec) -> String {
    format!("{}, a program without a file", ran(process, exec))
}

fn ran_foreign(process: &Process, exec: &Exec) -> String {
    format!("{}, which is not the image's but was written since", ran(process, exec))
}

fn connected(process: &Process, connect: &Connect) -> String {
    let did = if connect.datagram { "sent a datagram to" } else { "connected to" };
    let name = connect.name.as_deref().map(|name| format!(" ({})", clean(name)));
    let name = name.unwrap_or_default();
    format!("{} {did} {} {}{name}", who(process), connect.protocol, connect.peer)
}

fn listened(process: &Process, listen: &Listen) -> String {
    let chosen = if listen.port_chosen { "" } else { ", a port that the kernel picked" };
    format!("{} began to listen on {} {}{chosen}", who(process), listen.protocol, listen.local)
}

fn accepted(process: &Process, accept: &Accept) -> String {
    let Accept { protocol, local, peer, .. } = accept;
    format!("{} took a connection from {} on {protocol} {local}", who(process), peer.ip())
}

fn called(process: &Process, syscall: &Syscall) -> String {
    let (who, name) = (who(process), clean(&syscall.name));
    let how = if syscall.foreign { " through the i386 or x32 ABI" } else { "" };
    if syscall.denied {
        format!("{who} tried the system call {name}{how} and was refused by seccomp")
    } else {
        format!("{who} made the system call {name}{how}")
    }
}

fn made(process: &Process, finding: &Finding) -> String {
    format!("{} made a socket of the sort {}", who(process), finding.object)
}

fn reached(process: &Process, unix: &Unix) -> String {
    let did = if unix.datagram { "sent to" } else { "connected to" };
    format!("{} {did} the Unix socket {}", who(process), clean(&unix.peer))
}

fn became(process: &Process, change: &Identity) -> String {
    format!("{} went from user {} to {}", who(process), change.from, change.to)
}

fn resolved(process: &Process, answer: &Dns) -> String {
    let name = clean(&answer.name);
    match answer.addresses.as_slice() {
        [] => format!("{} asked for the name {name} and got no address", who(process)),
        [one] => format!("{} resolved the name {name} to {one}", who(process)),
        [one, more @ ..] => {
            format!("{} resolved the name {name} to {one} and {} more", who(process), more.len())
        }
    }
}

fn escaped(process: &Process, escape: &Escape) -> String {
    format!(
        "{} was moved out of its container, to the cgroup {}",
        who(process),
        clean(&escape.cgroup)
    )
}

fn nobody(did: &str) -> String {
    format!("nothing in this container {did}")
}

fn never_started(process: &Process, exec: &Exec) -> String {
    match exec.parent.as_deref() {
        Some(parent) => format!(
            "{} was recorded, but {} never started it",
            clean(&process.executable),
            clean(parent)
        ),
        None => format!(
            "{} was recorded, but never as the container's first program",
            clean(&process.executable)
        ),
    }
}

fn never_injected(process: &Process) -> String {
    format!("{} was never run from outside", clean(&process.executable))
}

fn never_like_this(process: &Process) -> String {
    format!("{} was recorded, but never with such arguments", clean(&process.executable))
}

fn never_did(process: &Process, finding: &Finding, did: &str) -> String {
    match finding.novelty {
        Novelty::Container => nobody(did),
        Novelty::Executable => {
            format!("others in this container {did}, {} never", clean(&process.executable))
        }
    }
}

fn who(process: &Process) -> String {
    format!("{} (pid {})", clean(&process.executable), process.pid)
}

/// What was run: as it would be typed, then the file that it really is.
fn program(process: &Process) -> String {
    let executable = clean(&process.executable);
    if process.args.is_empty() {
        return format!("{executable} (pid {})", process.pid);
    }
    let more = if process.args_cut { " …" } else { "" };
    format!("`{}{more}` ({executable}, pid {})", command(&process.args), process.pid)
}

fn runs(context: &Context) -> String {
    match context.recorded_runs {
        0 => "what was recorded".to_owned(),
        1 => "1 recorded run".to_owned(),
        runs => format!("{runs} recorded runs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::sample;

    fn tell(kind: DriftKind, novelty: Novelty, observation: &Observation) -> String {
        let finding = sample::finding(kind, novelty, observation);
        sentence(&sample::context(), observation, &finding, None)
    }

    fn new(kind: DriftKind, observation: &Observation) -> String {
        tell(kind, Novelty::Container, observation)
    }

    #[test]
    fn a_program_is_told_with_who_ran_it() {
        let shell = sample::exec("/usr/bin/dash", &["sh", "-c", "id"], Some("/usr/sbin/nginx"));
        assert_eq!(
            new(DriftKind::Exec, &shell),
            "/usr/sbin/nginx (pid 4700) ran `sh -c id` (/usr/bin/dash, pid 4711); \
             nothing in this container ran it in 5 recorded runs"
        );
        assert_eq!(
            new(DriftKind::ExecParent, &shell),
            "/usr/sbin/nginx (pid 4700) ran `sh -c id` (/usr/bin/dash, pid 4711); \
             /usr/bin/dash was recorded, but /usr/sbin/nginx never started it in 5 recorded runs"
        );
        assert_eq!(
            new(DriftKind::Exec, &sample::exec("/bin/app", &[], None)),
            "the container started with /bin/app (pid 4711); \
             nothing in this container ran it in 5 recorded runs"
        );
    }

    #[test]
    fn a_file_is_told_with_how_it_ended() {
        assert_eq!(
            new(DriftKind::FileRead, &sample::file("/etc/shadow", false, true)),
            "/usr/bin/cat (pid 4711) tried to read /etc/shadow and was refused; \
             nothing in this container read it in 5 recorded runs"
        );
        assert_eq!(
            tell(DriftKind::FileWrite, Novelty::Executable, &sample::write("/tmp/a\x1b[1m")),
            "/usr/bin/cat (pid 4711) wrote /tmp/a\\u{1b}[1m; \
             others in this container wrote it, /usr/bin/cat never in 5 recorded runs"
        );
    }

    #[test]
    fn the_network_and_system_calls_are_told() {
        for (kind, observation, expected) in [
            (
                DriftKind::NetConnect,
                sample::connect("/usr/bin/bash", "127.0.0.1:9000"),
                "/usr/bin/bash (pid 4711) connected to tcp 127.0.0.1:9000; \
                 nothing in this container talked to it in 5 recorded runs",
            ),
            (
                DriftKind::NetListen,
                sample::listen("0.0.0.0:4444"),
                "/usr/bin/perl (pid 4711) began to listen on tcp 0.0.0.0:4444; \
                 nothing in this container listened there in 5 recorded runs",
            ),
            (
                DriftKind::NetAccept,
                sample::accept("0.0.0.0:4444", "10.0.0.9:41000"),
                "/usr/bin/perl (pid 4711) took a connection from 10.0.0.9 on tcp 0.0.0.0:4444; \
                 nothing in this container took one from there in 5 recorded runs",
            ),
            (
                DriftKind::Syscall,
                sample::syscall("unshare"),
                "/usr/bin/unshare (pid 4711) made the system call unshare; \
                 nothing in this container made that call in 5 recorded runs",
            ),
            (
                DriftKind::SyscallAbi,
                sample::syscall("foreign_4"),
                "/usr/bin/unshare (pid 4711) made the system call foreign_4 through the i386 or \
                 x32 ABI; nothing in this container made that call in 5 recorded runs",
            ),
            (
                DriftKind::NetSocket,
                sample::socket(2, 3, 1),
                "/bin/app (pid 4711) made a socket of the sort inet raw icmp; \
                 nothing in this container made such a socket in 5 recorded runs",
            ),
            (
                DriftKind::Capability,
                sample::capability(21),
                "/bin/app (pid 4711) used the capability CAP_SYS_ADMIN; \
                 nothing in this container used it in 5 recorded runs",
            ),
            (
                DriftKind::NetUnix,
                sample::unix("/run/docker.sock"),
                "/bin/app (pid 4711) connected to the Unix socket /run/docker.sock; \
                 nothing in this container talked to it in 5 recorded runs",
            ),
            (
                DriftKind::Identity,
                sample::identity(33, 0),
                "/bin/app (pid 4711) went from user 33 to 0; \
                 nothing in this container did that in 5 recorded runs",
            ),
            (
                DriftKind::Dns,
                sample::dns("pool.example"),
                "/bin/app (pid 4711) resolved the name pool.example to 192.0.2.7; \
                 nothing in this container asked for it in 5 recorded runs",
            ),
            (
                DriftKind::ContainerEscape,
                sample::escape("/system.slice"),
                "/bin/app (pid 4711) was moved out of its container, to the cgroup /system.slice; \
                 nothing in this container was moved there in 5 recorded runs",
            ),
        ] {
            assert_eq!(new(kind, &observation), expected);
        }
    }

    #[test]
    fn a_peer_is_told_by_its_name_too() {
        let mut named = sample::connect("/usr/bin/curl", "192.0.2.7:443");
        if let Behaviour::Connect(connect) = &mut named.behaviour {
            connect.name = Some("pool.example".into());
        }
        assert_eq!(
            new(DriftKind::NetConnect, &named),
            "/usr/bin/curl (pid 4711) connected to tcp 192.0.2.7:443 (pool.example); \
             nothing in this container talked to it in 5 recorded runs"
        );
    }

    #[test]
    fn why_and_the_nearest_entry_are_part_of_it() {
        let observation = sample::read("/etc/shadow");
        let mut finding = sample::finding(DriftKind::FileRead, Novelty::Container, &observation);
        finding.nearest = Some("cat read only /etc/motd".to_owned());
        assert_eq!(
            sentence(&sample::context(), &observation, &finding, Some("it holds hashes")),
            "/usr/bin/cat (pid 4711) read /etc/shadow: it holds hashes; nothing in this \
             container read it in 5 recorded runs; cat read only /etc/motd"
        );
    }
}
