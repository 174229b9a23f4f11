//! An intruder hides.

use super::{
    How::{C, Perl, Python, Shell},
    Step, refused_call, step,
};

const CHANGES: &str = "changes of files are not seen there";

pub(super) const STEPS: &[Step] = &[
    step(
        "deletes a log",
        Shell("rm /var/log/app.log"),
        "file.delete",
        "/var/log/app.log",
        "T1070.004",
    )
    .by("/usr/bin/rm")
    .unless_blind("change", CHANGES),
    step(
        "empties a log",
        Shell(": >/var/log/auth.log"),
        "file.write",
        "/var/log/auth.log",
        "T1685.006",
    ),
    step(
        "moves a log away",
        Perl("rename '/var/log/audit.log','/var/tmp/old' or die"),
        "file.link",
        "rename /var/log/audit.log /var/tmp/old",
        "T1070",
    )
    .unless_blind("change", CHANGES),
    step(
        "wipes what was typed",
        Python("import os; os.unlink('/root/.bash_history')"),
        "file.delete",
        "/root/.bash_history",
        "T1070.003",
    )
    .unless_blind("change", CHANGES),
    step(
        "gives a file another time",
        Python("import os; os.utime('/srv/app/config',(1,1))"),
        "syscall",
        "utimensat",
        "T1070.006",
    ),
    step(
        "lets everybody change the hashes",
        Perl("chmod 0666,'/etc/shadow' or die"),
        "file.meta",
        "mode 0666 /etc/shadow",
        "T1222.002",
    )
    .unless_blind("change", CHANGES),
    step(
        "gives a file another owner",
        Python("import os; os.chown('/srv/app/config',65534,65534)"),
        "file.meta",
        "owner /srv/app/config",
        "T1222.002",
    )
    .unless_blind("change", CHANGES),
    step(
        "gives a known program the name of a thread of the kernel (argv[0])",
        Shell("bash -c 'exec -a \"[kworker/0:1]\" date'"),
        "exec.args",
        "'[kworker/0:1]'",
        "T1036.005",
    ),
    step(
        "writes over its own arguments, and goes on",
        C("argv /etc/shadow-"),
        "file.read",
        "/etc/shadow-",
        "T1003.008",
    ),
    step(
        "calls itself a web server (comm)",
        C("comm /etc/passwd nginx"),
        "file.read",
        "/etc/passwd",
        "T1087.001",
    ),
    step(
        "decodes what it brought",
        Shell("echo aWQK | base64 -d"),
        "exec",
        "/usr/bin/base64",
        "T1140",
    ),
    step(
        "calls the kernel through the gate of 32-bit programs (int 0x80)",
        C("int80 20"),
        "syscall.abi",
        "foreign_20 (foreign)",
        "T1106",
    ),
    step(
        "a call there that a filter refuses: mount",
        C("int80 21"),
        "syscall.abi",
        "foreign_21 (foreign*)",
        "T1106",
    ),
    refused_call(
        "switches off what makes addresses unforeseeable (personality)",
        Perl("syscall(135,0x0040000)"),
        "personality",
        "T1106",
    ),
    step("takes hold of another process (ptrace)", C("ptrace"), "syscall", "ptrace", "T1055.008"),
    refused_call(
        "writes into another process (process_vm_writev)",
        C("process-vm-write"),
        "process_vm_writev",
        "T1055",
    ),
    step(
        "makes a file that is in memory only",
        Perl("my $name='x'; syscall(319,$name,0)"),
        "syscall",
        "memfd_create",
        "T1620",
    ),
    step(
        "moves the system's programs out of the way",
        Shell("mv /usr/bin/nproc /usr/bin/nproc.orig"),
        "file.link",
        "rename /usr/bin/nproc /usr/bin/nproc.orig",
        "T1554",
    )
    .by("/usr/bin/mv")
    .unless_blind("change", CHANGES),
];
