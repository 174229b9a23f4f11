//! Sockets as `/proc/PID/net` tells them (`proc_pid_net(5)`), by the inode that a descriptor names.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::Serialize;

use crate::behaviour::canonical;

/// Of one table, in bytes: about 400,000 sockets.
const TABLE_MAX: u64 = 64 << 20;

/// The kernel's names of TCP's states, `include/net/tcp_states.h`, from 1.
const STATES: [&str; 12] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
];

/// What is at the end of a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Socket {
    /// `tcp`, `udp`, `icmp`, `raw` or `unix`.
    pub protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<SocketAddr>,
    /// Of a unix socket that has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Socket {
    /// Whether it waits for connections.
    pub fn is_listener(&self) -> bool {
        self.state == Some("LISTEN")
    }
}

/// The sockets of the network namespace that a process is in, by inode. Empty where the process has ended.
pub fn of_namespace(pid: u32) -> HashMap<u64, Socket> {
    let mut all = HashMap::new();
    for (file, protocol, parse) in [
        ("tcp", "tcp", address_v4 as Parse),
        ("tcp6", "tcp", address_v6),
        ("udp", "udp", address_v4),
        ("udp6", "udp", address_v6),
        ("icmp", "icmp", address_v4),
        ("icmp6", "icmp", address_v6),
        ("raw", "raw", address_v4),
        ("raw6", "raw", address_v6),
    ] {
        all.extend(table(pid, file).lines().filter_map(|line| inet(line, protocol, parse)));
    }
    all.extend(table(pid, "unix").lines().filter_map(unix));
    all
}

/// The inode in what a descriptor's link reads: `socket:[4711]`.
pub fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn table(pid: u32, file: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(format!("/proc/{pid}/net/{file}")) {
        // What was read before an error is still true.
        let _ = file.take(TABLE_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

type Parse = fn(&str) -> Option<IpAddr>;

fn inet(line: &str, protocol: &'static str, parse: Parse) -> Option<(u64, Socket)> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let address = |field: &str| {
        let (address, port) = field.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        Some(SocketAddr::new(canonical(parse(address)?), port))
    };
    let local = address(fields.get(1)?)?;
    let remote = address(fields.get(2)?)?;
    let state = usize::from_str_radix(fields.get(3)?, 16).ok()?;
    // Only TCP has states of its own; others are connected or not.
    let state = STATES.get(state.checked_sub(1)?).filter(|_| protocol == "tcp");
    let is_connected = remote.port() != 0 || !remote.ip().is_unspecified();
    let socket = Socket {
        protocol,
        state: state.copied(),
        local: Some(local),
        remote: Some(remote).filter(|_| is_connected),
        path: None,
    };
    Some((fields.get(9)?.parse().ok()?, socket))
}

/// `Num RefCount Protocol Flags Type St Inode Path`, where a path may hold spaces and begins with `@` in the abstract namespace.
fn unix(line: &str) -> Option<(u64, Socket)> {
    let mut rest = line;
    let mut inode = None;
    for field in 0..7 {
        rest = rest.trim_start_matches(' ');
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        if field == 6 {
            inode = word.parse().ok();
        }
        rest = after;
    }
    let path = Some(rest.to_owned()).filter(|path| !path.is_empty());
    Some((inode?, Socket { protocol: "unix", state: None, local: None, remote: None, path }))
}

/// The inodes of the sockets that a process has open.
pub fn inodes(pid: u32) -> Vec<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter_map(|link| inode(link.to_str()?)).collect()
}

/// The kernel prints addresses as words in the machine's order.
fn address_v4(text: &str) -> Option<IpAddr> {
    let word = u32::from_str_radix(text, 16).ok()?;
    Some(Ipv4Addr::from(word.to_ne_bytes()).into())
}

fn address_v6(text: &str) -> Option<IpAddr> {
    let mut bytes = [0; 16];
    for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
        let word = u32::from_str_radix(text.get(index * 8..index * 8 + 8)?, 16).ok()?;
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    Some(Ipv6Addr::from(bytes).into())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    const NOWHERE: &str = "00000000000000000000000000000000:0000";

    #[test]
    fn the_kernels_tables_are_read() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1";
        let (inode, socket) = inet(line, "tcp", address_v4).unwrap();
        assert_eq!((inode, socket.local), (4711, "127.0.0.1:8080".parse().ok()));
        assert!(socket.is_listener());
        assert_eq!(socket.remote, None);
        let mapped =
            format!("   1: 0000000000000000FFFF00000100007F:0050 {NOWHERE} 0A 0:0 0:0 0 0 0 12 1");
        let (inode, socket) = inet(&mapped, "tcp", address_v6).unwrap();
        assert_eq!((inode, socket.local), (12, "127.0.0.1:80".parse().ok()));
        let (_, socket) = inet(&line.replace(" 0A ", " 01 "), "tcp", address_v4).unwrap();
        assert!(!socket.is_listener());
        for wrong in ["", "  sl  local_address rem_address   st", "0: 0100007F:1F90"] {
            assert_eq!(inet(wrong, "tcp", address_v4), None, "{wrong}");
        }
        let line = "0000000000000000: 00000002 00000000 00010000 0001 01 31082 @a name of mine";
        let (inode, socket) = unix(line).unwrap();
        assert_eq!((inode, socket.path.as_deref()), (31082, Some("@a name of mine")));
    }

    #[test]
    fn what_this_process_has_open_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        let client = TcpStream::connect(there).unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a socket");
        let named = UnixListener::bind(&path).unwrap();

        let pid = std::process::id();
        let all = of_namespace(pid);
        let of = |descriptor: i32| {
            let link = fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap();
            let inode = inode(link.to_str().unwrap()).unwrap();
            assert!(inodes(pid).contains(&inode));
            all[&inode].clone()
        };
        assert!(of(listener.as_raw_fd()).is_listener());
        let found = of(client.as_raw_fd());
        assert_eq!((found.state, found.remote), (Some("ESTABLISHED"), Some(there)));
        assert_eq!(found.local, client.local_addr().ok());
        let found = of(datagrams.as_raw_fd());
        assert_eq!((found.protocol, found.state, found.remote), ("udp", None, None));
        assert_eq!(found.local, datagrams.local_addr().ok());
        assert_eq!(of(named.as_raw_fd()).path.as_deref(), path.to_str());
    }
}
