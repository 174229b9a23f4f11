//! The rows of CONVENTIONS.md section 5 that today's kinds can express, each as a drift.

use super::super::Severity;
use super::super::file::is_technique;
use super::*;
use crate::behaviour::{Behaviour, Observation};
use crate::drift::{Novelty, sample};

fn grade(kind: DriftKind, novelty: Novelty, observation: &Observation) -> (Severity, Vec<&str>) {
    let finding = sample::finding(kind, novelty, observation);
    let verdict = Table::builtin().verdict(observation, &finding);
    (verdict.severity, verdict.techniques.iter().map(String::as_str).collect())
}

#[track_caller]
fn new(kind: DriftKind, observation: &Observation, severity: Severity, techniques: &[&str]) {
    assert_eq!(grade(kind, Novelty::Container, observation), (severity, techniques.to_vec()));
}

use DriftKind::{
    Exec, ExecArgs, ExecFileless, ExecNotInImage, FileDelete, FileLink, FileMapExec, FileMeta,
    FileRead, FileWrite, NetAccept, NetConnect, NetListen, SyscallAbi,
};
use Severity::{Critical, High, Info, Low, Medium};

#[test]
fn programs_are_graded_as_the_conventions_say() {
    let run = |program, parent| sample::exec(program, &[program], Some(parent));
    new(Exec, &run("/usr/bin/sort", "/bin/app"), Low, &["T1059"]);
    new(Exec, &run("/usr/bin/id", "/bin/app"), Medium, &["T1033", "T1059"]);
    new(Exec, &run("/usr/bin/curl", "/bin/app"), Medium, &["T1105"]);
    new(Exec, &run("/usr/bin/dash", "/bin/app"), Medium, &["T1059.004"]);
    new(Exec, &run("/usr/bin/dash", "/usr/sbin/nginx"), Critical, &["T1059.004", "T1505.003"]);
    new(Exec, &run("/bin/bash", "/usr/bin/python3.11"), Critical, &["T1059.004", "T1505.003"]);
    new(Exec, &run("/dev/shm/x", "/bin/app"), High, &["T1059.004"]);
    new(Exec, &run("/tmp/a/b", "/bin/app"), High, &["T1059.004"]);
    new(ExecFileless, &run("memfd:x", "/bin/app"), Critical, &["T1620"]);
    new(ExecArgs, &run("/usr/bin/sort", "/bin/app"), Low, &["T1059"]);
}

#[test]
fn a_script_in_tmp_counts_as_a_program_there() {
    let mut observation = sample::exec("/usr/bin/dash", &["sh", "./x"], Some("/bin/app"));
    if let Behaviour::Exec(exec) = &mut observation.behaviour {
        exec.cwd = "/var/lib".to_owned();
        exec.given = "../../tmp/./x".to_owned();
    }
    new(Exec, &observation, High, &["T1059.004"]);
}

#[test]
fn busybox_is_known_by_its_applets() {
    let observation = sample::exec("/bin/busybox", &["sh", "-c", "id"], Some("/usr/sbin/nginx"));
    new(Exec, &observation, Critical, &["T1059.004", "T1505.003"]);
    // By the word behind its own name as well.
    let named = sample::exec("/bin/busybox", &["/bin/busybox", "wget", "x"], Some("/bin/app"));
    new(Exec, &named, Medium, &["T1105"]);
    let alone = sample::exec("/bin/busybox", &["busybox"], Some("/bin/app"));
    new(Exec, &alone, Low, &["T1059"]);
}

#[test]
fn files_are_graded_as_the_conventions_say() {
    for (path, severity, techniques) in [
        ("/etc/shadow", High, &["T1003.008"][..]),
        ("/run/secrets/kubernetes.io/serviceaccount/token", High, &["T1528", "T1552.007"]),
        ("/root/.ssh/id_ed25519", High, &["T1552.004"]),
        ("/root/.aws/credentials", High, &["T1552.001"]),
        ("/proc/12/environ", Medium, &["T1552.001"]),
        ("/proc/12/mem", High, &["T1055.009", "T1003.007"]),
        ("/srv/data", Low, &["T1005"]),
        ("/usr/lib/x86_64-linux-gnu/libselinux.so.1", Info, &[]),
    ] {
        new(FileRead, &sample::read(path), severity, techniques);
    }
    for (path, severity, techniques) in [
        ("/etc/motd", Medium, &["T1098"][..]),
        ("/home/app/.bashrc", Medium, &["T1546.004"]),
        ("/etc/passwd", High, &["T1136.001"]),
        ("/etc/sudoers", High, &["T1548.003"]),
        ("/root/.ssh/authorized_keys", High, &["T1098.004"]),
        ("/etc/cron.d/x", High, &["T1053.003"]),
        ("/etc/ld.so.preload", Critical, &["T1574.006"]),
        ("/usr/bin/ls", Critical, &["T1554"]),
        ("/docker-entrypoint.sh", Critical, &["T1554"]),
        ("/var/log/auth.log", Medium, &["T1070", "T1685.006"]),
        ("/sys/fs/cgroup/rdma/release_agent", Critical, &["T1611"]),
        ("/proc/sys/kernel/core_pattern", Critical, &["T1611"]),
        ("/tmp/x", Low, &[]),
    ] {
        new(FileWrite, &sample::write(path), severity, techniques);
    }
}

