//! An intruder looks around.

use super::{
    How::{C, Perl, Python, Shell},
    Step, step,
};

pub(super) const STEPS: &[Step] = &[
    step("asks who it is", Shell("/usr/bin/id"), "exec", "/usr/bin/id", "T1033"),
    step("asks what the system is", Shell("uname -a"), "exec", "/usr/bin/uname", "T1082"),
    step("prints the environment", Perl("system '/usr/bin/env'"), "exec", "/usr/bin/env", "T1082"),
    step(
        "searches for set-user-id programs",
        Shell("find /usr/local -xdev -perm -4000"),
        "exec",
        "/usr/bin/find",
        "T1059",
    ),
    step(
        "reads the list of accounts",
        Perl("open F,'<','/etc/passwd' or die; my @all=<F>"),
        "file.read",
        "/etc/passwd",
        "T1087.001",
    ),
    step(
        "reads the list of groups",
        Shell("while read -r line; do :; done </etc/group"),
        "file.read",
        "/etc/group",
        "T1087.001",
    ),
    step(
        "reads the command line of another process",
        Python("open('/proc/1/cmdline').read()"),
        "file.read",
        "/proc/1/cmdline",
        "T1057",
    ),
    step(
        "reads the table of connections",
        Shell("read -r line </proc/net/tcp"),
        "file.read",
        "/proc/self/net/tcp",
        "T1049",
    ),
    step(
        "reads the routes",
        Perl("open F,'<','/proc/net/route' or die; my @all=<F>"),
        "file.read",
        "/proc/self/net/route",
        "T1016",
    ),
    step(
        "reads which system it is",
        C("openat2 /usr/lib/os-release"),
        "file.read",
        "/usr/lib/os-release",
        "T1082",
    ),
    step(
        "looks for the walls of its container",
        Python("open('/proc/1/mountinfo').read()"),
        "file.read",
        "/proc/1/mountinfo",
        "T1613",
    ),
    step(
        "tries ports of its neighbour's, one after the other",
        Perl(
            "use Socket; for my $p (7001..7008) { socket(my $s,PF_INET,SOCK_STREAM,0); \
             connect($s,sockaddr_in($p,inet_aton('127.0.0.1'))) }",
        ),
        "net.connect",
        "tcp 127.0.0.1:7001",
        "T1071",
    ),
    step(
        "asks Kubernetes' API server",
        C("connect 10.88.0.1 6443"),
        "net.connect",
        "tcp 10.88.0.1:6443",
        "T1613",
    ),
];
