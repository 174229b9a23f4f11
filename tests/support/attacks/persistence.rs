//! An intruder makes sure to come back.

use super::{
    How::{C, Perl, Python, Shell},
    Step, step,
};

const CHANGES: &str = "changes of files are not seen there";

pub(super) const STEPS: &[Step] = &[
    step(
        "plants a job for cron",
        Shell("echo '* * * * * root true' >/etc/cron.d/update"),
        "file.write",
        "/etc/cron.d/update",
        "T1053.003",
    ),
    step(
        "the same for a user's table, by Perl",
        Perl("open F,'>>','/var/spool/cron/crontabs/root' or die; print F \"\\n\""),
        "file.write",
        "/var/spool/cron/crontabs/root",
        "T1053.003",
    ),
    step(
        "names a library for every program (ld.so.preload)",
        Python("import os; open('/etc/ld.so.preload','w').close(); os.unlink('/etc/ld.so.preload')"),
        "file.write",
        "/etc/ld.so.preload",
        "T1574.006",
    ),
    step(
        "adds to what every shell runs",
        Shell("echo true >>/root/.bashrc"),
        "file.write",
        "/root/.bashrc",
        "T1546.004",
    ),
    step(
        "the same for every account",
        Perl("open F,'>','/etc/profile.d/locale.sh' or die; print F \"true\\n\""),
        "file.write",
        "/etc/profile.d/locale.sh",
        "T1546.004",
    ),
    step(
        "puts its key where SSH looks",
        C("write /root/.ssh/authorized_keys"),
        "file.write",
        "/root/.ssh/authorized_keys",
        "T1098.004",
    ),
    step(
        "the same by a symbolic link",
        C("symlink /tmp/keys /root/.ssh/authorized_keys2"),
        "file.link",
        "symlink /tmp/keys /root/.ssh/authorized_keys2",
        "T1098.004",
    )
    .unless_blind("change", CHANGES),
    step(
        "adds an account",
        Shell("echo 'sys:x:0:0::/:/bin/sh' >>/etc/passwd"),
        "file.write",
        "/etc/passwd",
        "T1136.001",
    ),
    step(
        "says who may become root",
        Python("open('/etc/sudoers.d/backup','w').write('#\\n')"),
        "file.write",
        "/etc/sudoers.d/backup",
        "T1548.003",
    ),
    step(
        "makes a shell whose user is always root",
        Perl("system 'cp','/bin/sh','/var/tmp/.sh'; chmod 04755,'/var/tmp/.sh' or die"),
        "file.meta",
        "mode 4755 /var/tmp/.sh",
        "T1548.001",
    )
    .unless_blind("change", CHANGES),
    step(
        "makes a program whose group is always root's",
        C("set-gid /var/tmp/.tool"),
        "file.meta",
        "mode 2755 /var/tmp/.tool",
        "T1548.001",
    )
    .unless_blind("change", CHANGES),
    step(
        "gives a program capabilities (setxattr)",
        Python(
            "import os; open('/tmp/.cap','w').close()\ntry: os.setxattr('/tmp/.cap','user.x',b'')\nexcept OSError: pass",
        ),
        "syscall",
        "setxattr",
        "T1548.001",
    ),
    step(
        "adds a program to those of the system",
        Shell("echo true >/usr/local/bin/update-notifier"),
        "file.write",
        "/usr/local/bin/update-notifier",
        "T1554",
    ),
    step(
        "adds a module that every start of Python loads",
        Python("open('/usr/lib/python3/dist-packages/speedups.pth','w').write('')"),
        "file.write",
        "/usr/lib/python3/dist-packages/speedups.pth",
        "T1554",
    ),
    step(
        "adds a service to systemd's",
        Shell("echo '[Service]' >/etc/systemd/system/agent.service"),
        "file.write",
        "/etc/systemd/system/agent.service",
        "T1543.002",
    ),
    step(
        "puts its own program over the system's (rename)",
        Perl("system 'cp','/usr/bin/true','/tmp/.nproc'; rename '/tmp/.nproc','/usr/bin/nproc' or die"),
        "file.link",
        "rename /tmp/.nproc /usr/bin/nproc",
        "T1554",
    )
    .unless_blind("change", CHANGES),
];
