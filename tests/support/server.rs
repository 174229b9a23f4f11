//! Real programs to record: Debian's nginx and Python.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::Lab;

/// Debian's Python, which the set-up installs.
pub fn python() -> &'static str {
    let python = "/usr/bin/python3";
    assert!(Path::new(python).exists(), "{python} is missing; run `cargo xtask setup`");
    python
}

/// A loopback port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback is up");
    listener.local_addr().expect("an address").port()
}

/// Connects to a loopback port as soon as somebody listens there, for at most two minutes: an
/// emulated machine takes its time.
pub fn knock(port: u16) -> Option<TcpStream> {
    let end = Instant::now() + Duration::from_mins(2);
    while Instant::now() < end {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            return Some(stream);
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}

/// nginx with its own configuration, files and port.
pub struct Nginx {
    pub port: u16,
    config: PathBuf,
}

impl Nginx {
    pub fn new(lab: &Lab) -> Self {
        let nginx = "/usr/sbin/nginx";
        assert!(Path::new(nginx).exists(), "{nginx} is missing; run `cargo xtask setup`");
        let port = free_port();
        let root = lab.path("www");
        std::fs::create_dir_all(&root).expect("the lab is writable");
        std::fs::write(root.join("index.html"), "hello\n").expect("the lab is writable");
        let config = lab.write(
            "nginx.conf",
            &format!(
                "daemon off; pid {0}/nginx.pid; error_log {0}/error.log; worker_processes 1; user root;\n\
                 events {{ worker_connections 64; }}\n\
                 http {{ access_log {0}/access.log; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy;\n\
                 fastcgi_temp_path {0}/fastcgi; uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;\n\
                 server {{ listen 127.0.0.1:{port}; root {0}/www; }} }}\n",
                lab.path("").display()
            ),
        );
        Self { port, config }
    }

    pub fn command(&self) -> [String; 5] {
        let config = self.config.to_str().expect("UTF-8").to_owned();
        let errors = self.config.with_file_name("start.log").to_str().expect("UTF-8").to_owned();
        ["/usr/sbin/nginx".to_owned(), "-c".to_owned(), config, "-e".to_owned(), errors]
    }

    /// A short load: this many requests, every answer checked.
    pub fn load(&self, requests: usize) {
        drop(knock(self.port).expect("nginx answers"));
        for _ in 0..requests {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("nginx listens");
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("nginx reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("nginx answers");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
}