#[test]
fn changes_of_files_are_graded_by_what_they_allow() {
    use crate::behaviour::Operation::{Delete, HardLink, Mode, Owner, Rename, SymbolicLink};
    let text = |path: &str| path.to_owned();
    for (path, operation, kind, severity, techniques) in [
        ("/srv/x", Mode(0o4755), FileMeta, High, &["T1548.001"][..]),
        ("/srv/x", Mode(0o2755), FileMeta, High, &["T1548.001"]),
        ("/tmp/x", Mode(0o755), FileMeta, Medium, &["T1222.002"]),
        ("/tmp/x", Mode(0o644), FileMeta, Low, &["T1222.002"]),
        ("/etc/shadow", Mode(0o644), FileMeta, High, &["T1222.002"]),
        ("/etc/shadow", Owner, FileMeta, High, &["T1222.002"]),
        ("/var/log/auth.log", Delete, FileDelete, Medium, &["T1070.004", "T1685.006"]),
        ("/usr/bin/ps", Delete, FileDelete, Medium, &["T1485"]),
        ("/srv/x", Delete, FileDelete, Low, &["T1070.004"]),
        ("/tmp/x", SymbolicLink(text("/etc/shadow")), FileLink, High, &["T1003.008", "T1552.001"]),
        ("/tmp/x", HardLink(text("/etc/shadow")), FileLink, High, &["T1003.008", "T1552.001"]),
        ("/usr/bin/ls", Rename(text("/tmp/x")), FileLink, Critical, &["T1554"]),
        ("/etc/ld.so.preload", Rename(text("/tmp/x")), FileLink, Critical, &["T1574.006"]),
        ("/var/log/a.1", Rename(text("/var/log/a")), FileLink, Medium, &["T1070", "T1685.006"]),
        ("/srv/x", Rename(text("/srv/y")), FileLink, Low, &[]),
    ] {
        new(kind, &sample::change(operation, path), severity, techniques);
    }
    for (path, severity, techniques) in [
        ("/tmp/x.so", High, &["T1129", "T1574.006"][..]),
        ("/srv/x.so (deleted)", High, &["T1129", "T1574.006"]),
        ("/memfd:x (deleted)", Medium, &["T1620"]),
        ("/usr/lib/libssl.so.3", Info, &[]),
        ("/srv/x.so", Low, &["T1129"]),
    ] {
        new(FileMapExec, &sample::map(path), severity, techniques);
    }
    let dropped = sample::exec("/dropped/x", &["x"], Some("/bin/app"));
    new(ExecNotInImage, &dropped, Critical, &["T1036", "T1105"]);
}

#[test]
fn peers_are_graded_as_the_conventions_say() {
    for (peer, severity, techniques) in [
        ("169.254.169.254:80", Critical, &["T1552.005"][..]),
        ("203.0.113.7:443", Medium, &["T1071"]),
        ("[2001:db8::1]:443", Medium, &["T1071"]),
        ("127.0.0.1:9000", Medium, &["T1071"]),
        ("10.1.2.3:5432", High, &["T1021"]),
        ("10.96.0.1:443", High, &["T1613"]),
        ("192.0.2.1:6443", High, &["T1613"]),
        ("203.0.113.7:22", High, &["T1021.004"]),
        ("203.0.113.7:14444", Critical, &["T1496"]),
    ] {
        new(NetConnect, &sample::connect("/bin/app", peer), severity, techniques);
    }
    let by_shell = sample::connect("/usr/bin/bash", "127.0.0.1:9000");
    new(NetConnect, &by_shell, Critical, &["T1059.004"]);
    new(NetListen, &sample::listen("0.0.0.0:31337"), High, &["T1571"]);
    new(NetAccept, &sample::accept("0.0.0.0:80", "10.0.0.9:5555"), Medium, &["T1021"]);
}

