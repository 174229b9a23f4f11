//! Who takes what an agent sends by HTTP.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    thread,
};

use jiff::Timestamp;

use crate::pods::Node;

/// What comes to a port of the node's loopback, whatever it is.
pub fn taken(node: &Node, port: u16) -> Arc<Mutex<Vec<u8>>> {
    let listener = node.in_network(|| TcpListener::bind(("127.0.0.1", port)));
    let listener = listener.expect("the port is free in the node's own network");
    let all = Arc::<Mutex<Vec<u8>>>::default();
    let taken = Arc::clone(&all);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut bytes) {
                taken.lock().expect("no panic").extend_from_slice(&bytes[..length]);
            }
        }
    });
    all
}

/// Takes requests of HTTP: answers with this status, with none at all while it is 0.
pub struct Receiver {
    pub status: Arc<AtomicU16>,
    bodies: Arc<Mutex<Vec<(Timestamp, String)>>>,
}

impl Receiver {
    /// On the node's loopback.
    pub fn start(node: &Node, port: u16, status: u16) -> Self {
        let listener = node.in_network(|| TcpListener::bind(("127.0.0.1", port)));
        let listener = listener.expect("the port is free in the node's own network");
        let receiver = Self { status: Arc::new(status.into()), bodies: Arc::default() };
        let (status, bodies) = (Arc::clone(&receiver.status), Arc::clone(&receiver.bodies));
        thread::spawn(move || {
            let mut held = Vec::new();
            for mut stream in listener.incoming().flatten() {
                let Some(body) = body(&stream) else { continue };
                let came = Timestamp::now();
                match status.load(Ordering::Relaxed) {
                    0 => held.push(stream),
                    status => {
                        if status == 200 {
                            bodies.lock().expect("no panic").push((came, body));
                        }
                        let _gone = write!(
                            stream,
                            "HTTP/1.1 {status} So\r\nContent-Length: 9\r\nConnection: close\r\n\r\nsays test"
                        );
                    }
                }
            }
        });
        receiver
    }

    /// What came, and when.
    pub fn bodies(&self) -> Vec<(Timestamp, String)> {
        self.bodies.lock().expect("no panic").clone()
    }

    /// Whether a body that came holds this text.
    pub fn has(&self, text: &str) -> bool {
        self.bodies.lock().expect("no panic").iter().any(|(_, body)| body.contains(text))
    }
}

/// The body of a request.
fn body(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    // Of protobuf the names and texts can be read.
    Some(String::from_utf8_lossy(&body).into_owned())
}
