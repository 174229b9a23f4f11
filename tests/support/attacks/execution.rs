//! Programs that the image never runs, and known ones that run what they never ran.

use super::{
    How::{C, Perl, Python, Shell},
    Step, step,
};

/// The dynamic loader, as the image has it.
const LOADER: &str = "/usr/lib*/ld-linux-x86-64.so.2";

const LAYERS: &str = "which layer a file lies in is read from the kernel's memory, which lockdown forbids there; that the program was run is told";

pub(super) const STEPS: &[Step] = &[
    step(
        "somebody opens a shell in it (kubectl exec)",
        Shell("echo here"),
        "exec.injected",
        "/bin/sh -c 'echo here'",
        "T1609",
    )
    .only_from_outside(),
    step(
        "runs a program that the service never runs",
        Shell("/usr/bin/whoami"),
        "exec",
        "/usr/bin/whoami",
        "T1033",
    ),
    step(
        "runs one by its descriptor and an empty path (execveat)",
        C("execveat /usr/bin/tac"),
        "exec",
        "/usr/bin/tac",
        "T1059",
    ),
    step(
        "a known interpreter with new arguments, run by who runs it every day",
        Shell("perl -e 'print 40 + 2'"),
        "exec.args",
        "perl -e 'print 40 + 2'",
        "T1059",
    ),
    step(
        "a server starts a shell with words of its own",
        Python("import os; os.system('echo drift-by-python')"),
        "exec.args",
        "sh -c 'echo drift-by-python'",
        "T1059.004",
    ),
    step(
        "an interpreter that never started a shell does",
        Perl("system('/bin/sh', '-c', 'echo drift-by-perl; true')"),
        "exec.parent",
        "/usr/bin/perl",
        "T1059.004",
    ),
    step(
        "copies a program to /tmp and runs it",
        Shell("cp /usr/bin/true /tmp/dropped; chmod +x /tmp/dropped; /tmp/dropped"),
        "exec.not_in_image",
        "/tmp/dropped",
        "T1105",
    )
    .unless_blind("layers", LAYERS),
    step(
        "downloads a program from its own listener, makes it executable and runs it",
        Python(
            "import os,socket,threading\n\
             l=socket.create_server(('127.0.0.1',9000))\n\
             def serve():\n c,_=l.accept(); c.sendall(open('/usr/bin/true','rb').read()); c.close()\n\
             threading.Thread(target=serve).start()\n\
             s=socket.create_connection(('127.0.0.1',9000)); f=open('/tmp/downloaded','wb')\n\
             while True:\n d=s.recv(65536)\n if not d: break\n f.write(d)\n\
             f.close(); os.chmod('/tmp/downloaded',0o755); os.spawnl(os.P_WAIT,'/tmp/downloaded','/tmp/downloaded')",
        ),
        "exec.not_in_image",
        "/tmp/downloaded",
        "T1105",
    )
    .unless_blind("layers", LAYERS),
    step(
        "runs a dropped script by its first line",
        Perl(
            "open F,'>','/var/tmp/job.sh'; print F \"#!/bin/sh\\ntrue\\n\"; close F; \
             chmod 0755,'/var/tmp/job.sh'; system '/var/tmp/job.sh'",
        ),
        "exec.args",
        "/bin/sh /var/tmp/job.sh",
        "T1059.004",
    ),
    step(
        "runs a script out of /dev/shm, where no program may be run",
        Shell("echo true >/dev/shm/.job; sh /dev/shm/.job"),
        "exec.args",
        "sh /dev/shm/.job",
        "T1059.004",
    ),
    step(
        "runs a program that is in memory only (memfd), by C",
        C("memfd-exec /usr/bin/true kmod"),
        "exec.fileless",
        "/memfd:kmod*",
        "T1620",
    ),
    step(
        "the same by Perl",
        Perl(
            "my $n='perl-only'; my $fd=syscall(319,$n,0); open my $t,'<','/usr/bin/true'; binmode $t; local $/; \
             open my $m,'>&=',$fd; binmode $m; print {$m} readline($t); $m->flush; system \"/proc/$$/fd/$fd\"",
        ),
        "exec.fileless",
        "/memfd:perl-only*",
        "T1620",
    ),
    step(
        "the same by Python",
        Python(
            "import os,subprocess\n\
             fd=os.memfd_create('python-only',0); os.write(fd,open('/usr/bin/true','rb').read())\n\
             subprocess.run([f'/proc/{os.getpid()}/fd/{fd}'])",
        ),
        "exec.fileless",
        "/memfd:python-only*",
        "T1620",
    ),
    step(
        "runs a program whose file it has unlinked",
        Shell("cp /usr/bin/true /tmp/gone; exec 9</tmp/gone; rm /tmp/gone; /proc/self/fd/9"),
        "exec.fileless",
        "/tmp/gone*",
        "T1620",
    ),
    step(
        "runs a program of the image through the dynamic loader",
        Shell("/lib64/ld-linux-x86-64.so.2 /usr/bin/true"),
        "exec",
        LOADER,
        "T1218",
    ),
    step(
        "maps a dropped program through the dynamic loader, without the right to run it",
        Shell("cp /usr/bin/true /tmp/.cache-1; chmod 644 /tmp/.cache-1; /lib64/ld-linux-x86-64.so.2 /tmp/.cache-1"),
        "file.map_exec",
        "/tmp/.cache-1",
        "T1129",
    )
    .by(LOADER)
    .unless_blind("map", "executable mappings are not seen there"),
    step(
        "a known program loads a dropped library (LD_PRELOAD)",
        Shell("cp /lib/x86_64-linux-gnu/libm.so.6 /tmp/hook.so; LD_PRELOAD=/tmp/hook.so date"),
        "file.map_exec",
        "/tmp/hook.so",
        "T1574.006",
    )
    .by("/usr/bin/date")
    .unless_blind("map", "executable mappings are not seen there"),
    step(
        "an interpreter loads a dropped library (dlopen)",
        Python(
            "import ctypes,shutil; shutil.copy('/lib/x86_64-linux-gnu/libm.so.6','/var/tmp/plugin.so'); \
             ctypes.CDLL('/var/tmp/plugin.so')",
        ),
        "file.map_exec",
        "/var/tmp/plugin.so",
        "T1129",
    )
    .unless_blind("map", "executable mappings are not seen there"),
    step(
        "maps code that is in memory only",
        C("memfd-map jit"),
        "file.map_exec",
        "/memfd:jit*",
        "T1620",
    )
    .unless_blind("map", "executable mappings are not seen there"),
    step(
        "fetches with a tool that the service never uses",
        Shell("/bin/busybox nc -w 1 127.0.0.1 9"),
        "exec",
        "/usr/bin/busybox",
        "T1105",
    ),
    step(
        "runs a file that was replaced in place: its name is the image's, its content is not",
        Shell("cat /usr/bin/true >/usr/bin/date; date"),
        "exec.not_in_image",
        "/usr/bin/date",
        "T1036",
    )
    .unless_blind("layers", LAYERS),
    step(
        "runs a file that was put over the image's by a rename",
        Python(
            "import os,shutil,subprocess; shutil.copy('/usr/bin/true','/tmp/ls.new'); \
             os.rename('/tmp/ls.new','/usr/bin/ls'); subprocess.run(['/usr/bin/ls'])",
        ),
        "exec.not_in_image",
        "/usr/bin/ls",
        "T1036",
    )
    .unless_blind("layers", LAYERS),
];
