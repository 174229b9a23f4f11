//! What `/proc` says of the processes of a container. Arguments are redacted; of the environment there are only names.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{json, unread};
use crate::evidence::Collected;
use crate::evidence::bundle::Spool;
use crate::redact::Redactor;
use crate::sockets::{self, Socket};

/// Of one file in `/proc`, in bytes.
const FILE_MAX: u64 = 4 << 20;
/// Of a process's arguments, and of its environment.
const WORDS_MAX: u64 = 256 << 10;
/// Of what is said of a descriptor.
const INFO_MAX: u64 = 4 << 10;
const PROCESSES_MAX: usize = 4096;
/// Arguments, names of variables and descriptors of all processes together, in bytes: a container may have thousands with as much
/// as the kernel lets them have.
const TOLD_MAX: usize = 8 << 20;
/// What `/proc` says of each, of all together.
const TEXTS_MAX: usize = 64 << 20;

#[derive(Default, Serialize)]
struct Process {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    comm: String,
    /// Redacted.
    args: Vec<String>,
    environment_names: Vec<String>,
    executable: Option<String>,
    cwd: Option<String>,
    root: Option<String>,
    /// In clock ticks since the machine started: field 22 of `stat`.
    start_ticks: Option<u64>,
    namespaces: Vec<String>,
    descriptors: Vec<Descriptor>,
}

#[derive(Serialize)]
struct Descriptor {
    number: u32,
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<Socket>,
    info: String,
}

/// The sockets of each network namespace, by what its link reads.
type Sockets = HashMap<PathBuf, HashMap<u64, Socket>>;

/// Every process of a cgroup and of those below it.
pub fn pids(cgroup: &Path) -> Vec<u32> {
    let mut found = Vec::new();
    if let Ok(text) = fs::read_to_string(cgroup.join("cgroup.procs")) {
        found.extend(
            text.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid > 0),
        );
    }
    let below = fs::read_dir(cgroup).into_iter().flatten().flatten();
    for entry in below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        found.extend(pids(&entry.path()));
    }
    found
}

pub(super) fn collect(spool: &mut Spool, pids: &[u32], redactor: &Redactor) -> io::Result<()> {
    let mut all = Collected::default();
    if pids.len() > PROCESSES_MAX {
        let why = format!("{} processes run, and {PROCESSES_MAX} are told of", pids.len());
        all.missing("processes.json", why);
    }
    let (mut room, mut cut) = (TOLD_MAX, 0);
    let mut processes = Vec::new();
    for pid in pids.iter().take(PROCESSES_MAX) {
        let Some(mut process) = process(*pid, redactor) else { continue };
        let words = process.args.iter().chain(&process.environment_names);
        let size = words.map(|word| word.len() + 16).sum();
        if let Some(left) = room.checked_sub(size) {
            room = left;
        } else {
            (process.args, process.environment_names) = (Vec::new(), Vec::new());
            cut += 1;
        }
        processes.push(process);
    }
    let mut sockets = Sockets::new();
    for process in &mut processes {
        let descriptors = descriptors(process.pid, &mut sockets, redactor);
        let size = descriptors.iter().map(|one| one.to.len() + one.info.len() + 128).sum();
        if let Some(left) = room.checked_sub(size) {
            room = left;
            process.descriptors = descriptors;
        } else {
            cut += 1;
        }
    }
    if cut > 0 {
        let why =
            format!("{cut} lists of arguments or descriptors had no room in {TOLD_MAX} bytes");
        all.missing("processes.json", why);
    }
    if processes.is_empty() {
        all.missing("processes.json", "no process of it runs any more");
        return spool.add(all);
    }
    match json(&processes) {
        Ok(text) => all.piece("processes.json", text),
        Err(error) => all.missing("processes.json", error.to_string()),
    }
    // One network and one mount namespace: that of the first.
    if let Some(Process { pid, .. }) = processes.first() {
        text(&mut all, "mountinfo", *pid, "mountinfo", redactor);
        for file in ["tcp", "tcp6", "udp", "udp6", "unix"] {
            text(&mut all, &format!("sockets/{file}"), *pid, &format!("net/{file}"), redactor);
        }
    }
    spool.add(all)?;
    texts(spool, &processes, redactor)
}

