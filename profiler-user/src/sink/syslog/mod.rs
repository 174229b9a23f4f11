//! `--syslog tcp://HOST:PORT`: RFC 5424 over TCP, each message in a frame that says its length (RFC 6587).
//!
//! Syslog acknowledges nothing. **Delivered** means here that the receiver's kernel acknowledged every octet of the
//! batch and that the receiver had not closed the connection by then. What a receiver that dies had not read from its
//! socket is lost; a batch that was only partly acknowledged comes again as a whole.

mod message;

use std::fmt;
use std::io;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use reqwest::Url;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{Sink, SinkError};
use crate::store::StoredEvent;

/// For a connection, and for a batch.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Between two looks at what is not acknowledged.
const LOOK: Duration = Duration::from_millis(5);

/// One receiver of syslog.
pub struct Syslog {
    name: String,
    /// `HOST:PORT`.
    address: String,
    stream: Option<TcpStream>,
}

/// What is wrong with the receiver's address.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no address of a syslog receiver; write tcp://HOST:PORT, such as tcp://logs:601")]
pub struct AddressError(String);

impl Syslog {
    /// `url`: `tcp://HOST:PORT`.
    pub fn new(url: &str) -> Result<Self, AddressError> {
        let error = || AddressError(url.to_owned());
        let parsed = Url::parse(url.trim()).map_err(|_| error())?;
        let plain = parsed.username().is_empty()
            && parsed.password().is_none()
            && matches!(parsed.path(), "" | "/")
            && parsed.query().is_none()
            && parsed.fragment().is_none();
        match (parsed.scheme(), parsed.host_str(), parsed.port()) {
            ("tcp", Some(host), Some(port)) if plain && !host.is_empty() => {
                let address = format!("{host}:{port}");
                Ok(Self { name: format!("syslog:tcp://{address}"), address, stream: None })
            }
            _ => Err(error()),
        }
    }

    /// The connection of before, if it still stands, else a new one.
    async fn connection(&mut self) -> Result<TcpStream, SinkError> {
        if let Some(stream) = self.stream.take()
            && open(&stream).is_ok()
        {
            return Ok(stream);
        }
        match timeout(TIMEOUT, TcpStream::connect(&self.address)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(self.failed(&"no answer within 10 s")),
        }
    }

    fn failed(&self, why: &dyn fmt::Display) -> SinkError {
        SinkError::new(format!("the syslog receiver {} fails: {why}", self.address))
    }
}

impl Sink for Syslog {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&mut self, events: &[StoredEvent]) -> Result<(), SinkError> {
        let frames = events.iter().map(message::frame).collect::<Result<Vec<_>, _>>()?.concat();
        let mut stream = self.connection().await?;
        match timeout(TIMEOUT, send(&mut stream, &frames)).await {
            Ok(Ok(())) => {
                self.stream = Some(stream);
                Ok(())
            }
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(self.failed(&"it did not take everything within 10 s")),
        }
    }
}

async fn send(stream: &mut TcpStream, frames: &[u8]) -> io::Result<()> {
    stream.write_all(frames).await?;
    while unacknowledged(stream)? > 0 {
        open(stream)?;
        sleep(LOOK).await;
    }
    open(stream)
}

/// Fails where the receiver has closed. What it says is of no interest: syslog has no answers.
fn open(stream: &TcpStream) -> io::Result<()> {
    let mut said = [0; 256];
    loop {
        match stream.try_read(&mut said) {
            Ok(0) => return Err(io::Error::other("it closed the connection")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Octets that the receiver's kernel has not acknowledged (`SIOCOUTQ` of tcp(7)).
fn unacknowledged(stream: &TcpStream) -> io::Result<i32> {
    let mut octets = 0;
    // SAFETY: the descriptor is open as long as the stream is borrowed, and the kernel writes one int.
    let result = unsafe {
        nix::libc::ioctl(stream.as_raw_fd(), nix::libc::TIOCOUTQ, std::ptr::from_mut(&mut octets))
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(octets) }
}

#[cfg(test)]
mod tests;
