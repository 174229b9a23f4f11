//! An intruder takes what opens other doors.

use super::{
    How::{C, Perl, Python, Shell},
    Step, refused_call, step,
};

pub(super) const STEPS: &[Step] = &[
    step(
        "reads the password hashes",
        Shell("while read -r line; do :; done </etc/shadow"),
        "file.read",
        "/etc/shadow",
        "T1003.008",
    ),
    step(
        "the same through a symbolic link",
        Perl("symlink '/etc/shadow','/tmp/notes'; open F,'<','/tmp/notes' or die; my @all=<F>"),
        "file.read",
        "/etc/shadow",
        "T1003.008",
    ),
    step(
        "gives them another name (hard link)",
        C("link /etc/shadow /tmp/report"),
        "file.link",
        "link /etc/shadow /tmp/report",
        "T1003.008",
    )
    .unless_blind("change", "changes of files are not seen there"),
    step(
        "reads the groups' hashes by openat2",
        C("openat2 /etc/gshadow"),
        "file.read",
        "/etc/gshadow",
        "T1003.008",
    ),
    step(
        "reads a private key under the name of another program (comm)",
        C("comm /etc/ssl/private/tls.key sshd"),
        "file.read",
        "/etc/ssl/private/tls.key",
        "T1552.004",
    ),
    step(
        "tries to read them as somebody who may not",
        Python(
            "import os; os.setresuid(65534,65534,65534)\ntry: open('/etc/shadow')\nexcept PermissionError: pass",
        ),
        "file.read",
        "/etc/shadow",
        "T1003.008",
    ),
    step(
        "reads the service account's token",
        Python("open('/var/run/secrets/kubernetes.io/serviceaccount/token').read()"),
        "file.read",
        "/run/secrets/kubernetes.io/serviceaccount/*token",
        "T1528",
    )
    .on_a_node("the token is Kubernetes'"),
    step(
        "reads the environment of the first process",
        Perl("open F,'<','/proc/1/environ'; my @all=<F>"),
        "file.read",
        "/proc/1/environ",
        "T1552.001",
    ),
    step(
        "reads a key of SSH",
        Shell("cat /root/.ssh/id_rsa"),
        "file.read",
        "/root/.ssh/id_rsa",
        "T1552.004",
    ),
    step(
        "reads the keys of a cloud's account",
        Python("open('/root/.aws/credentials').read()"),
        "file.read",
        "/root/.aws/credentials",
        "T1552.001",
    ),
    step(
        "reads the configuration of kubectl",
        Perl("open F,'<','/root/.kube/config' or die; my @all=<F>"),
        "file.read",
        "/root/.kube/config",
        "T1552.001",
    ),
    step(
        "reads what was typed",
        Shell("while read -r line; do :; done </root/.bash_history"),
        "file.read",
        "/root/.bash_history",
        "T1552.003",
    ),
    step(
        "reads a private key without an opening call (io_uring)",
        C("ring-open /etc/ssl/private/app.key"),
        "file.read",
        "/etc/ssl/private/app.key",
        "T1552.004",
    )
    .unless_first_choice(
        "open",
        "without trampolines opens are seen as calls return, and io_uring's return nowhere; io_uring_setup is told instead",
    ),
    step(
        "opens the memory of another process",
        Python("open('/proc/1/mem','rb')"),
        "file.read",
        "/proc/1/mem",
        "T1055.009",
    ),
    refused_call(
        "reads the memory of another process (process_vm_readv)",
        C("process-vm-read"),
        "process_vm_readv",
        "T1055",
    ),
    refused_call("asks the kernel's keyrings", C("call 250"), "keyctl", "T1555"),
    refused_call("asks for a key", Perl("syscall(249,-1,-1,-1,-1)"), "request_key", "T1555"),
    step(
        "asks the cloud's metadata service",
        Python(
            "import socket; s=socket.socket(); s.settimeout(0.05)\ntry: s.connect(('169.254.169.254',80))\nexcept OSError: pass",
        ),
        "net.connect",
        "tcp 169.254.169.254:80",
        "T1552.005",
    ),
];
