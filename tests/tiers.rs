//! Every tier records the same program as the same baseline, but for the differences that ARCHITECTURE.md lists.

use std::{
    collections::BTreeSet, fs, net::TcpListener, os::unix::fs::PermissionsExt, path::PathBuf,
    process::Command, sync::Mutex,
};

use serde_json::Value;
use support::{Lab, actor, can_load, driftline, free_port, knock, skip};

/// What this machine's probes are like, as far as it shows in a baseline.
struct Machine {
    /// Opens are seen where the permission is checked, and not where the call returns.
    opens_at_check: bool,
    /// Lockdown forbids reading the kernel's memory.
    confidential: bool,
}

impl Machine {
    fn new() -> Self {
        let report = check();
        let of = |name: &str| {
            let all = report["behaviours"].as_array().expect("behaviours");
            all.iter().find(|one| one["behaviour"] == name).expect("every behaviour").clone()
        };
        let confidential = of("exec")["refused"].to_string().contains("lockdown forbids reading");
        Self { opens_at_check: of("open")["probe"] == "fentry/security_file_open", confidential }
    }
}

/// A line of the baseline that is not the same on every tier: ARCHITECTURE.md, "Differences between the tiers".
struct Difference {
    is_here: fn(&Machine) -> bool,
    /// What stands everywhere else.
    elsewhere: &'static str,
    /// What stands here instead.
    here: Option<&'static str>,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        is_here: |machine| !machine.opens_at_check,
        elsewhere: "/usr/bin/cat read LAB/no-device",
        here: None,
    },
    Difference {
        is_here: |machine| machine.confidential,
        elsewhere: "/usr/bin/cat read_denied LAB/secret",
        here: Some("/usr/bin/cat read_denied …/secret"),
    },
    Difference {
        is_here: |machine| machine.confidential,
        elsewhere: "ACTOR read LAB/root/inner",
        here: Some("ACTOR read /inner"),
    },
];

/// The baseline of the program below, as the first choice of every probe sees it.
const EXPECTED: &[&str] = &[
    "ACTOR accept tcp :OWN from 127.0.0.1",
    "ACTOR args ACTOR LAB/plan",
    "ACTOR connect tcp 127.0.0.1:PEER",
    "ACTOR listen tcp 127.0.0.1:OWN",
    "ACTOR parents (entrypoint)",
    "ACTOR read LAB/plan",
    "ACTOR read LAB/root/inner",
    "ACTOR write LAB/written",
    "/usr/bin/cat args cat ./secret",
    "/usr/bin/cat args cat /proc/self/status",
    "/usr/bin/cat args cat input",
    "/usr/bin/cat args cat no-device",
    "/usr/bin/cat parents /usr/bin/dash",
    "/usr/bin/cat parents /usr/bin/setpriv",
    "/usr/bin/cat parents /usr/bin/unshare",
    "/usr/bin/cat read /proc/self/status",
    "/usr/bin/cat read LAB/input",
    "/usr/bin/cat read LAB/no-device",
    "/usr/bin/cat read_denied LAB/secret",
    "/usr/bin/cp args cp /bin/true gone",
    "/usr/bin/cp parents /usr/bin/dash",
    "/usr/bin/cp write LAB/gone",
    "/usr/bin/dash args /bin/sh LAB/work.sh one two",
    "/usr/bin/dash parents ACTOR",
    "/usr/bin/dash read LAB/gone",
    "/usr/bin/dash read LAB/work.sh",
    "/usr/bin/dash write LAB/output",
    "/usr/bin/echo args /bin/echo LONG '' last",
    "/usr/bin/echo parents /usr/bin/dash",
    "/usr/bin/mknod args mknod no-device c 241 7",
    "/usr/bin/mknod parents /usr/bin/dash",
    "/usr/bin/rm args rm gone",
    "/usr/bin/rm parents /usr/bin/dash",
    "/usr/bin/setpriv args setpriv --reuid=65534 --clear-groups cat ./secret",
    "/usr/bin/setpriv parents /usr/bin/dash",
    "/usr/bin/setpriv read /proc/self/status",
    "/usr/bin/unshare args unshare --pid --fork --mount-proc cat /proc/self/status",
    "/usr/bin/unshare parents /usr/bin/dash",
    "LAB/gone args /proc/self/fd/{num} fileless",
    "LAB/gone fileless",
    "LAB/gone parents /usr/bin/dash",
    "unshare (denied)",
];

