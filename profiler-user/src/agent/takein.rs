//! Containers that ran before the agent did: their processes and listeners, from /proc.

use std::{collections::HashSet, fs, path::Path, sync::Arc};

use crate::{
    behaviour::{Listen, Process, Protocol},
    observe::Observer,
    redact::Redactor,
    sensor, sockets,
};

/// Programs that start containers: as long as nothing else runs in a cgroup, its entrypoint does not either.
const RUNTIMES: [&str; 4] = ["runc", "crun", "youki", "runsc"];

/// The processes of a container that are its own, and those by which its runtime is on the way in.
pub(super) fn own_and_runtimes(pids: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let known = pids.iter().filter_map(|pid| {
        let executable = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        Some((*pid, is_runtime(&executable, &command)))
    });
    let (runtimes, own): (Vec<_>, Vec<_>) = known.partition(|(_, is_runtime)| *is_runtime);
    let pid = |(pid, _)| pid;
    (own.into_iter().map(pid).collect(), runtimes.into_iter().map(pid).collect())
}

/// By the executable's link and the command line in /proc. runc runs itself through a mount of its own file that is not
/// in any tree: the link then reads `/`.
fn is_runtime(executable: &Path, command: &[u8]) -> bool {
    let is_known = |name: &str| RUNTIMES.contains(&name);
    if executable == Path::new("/") {
        let mut args = command.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let program = args.next().unwrap_or_default();
        return is_known(program.rsplit('/').next().unwrap_or_default())
            && args.next().is_some_and(|arg| arg == "init");
    }
    let name = executable.file_name().unwrap_or_default().to_string_lossy();
    // Where runc cannot mount, it copies itself into memory.
    is_known(name.trim_end_matches(" (deleted)")) || executable.starts_with("/memfd:runc_cloned:")
}

/// Tells the observer what runs and listens. What is gone by now is left out.
pub(super) fn take_in(observer: &mut Observer, container: u64, pids: &[u32], redactor: &Redactor) {
    let mut processes: Vec<_> = pids.iter().filter_map(|pid| process(*pid, redactor)).collect();
    // Parents first; the first process of a pid namespace has no parent in it.
    processes.sort_by_key(|process| (process.vpid, process.pid));
    for process in processes {
        observer.adopt(process);
    }
    // One network namespace for all of them, unless the container made more: the first process's will do.
    let Some(first) = pids.first() else { return };
    let sockets = sockets::of_namespace(*first);
    let mut told = HashSet::new();
    for pid in pids {
        for inode in sockets::inodes(*pid) {
            let Some(socket) = sockets.get(&inode).filter(|socket| socket.is_listener()) else {
                continue;
            };
            // Whoever has it first, as processes inherit it.
            if let Some(local) = socket.local.filter(|_| told.insert(inode)) {
                let port_chosen = !is_ephemeral(local.port());
                let listen = Listen { protocol: Protocol::Tcp, local, port_chosen };
                observer.adopt_listener(container, *pid, listen);
            }
        }
    }
}

fn process(pid: u32, redactor: &Redactor) -> Option<Process> {
    let directory = format!("/proc/{pid}");
    let executable = fs::read_link(format!("{directory}/exe")).ok()?;
    let status = fs::read_to_string(format!("{directory}/status")).ok()?;
    let command = fs::read(format!("{directory}/cmdline")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches(':').split_whitespace())
    };
    Some(Process {
        pid,
        vpid: field("NSpid").and_then(|mut ids| ids.next_back()?.parse().ok()),
        parent_pid: field("PPid").and_then(|mut ids| ids.next()?.parse().ok()).unwrap_or(0),
        uid: field("Uid").and_then(|mut ids| ids.next()?.parse().ok()).unwrap_or(0),
        executable: executable.to_string_lossy().into(),
        args: sensor::command_line(&command, redactor).into(),
        args_cut: false,
        ancestry: Arc::default(),
    })
}

/// Whether the kernel hands this port out by itself; who bound it is no longer known.
fn is_ephemeral(port: u16) -> bool {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = range.split_whitespace().filter_map(|bound| bound.parse::<u16>().ok());
    match (bounds.next(), bounds.next()) {
        (Some(low), Some(high)) => (low..=high).contains(&port),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Clock;

    #[test]
    fn a_runtime_on_its_way_in_is_no_program_of_the_containers() {
        for (executable, command, expected) in [
            ("/usr/sbin/runc", "runc\0init\0", true),
            ("/memfd:runc_cloned:/proc/self/exe (deleted)", "runc\0init\0", true),
            ("/usr/bin/crun", "/usr/bin/crun\0start\0", true),
            ("/", "/usr/sbin/runc\0init\0", true),
            ("/", "/usr/sbin/runc\0start\0", false),
            ("/", "/bin/sh\0init\0", false),
            ("/bin/sh", "/usr/sbin/runc\0init\0", false),
        ] {
            let found = is_runtime(Path::new(executable), command.as_bytes());
            assert_eq!(found, expected, "{executable} {command:?}");
        }
    }

    #[test]
    fn this_process_is_taken_in() {
        let redactor = Redactor::new([0; 32]);
        let own = process(std::process::id(), &redactor).unwrap();
        assert!(own.executable.contains("driftline") || own.executable.contains("profiler"));
        assert_eq!(own_and_runtimes(&[own.pid]), (vec![own.pid], Vec::new()));
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut observer = Observer::new(Clock::now().unwrap());
        take_in(&mut observer, 1, &[own.pid], &redactor);
        drop(socket);
    }
}
