//! What a bundle holds of a container that still runs: programs in memory, connections by their descriptors, the runtime's word.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    attacks::image,
    bundles::{bundles, evidence, extracted, lines},
    pods::{ContainerSpec, Node, PodSpec},
    told::{can_run, until},
};

/// A program out of memory, beside a listener and a connection.
const SCRIPT: &str = "import os,socket,subprocess,time\n\
    l=socket.create_server(('127.0.0.1',9000))\n\
    c=socket.create_connection(('127.0.0.1',9000))\n\
    u=socket.socket(socket.AF_UNIX); u.bind('/tmp/a socket')\n\
    time.sleep(1)\n\
    fd=os.memfd_create('kmod',0); os.write(fd,open('/bin/busybox','rb').read())\n\
    subprocess.run(['busybox','sleep','1000'],executable=f'/proc/{os.getpid()}/fd/{fd}')";

#[test]
fn a_program_in_memory_its_connections_and_the_runtimes_word_are_kept() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    node.import(std::slice::from_ref(image::built()));
    let log = node.directory().join("containerd.log");
    let log = log.to_str().expect("UTF-8");
    let watcher = Agent::start(&node, "watch", &[&EVENTS[..], &["--runtime-log", log]].concat());
    let container = ContainerSpec::new("app", image::ATTACKED);
    let container = container.command(&["/usr/bin/python3", "-c", SCRIPT]);
    let pod = node.run(PodSpec::new("shop", "server").container(container));
    until(Duration::from_secs(20), "a bundle", || !bundles(&node).is_empty());
    let all = bundles(&node);
    let bundle = extracted(&node, all[0]["id"].as_str().expect("an id"));

    let is_in_memory =
        |line: &&Value| line["path"].as_str().is_some_and(|path| path.contains("memfd:kmod"));
    let executables = lines(&bundle, "executables.json");
    let program = executables.iter().find(is_in_memory);
    let program = program.unwrap_or_else(|| panic!("not in {executables:#?}"));
    let piece = bundle.join(program["piece"].as_str().expect("with its content"));
    assert!(fs::read(piece).unwrap() == fs::read("/bin/busybox").unwrap(), "byte by byte");

    let processes = lines(&bundle, "processes.json");
    let python = processes.iter().find(|it| it["comm"] == "python3").expect("it waits");
    let sockets: Vec<_> = python["descriptors"]
        .as_array()
        .expect("it has some")
        .iter()
        .map(|descriptor| &descriptor["socket"])
        .collect();
    let has = |is: &dyn Fn(&Value) -> bool| {
        assert!(sockets.iter().any(|socket| is(socket)), "{sockets:#?}");
    };
    has(&|it| it["state"] == "LISTEN" && it["local"] == "127.0.0.1:9000");
    has(&|it| it["state"] == "ESTABLISHED" && it["remote"] == "127.0.0.1:9000");
    has(&|it| it["protocol"] == "unix" && it["path"] == "/tmp/a socket");

    let text = |piece: &str| {
        fs::read_to_string(bundle.join(piece))
            .unwrap_or_else(|error| panic!("{piece}: {error}; missing: {:#}", all[0]["missing"]))
    };
    assert!(text("runtime/log.0").contains("RunPodSandbox"), "{}", text("runtime/log.0"));
    assert!(text("runtime/0/status.json").contains("cniconfig"));
    assert!(text("network/container/hosts").contains("localhost"));
    assert_eq!(text("network/container/hostname").trim(), "server");
    watcher.stop();
    pod.remove();
}

/// On a machine whose runtime writes into the journal, nobody has to say where its log is.
#[test]
fn what_the_journal_has_of_the_runtime_is_kept() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    journal(&node);
    let watcher = Agent::start(&node, "watch", &EVENTS);
    watcher.stop();
    let done = evidence(&node, &["collect", "--node"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let all = bundles(&node);
    let bundle = extracted(&node, all[0]["id"].as_str().expect("an id"));
    let words = fs::read_to_string(bundle.join("runtime/journal"))
        .unwrap_or_else(|error| panic!("{error}; missing: {:#}", all[0]["missing"]));
    assert!(words.contains("shim disconnected"), "{words}");
    for absent in ["of long ago", "somebody else", "Zq7planted"] {
        assert!(!words.contains(absent), "{words}");
    }
}

/// A journal as systemd's own program writes it.
fn journal(node: &Node) {
    let machine = fs::read_to_string("/etc/machine-id").expect("systemd's journal needs one");
    let directory = node.outside("/run/log/journal").join(machine.trim());
    fs::create_dir_all(&directory).expect("the node's directory is writable");
    let now = Timestamp::now().as_microsecond();
    let entry = |ago: i64, unit: &str, words: &str| {
        format!(
            "__REALTIME_TIMESTAMP={}\n_SYSTEMD_UNIT={unit}\nSYSLOG_IDENTIFIER=it\nMESSAGE={words}\n\n",
            now - ago * 1_000_000
        )
    };
    let entries = [
        entry(3600, "containerd.service", "of long ago"),
        entry(20, "containerd.service", "shim disconnected"),
        entry(10, "cron.service", "somebody else"),
        entry(5, "containerd.service", "pulled with --password=Zq7planted"),
    ];
    let mut writer = Command::new("/lib/systemd/systemd-journal-remote")
        .arg("--output")
        .arg(directory.join("system.journal"))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("set-up installs it");
    let mut to = writer.stdin.take().expect("it was asked for");
    to.write_all(entries.concat().as_bytes()).expect("it reads");
    drop(to);
    assert!(writer.wait().expect("a child").success());
}