#[test]
fn system_calls_are_graded_as_the_conventions_say() {
    for (name, severity, techniques) in [
        ("ptrace", High, &["T1055.008"][..]),
        ("process_vm_readv", High, &["T1055"]),
        ("finit_module", Critical, &["T1547.006", "T1014"]),
        ("bpf", High, &["T1014"]),
        ("perf_event_open", High, &["T1014"]),
        ("unshare", High, &["T1611"]),
        ("setns", High, &["T1611"]),
        ("mknodat", High, &["T1611"]),
        ("memfd_create", Low, &["T1620"]),
        ("keyctl", Medium, &["T1555"]),
        ("io_uring_setup", Medium, &["T1106"]),
        ("userfaultfd", High, &["T1068"]),
        ("sethostname", Low, &["T1106"]),
        ("getuid", Info, &[]),
    ] {
        new(DriftKind::Syscall, &sample::syscall(name), severity, techniques);
    }
    new(SyscallAbi, &sample::syscall("foreign_4"), High, &["T1106"]);
}

#[test]
fn sockets_and_users_are_graded_as_the_conventions_say() {
    for (observation, severity, techniques) in [
        (sample::socket(17, 3, 768), High, &["T1040"][..]),
        (sample::socket(2, 3, 1), High, &["T1040"]),
        (sample::socket(2, 1, 6), Low, &["T1106"]),
        (sample::socket(38, 5, 0), High, &["T1068"]),
        (sample::socket(16, 3, 0), Info, &[]),
    ] {
        new(DriftKind::NetSocket, &observation, severity, techniques);
    }
    for (peer, severity, techniques) in [
        ("/var/run/docker.sock", Critical, &["T1610", "T1611"][..]),
        ("/run/containerd/containerd.sock", Critical, &["T1610", "T1611"]),
        ("/run/postgresql/.s.PGSQL.5432", Medium, &["T1559"]),
        ("/dev/log", Info, &[]),
    ] {
        new(DriftKind::NetUnix, &sample::unix(peer), severity, techniques);
    }
    for (from, to, severity, techniques) in [
        (33, 0, High, &["T1548.001"][..]),
        (0, 33, Medium, &["T1548"]),
        (0, 100, Medium, &["T1548"]),
    ] {
        new(DriftKind::Identity, &sample::identity(from, to), severity, techniques);
    }
    for (number, severity, techniques) in [
        (16, Critical, &["T1068", "T1611"][..]),
        (21, High, &["T1548", "T1611"]),
        (13, Medium, &["T1548"]),
        (0, Low, &["T1548"]),
    ] {
        new(DriftKind::Capability, &sample::capability(number), severity, techniques);
    }
    new(DriftKind::ContainerEscape, &sample::escape("/"), Critical, &["T1611"]);
}

#[test]
fn what_another_program_of_the_container_did_before_is_info_unless_it_is_sensitive() {
    let seen = |kind, observation: &Observation| grade(kind, Novelty::Executable, observation).0;
    assert_eq!(seen(FileRead, &sample::read("/srv/data")), Info);
    assert_eq!(seen(FileRead, &sample::read("/etc/passwd")), Info);
    assert_eq!(seen(FileRead, &sample::read("/etc/shadow")), High);
    assert_eq!(seen(FileWrite, &sample::write("/etc/motd")), Medium);
    assert_eq!(seen(FileWrite, &sample::write("/var/log/app.log")), Medium);
    assert_eq!(seen(NetConnect, &sample::connect("/bin/app", "10.1.2.3:5432")), Info);
    assert_eq!(seen(NetConnect, &sample::connect("/bin/app", "169.254.169.254:80")), Critical);
    assert_eq!(seen(NetConnect, &sample::connect("/bin/bash", "10.1.2.3:5432")), Critical);
}

#[test]
fn every_kind_has_a_default_and_every_id_is_well_formed() {
    assert_eq!(Table::builtin().framework_version(), "19");
    for id in ["T1059", "T1059.004"] {
        assert!(is_technique(id), "{id}");
    }
    for id in ["", "T", "1059", "T105", "T1059.4", "T1059.0044", "T1059.", "t1059", "T10x9"] {
        assert!(!is_technique(id), "{id}");
    }
}

#[test]
fn every_rule_has_the_name_that_events_say() {
    let shell = sample::exec("/usr/bin/dash", &["sh"], Some("/usr/sbin/nginx"));
    let finding = sample::finding(Exec, Novelty::Container, &shell);
    assert_eq!(&*Table::builtin().verdict(&shell, &finding).rule, "shell-by-server");
    assert_eq!(&*Table::builtin().default_of(NetListen).rule, "default/net.listen");
}

