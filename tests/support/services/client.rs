//! Clients of a service: each with an address of its own, from which it connects.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use super::random::Random;

/// Somebody on the network, with an address and ideas of its own.
pub struct Client {
    /// The service.
    pub to: SocketAddr,
    from: Ipv4Addr,
    pub random: Random,
}

/// What a server of HTTP answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Client {
    /// `from` must be one of the node's addresses, see [`super::network`]; the thread must be in its network.
    pub fn new(to: SocketAddr, from: Ipv4Addr, random: Random) -> Self {
        Self { to, from, random }
    }

    /// Connects from the client's address.
    pub fn connect(&self) -> io::Result<TcpStream> {
        // The standard library binds no socket before it connects.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind((self.from, 0).into())?;
            let connect = socket.connect(self.to);
            tokio::time::timeout(Duration::from_secs(5), connect).await??.into_std()
        })?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// One request on a connection of its own.
    pub fn http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: shop.test\r\n");
        let length = body.len().to_string();
        let mut all = headers.to_vec();
        all.push(("Connection", "close"));
        if !body.is_empty() || matches!(method, "POST" | "PUT") {
            all.push(("Content-Length", &length));
        }
        for (name, value) in all {
            request.extend([name, ": ", value, "\r\n"]);
        }
        self.raw(&[request.as_bytes(), b"\r\n", body].concat())
    }

    /// Sends bytes as they are, and reads what comes until the server closes.
    pub fn raw(&self, request: &[u8]) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        stream.write_all(request)?;
        let mut answer = Vec::new();
        // A server that refuses a large body may close before it has read all of it.
        match stream.read_to_end(&mut answer) {
            Err(error) if answer.is_empty() => Err(error),
            _ => parse(&answer).ok_or_else(|| io::Error::other("no answer of HTTP")),
        }
    }
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: answer[end + 4..].to_vec() })
}

impl Answer {
    /// The value of a header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}
