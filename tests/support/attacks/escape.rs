//! An intruder looks for the way out to the host.
//!
//! On this kernel and as the container is set up, none of it succeeds, with or without the profile: what has to be told is that
//! it was tried. No step writes to a file of the host or makes a call that a machine would mind.

use super::{
    How::{C, Perl, Python, Shell},
    Step, refused_call, step,
};

pub(super) const STEPS: &[Step] = &[
    refused_call("mounts", C("call 165"), "mount", "T1611"),
    refused_call("unmounts", Perl("my $n='/nowhere'; syscall(166,$n,0)"), "umount2", "T1611"),
    refused_call("makes namespaces (unshare)", Shell("unshare -U true"), "unshare", "T1611"),
    refused_call("enters the namespaces of another (setns)", C("call 308"), "setns", "T1611"),
    refused_call(
        "changes the root of all (pivot_root)",
        Python("import ctypes; ctypes.CDLL(None).syscall(155,0,0)"),
        "pivot_root",
        "T1611",
    ),
    refused_call("prepares a mount (fsopen)", Perl("my $n='x'; syscall(430,$n,-1)"), "fsopen", "T1611"),
    refused_call("picks a mount up (open_tree)", C("call 428"), "open_tree", "T1611"),
    refused_call(
        "opens files of the host by their handles",
        C("call 304"),
        "open_by_handle_at",
        "T1611",
    ),
    refused_call("loads a module of the kernel", C("call 175"), "init_module", "T1547.006"),
    refused_call(
        "the same from a file, by Perl",
        Perl("my $n=''; syscall(313,-1,$n,0)"),
        "finit_module",
        "T1547.006",
    ),
    refused_call("loads a program into the kernel (bpf)", C("call 321"), "bpf", "T1014"),
    refused_call(
        "watches the host (perf_event_open)",
        Python("import ctypes; ctypes.CDLL(None).syscall(298,0,-1,-1,-1,-1)"),
        "perf_event_open",
        "T1014",
    ),
    refused_call(
        "prepares a race in the kernel (userfaultfd)",
        C("call 323"),
        "userfaultfd",
        "T1068",
    ),
    step("opens a ring (io_uring_setup)", C("ring"), "syscall", "io_uring_setup", "T1106"),
    step("makes a disk's node", C("mknod /tmp/sda"), "syscall", "mknodat", "T1611"),
    step("changes its root", C("chroot"), "syscall", "chroot", "T1611"),
    step(
        "uses a capability that the service has no use for",
        Perl("chroot '/'"),
        "capability",
        "CAP_SYS_CHROOT",
        "T1548",
    )
    .unless_first_choice(
        "capability",
        "without trampolines nothing tells which capability a call used; the calls that need one are told",
    ),
    step(
        "tries to say which program the host runs at a crash (core_pattern)",
        Shell(": >/proc/sys/kernel/core_pattern"),
        "file.write",
        "/proc/sys/kernel/core_pattern",
        "T1611",
    ),
    step(
        "tries to say which program the host runs when a cgroup empties (release_agent)",
        Python("try: open('/sys/fs/cgroup/release_agent','w')\nexcept OSError: pass"),
        "file.write",
        "/sys/fs/cgroup/release_agent",
        "T1611",
    )
    .on_a_node("a runtime mounts the container's cgroups"),
    step(
        "talks to Docker's socket",
        Python(
            "import os,socket\nos.makedirs('/run/docker',exist_ok=True)\n\
             l=socket.socket(socket.AF_UNIX); l.bind('/run/docker.sock'); l.listen()\n\
             s=socket.socket(socket.AF_UNIX); s.connect('/run/docker.sock'); os.unlink('/run/docker.sock')",
        ),
        "net.unix",
        "/run/docker.sock",
        "T1610",
    ),
    step(
        "talks to containerd's socket",
        C("unix /run/containerd.sock"),
        "net.unix",
        "/run/containerd.sock",
        "T1610",
    ),
    step("becomes another user", C("setuid 33"), "identity", "uid 0 -> 33", "T1548"),
    step(
        "the same by Perl, with the right to come back",
        Perl("$>=33"),
        "identity",
        "uid 0 -> 0 (effective 33)",
        "T1548",
    ),
    step(
        "becomes root again by a set-user-id program",
        C("regain /usr/local/bin/elevated"),
        "identity",
        "uid 65534 -> 65534 (effective 0)",
        "T1548.001",
    )
    .by("/usr/local/bin/elevated"),
    step(
        "leaves its cgroup",
        C("leave /outside/cgroup.procs"),
        "container.escape",
        "/driftline-test-*",
        "T1611",
    )
    .on_a_node("the cgroup is a volume of the pod's"),
];