/// A user's file, as far as it is not the same in all of them.
fn own(rest: &str) -> anyhow::Result<Table> {
    let file = format!(r#"{{"schema_version": "driftline.rules/v1", "version": "acme-3"{rest}}}"#);
    Table::over_builtin(file.as_bytes())
}

#[test]
fn a_file_is_laid_over_what_is_built_in() {
    let table = own(r#",
        "framework_version": "20",
        "sets": {"shells": ["acmesh"]},
        "rules": [
          {"name": "ledger", "kinds": ["file.read"], "paths": ["/srv/ledger/*"], "always": true,
           "severity": "critical", "techniques": ["T1005"], "why": "it is our money"},
          {"name": "password-hashes", "kinds": ["file.read"], "paths": ["/etc/shadow"], "severity": "info"}],
        "defaults": {"dns": {"severity": "critical"}},
        "refused_baseline": {"severity": "low"}"#)
    .unwrap();
    assert_eq!((table.version(), table.framework_version()), ("1+acme-3", "20"));
    let verdict = |kind, observation: &Observation| {
        let finding = sample::finding(kind, Novelty::Container, observation);
        let always = table.is_always_told(observation, &finding);
        let verdict = table.verdict(observation, &finding);
        (verdict.rule.to_string(), verdict.severity, always)
    };
    let (ledger, shadow) = (sample::read("/srv/ledger/7"), sample::read("/etc/shadow"));
    assert_eq!(verdict(FileRead, &ledger), ("ledger".to_owned(), Critical, true));
    assert_eq!(verdict(FileRead, &shadow), ("password-hashes".to_owned(), Info, false));
    // A set that is replaced is so for the rules that are built in.
    let run = |program| sample::exec(program, &[program], Some("/usr/sbin/nginx"));
    assert_eq!(verdict(Exec, &run("/bin/acmesh")).0, "shell-by-server");
    assert_eq!(verdict(Exec, &run("/bin/bash")).0, "default/exec");
    assert_eq!(table.default_of(DriftKind::Dns).severity, Critical);
    assert_eq!(table.default_of(Exec).severity, Low);
    assert_eq!(table.of_refused().severity, Low);
    let nothing = own("").unwrap();
    assert_eq!(nothing.default_of(DriftKind::Dns), Table::builtin().default_of(DriftKind::Dns));
}

#[test]
fn a_file_with_a_mistake_is_refused_with_the_reason() {
    let rule = |rest: &str| {
        format!(r#", "rules": [{{"name": "x", "kinds": ["exec"], "severity": "low"{rest}}}]"#)
    };
    for (file, reason) in [
        (rule(r#", "names": ["@nosuch"]"#), "rule \"x\": no set nosuch"),
        (rule(r#", "techniques": ["T1"]"#), "T1 is not the id"),
        (rule(r#", "networks": ["10.0.0.0"]"#), "rule \"x\": a network is written ADDRESS/BITS"),
        (rule(r#", "sverity": "low""#), "unknown field `sverity`"),
        (rule(r#", "severity": "high""#), "severity"),
        (rule(r#", "syscalls": ["opneat"]"#), "\"opneat\" is no system call"),
        (rule(r#", "operations": ["remove"]"#), "\"remove\" is no operation; there are delete, "),
        (
            r#", "rules": [{"name": "x", "kinds": ["exce"], "severity": "low"}]"#.to_owned(),
            "unknown variant `exce`",
        ),
        (r#", "rules": [{"name": "x", "kinds": [], "severity": "low"}]"#.to_owned(), "of no kind"),
        (
            r#", "rules": [{"name": "x", "kinds": ["exec"], "severity": "grave"}]"#.to_owned(),
            "unknown variant `grave`",
        ),
        (
            r#", "rules": [{"kinds": ["exec"], "severity": "low"}]"#.to_owned(),
            "missing field `name`",
        ),
        (
            rule("").replace('}', r#"}, {"name": "x", "kinds": ["exec"], "severity": "low"}"#),
            "two rules are called \"x\"",
        ),
        (r#", "sets": {"a": [], "a": ["x"]}"#.to_owned(), "a"),
        (
            r#", "defaults": {"exec": {"severity": "low"}, "exec": {"severity": "low"}}"#
                .to_owned(),
            "exec",
        ),
        (r#", "defaults": {"exce": {"severity": "low"}}"#.to_owned(), "unknown variant `exce`"),
        (
            r#", "defaults": {"exec": {"severity": "low", "techniques": ["x"]}}"#.to_owned(),
            "default of exec: x is not",
        ),
        (r#", "version": "2""#.to_owned(), "version"),
    ] {
        let why = format!("{:#}", own(&file).expect_err(&file));
        assert!(why.contains(reason), "{file}: {why}");
    }
    for (bytes, reason) in [
        (&b"[]"[..], "no JSON object"),
        (b"{}", "missing field `schema_version`"),
        (
            br#"{"schema_version": "driftline.rules/v2", "version": "1"}"#,
            "is not \"driftline.rules/v1\"",
        ),
        (br#"{"schema_version": "driftline.rules/v1""#, "EOF"),
        (b"\xff", ""),
    ] {
        let why = format!("{:#}", Table::over_builtin(bytes).unwrap_err());
        assert!(why.contains(reason), "{why}");
    }
}