fn check() -> Value {
    let output = Command::new(driftline()).args(["check", "--json"]).output().expect("it runs");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The program: it runs, reads, writes, is refused, talks, and does it by detours.
fn plan(lab: &Lab, peer: u16, own: u16) -> PathBuf {
    let root = lab.path("root");
    fs::create_dir(&root).expect("a directory");
    for name in ["input", "secret", "root/inner"] {
        lab.write(name, "x");
    }
    let nobodys = fs::Permissions::from_mode(0o600);
    fs::set_permissions(lab.path("secret"), nobodys).expect("the file is ours");
    let lab_path = lab.path("").display().to_string();
    // The long word takes several turns where strings are read in pieces.
    let long = "long".repeat(300);
    let script = lab.write(
        "work.sh",
        &format!(
            "#!/bin/sh\n\
             cd {lab_path}\n\
             cat input >output\n\
             /bin/echo {long} '' last >/dev/null\n\
             setpriv --reuid=65534 --clear-groups cat ./secret 2>/dev/null\n\
             mknod no-device c 241 7; cat no-device 2>/dev/null\n\
             cp /bin/true gone; exec 9<gone; rm gone; /proc/self/fd/9 fileless\n\
             unshare --pid --fork --mount-proc cat /proc/self/status >/dev/null\n\
             exit 0\n",
        ),
    );
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("the script is ours");
    let steps = [
        format!("run {} one two", script.display()),
        format!("connect 127.0.0.1:{peer}"),
        format!("listen 127.0.0.1:{own}"),
        format!("write {}", lab.path("written").display()),
        format!("chroot {}", root.display()),
        "read /inner".to_owned(),
        "seccomp-deny-unshare".to_owned(),
        "unshare".to_owned(),
    ];
    lab.write("plan", &steps.join("\n"))
}

/// What is compared; changes and mappings have tests of their own.
const TOLD: &[&str] = &[
    "parents",
    "args",
    "fileless",
    "read",
    "read_denied",
    "write",
    "write_denied",
    "connect",
    "listen",
    "accept",
];

/// What a baseline says of who ran what, of the lab, and of the network: a line for each.
fn lines(lab: &Lab, peer: u16, own: u16) -> BTreeSet<String> {
    let files = fs::read_dir(lab.baselines()).expect("a directory");
    let file = files
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "json"))
        .expect("a baseline");
    let baseline = fs::read_to_string(file).expect("a baseline");
    let baseline: Value = serde_json::from_str(&baseline).expect("JSON");
    let lab = lab.path("").display().to_string();
    let actor = actor().canonicalize().expect("the actor is there").display().to_string();
    let ports = [(peer, "PEER"), (own, "OWN")];
    let plain = |text: &str| {
        let text = text.replace(&lab, "LAB/").replace("/var/tmp/driftline-tests/{rand:9}/", "LAB/");
        let text = text.replace(&actor, "ACTOR");
        ports
            .iter()
            .fold(text, |text, (port, name)| text.replace(&format!(":{port}"), &format!(":{name}")))
    };
    let mut lines = BTreeSet::new();
    for (executable, does) in baseline["executables"].as_object().expect("executables") {
        for (what, objects) in does.as_object().expect("an object") {
            if !TOLD.contains(&what.as_str()) {
                continue;
            }
            if what == "fileless" {
                lines.insert(format!("{} fileless", plain(executable)));
                continue;
            }
            for object in objects.as_object().expect("an object").keys() {
                let object = plain(object);
                // Libraries and what they read differ between machines.
                let is_file = what.starts_with("read") || what.starts_with("write");
                let told =
                    ["LAB/", "…", "/status", "/inner"].iter().any(|part| object.contains(part));
                if told || !is_file {
                    lines.insert(format!("{} {what} {object}", plain(executable)));
                }
            }
        }
    }
    if baseline["syscalls"].get("unshare (denied)").is_some() {
        lines.insert("unshare (denied)".to_owned());
    }
    lines
}

fn records_as_listed() {
    let lab = Lab::new();
    let peer = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (peer, own) = (peer.local_addr().expect("an address").port(), free_port());
    let plan = plan(&lab, peer, own);
    let actor = actor();
    let command = [actor.to_str().expect("UTF-8"), plan.to_str().expect("UTF-8")];
    let output = std::thread::scope(|scope| {
        scope.spawn(|| knock(own));
        lab.record(&command).output().expect("driftline runs")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");

    let machine = Machine::new();
    let mut expected: BTreeSet<_> =
        EXPECTED.iter().map(|line| line.replace("LONG", &"long".repeat(300))).collect();
    for difference in DIFFERENCES {
        assert!(expected.contains(difference.elsewhere), "{}", difference.elsewhere);
        if (difference.is_here)(&machine) {
            expected.remove(difference.elsewhere);
            expected.extend(difference.here.map(str::to_owned));
        }
    }
    let found = lines(&lab, peer, own);
    let missing: Vec<_> = expected.difference(&found).collect();
    let unexpected: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && unexpected.is_empty(),
        "missing: {missing:#?}, unexpected: {unexpected:#?}\n{said}"
    );
}

/// Switches the kernel's function tracing off, as a test may in a virtual machine only: trampolines then attach and never
/// fire.
struct NoTracing;

const TRACING: &str = "/proc/sys/kernel/ftrace_enabled";

impl NoTracing {
    fn new() -> Option<Self> {
        if std::env::var_os("DRIFTLINE_IN_VM").is_none() {
            skip("function tracing is switched off in virtual machines only");
            return None;
        }
        fs::write(TRACING, "0").expect("function tracing can be switched off");
        Some(Self)
    }
}

impl Drop for NoTracing {
    fn drop(&mut self) {
        fs::write(TRACING, "1").expect("function tracing can be switched on");
    }
}

/// The tests change what the machine is like: one after another.
static MACHINE: Mutex<()> = Mutex::new(());

#[test]
fn every_tier_records_the_same() {
    let _alone = MACHINE.lock();
    if can_load() {
        records_as_listed();
    }
}

#[test]
fn a_probe_that_stays_silent_is_replaced() {
    let _alone = MACHINE.lock();
    if !can_load() {
        return;
    }
    let confidential = Machine::new().confidential;
    let Some(_no_tracing) = NoTracing::new() else { return };
    let report = check();
    let silent = "fentry/security_file_open: attached, but did not fire when it was tried";
    let open = &report["behaviours"][2];
    assert_eq!(open["refused"][0], silent, "{report:#}");
    if confidential {
        // There is no other, neither for opens nor for execs, without which nothing can be attributed.
        assert_eq!(open["tier"], "blind", "{report:#}");
        assert_eq!(report["usable"], false);
        let lab = Lab::new();
        let output = lab.record(&["true"]).output().expect("driftline runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(120), "{said}");
        assert!(said.contains("Exec") && said.contains("did not fire"), "{said}");
    } else {
        assert_eq!(open["probe"], "tp_btf/sys_exit (open)", "{report:#}");
        assert_eq!(report["tier"], "restricted");
        records_as_listed();
    }
}