/// What the kernel says of each process, written as it comes.
fn texts(spool: &mut Spool, processes: &[Process], redactor: &Redactor) -> io::Result<()> {
    let mut room = TEXTS_MAX;
    for (at, Process { pid, .. }) in processes.iter().enumerate() {
        if room == 0 {
            let why =
                format!("{} processes had no room in {TEXTS_MAX} bytes", processes.len() - at);
            spool.missing("processes/", why);
            break;
        }
        let mut all = Collected::default();
        for file in ["status", "maps"] {
            text(&mut all, &format!("processes/{pid}/{file}"), *pid, file, redactor);
        }
        let size: usize = all.pieces.iter().map(|piece| piece.content.len()).sum();
        room = room.saturating_sub(size);
        spool.add(all)?;
    }
    Ok(())
}

fn text(all: &mut Collected, name: &str, pid: u32, file: &str, redactor: &Redactor) {
    let path = Path::new("/proc").join(pid.to_string()).join(file);
    match read(&path, FILE_MAX) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines = text.lines().map(|line| redactor.redact_text(line) + "\n");
            all.piece(name, lines.collect::<String>());
            if bytes.len() as u64 == FILE_MAX {
                all.missing(name, format!("it was cut at {FILE_MAX} bytes"));
            }
        }
        Err(error) => all.missing.push(unread(name, &path, &error)),
    }
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// None where it has ended.
fn process(pid: u32, redactor: &Redactor) -> Option<Process> {
    let directory = Path::new("/proc").join(pid.to_string());
    let status =
        String::from_utf8_lossy(&read(&directory.join("status"), FILE_MAX).ok()?).into_owned();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    let number = |name, at: usize| field(name)?.get(at)?.parse().ok();
    let words = |file: &str| {
        let bytes = read(&directory.join(file), WORDS_MAX).unwrap_or_default();
        let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>()
    };
    let link = |file: &str| {
        let target = fs::read_link(directory.join(file)).ok()?;
        Some(redactor.redact_text(&target.to_string_lossy()))
    };
    let stat = read(&directory.join("stat"), FILE_MAX).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    // The name in parentheses may hold anything, so what follows is counted from the last one.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let names = words("environ").into_iter().filter_map(|word| {
        let (name, _) = word.split_once('=')?;
        Some(redactor.redact_text(name))
    });
    let spaces = fs::read_dir(directory.join("ns")).into_iter().flatten().flatten();
    let mut namespaces: Vec<_> = spaces
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    namespaces.sort();
    Some(Process {
        pid,
        parent_pid: number("PPid", 0).and_then(|pid: u64| u32::try_from(pid).ok()),
        vpid: field("NSpid").and_then(|all| all.last()?.parse().ok()),
        uid: number("Uid", 0).and_then(|uid: u64| u32::try_from(uid).ok()),
        comm: field("Name").map(|words| redactor.redact_text(&words.join(" "))).unwrap_or_default(),
        args: redactor.redact_args(words("cmdline")),
        environment_names: names.collect(),
        executable: link("exe"),
        cwd: link("cwd"),
        root: link("root"),
        start_ticks: after.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()),
        namespaces,
        descriptors: Vec::new(),
    })
}

fn descriptors(pid: u32, sockets: &mut Sockets, redactor: &Redactor) -> Vec<Descriptor> {
    let directory = Path::new("/proc").join(pid.to_string());
    let namespace = fs::read_link(directory.join("ns/net")).unwrap_or_default();
    let sockets = sockets.entry(namespace).or_insert_with(|| sockets::of_namespace(pid));
    let socket = |to: &str| {
        let mut socket = sockets.get(&sockets::inode(to)?)?.clone();
        socket.path = socket.path.map(|path| redactor.redact_text(&path));
        Some(socket)
    };
    let entries = fs::read_dir(directory.join("fd")).into_iter().flatten().flatten();
    let mut all: Vec<_> = entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let to = fs::read_link(entry.path()).ok()?;
            let info = read(&directory.join(format!("fdinfo/{number}")), INFO_MAX);
            let info = info.unwrap_or_default();
            let to = redactor.redact_text(&to.to_string_lossy());
            let info = redactor.redact_text(&String::from_utf8_lossy(&info));
            Some(Descriptor { number, socket: socket(&to), to, info })
        })
        .take(4096)
        .collect();
    all.sort_by_key(|descriptor| descriptor.number);
    all
}
