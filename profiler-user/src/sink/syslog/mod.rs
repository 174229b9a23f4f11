//! `--syslog tcp://HOST:PORT` or `tls://HOST:PORT`: RFC 5424 over TCP or TLS (RFC 5425), each message in a frame that says its length.
//!
//! Syslog acknowledges nothing. **Delivered** means here that the receiver's kernel acknowledged every octet of the
//! batch and that the receiver had not closed the connection by then. What a receiver that dies had not read from its
//! socket is lost; a batch that was only partly acknowledged comes again as a whole.

mod connection;
mod message;
mod trust;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use self::connection::Connection;
use super::{Sink, SinkError};
use crate::store::StoredEvent;

pub use self::trust::AuthoritiesError;

/// For a connection, with its handshake.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The port of RFC 5425.
const TLS_PORT: u16 = 6514;

/// One receiver of syslog.
pub struct Syslog {
    name: String,
    /// `HOST:PORT`.
    address: String,
    /// Absent: not encrypted.
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connection: Option<Connection>,
}

/// Why there can be no such receiver.
#[derive(Debug, thiserror::Error)]
pub enum SyslogError {
    #[error(
        "{0:?} is no address of a syslog receiver; write tcp://HOST:PORT, such as tcp://logs:601, or tls://HOST:PORT"
    )]
    Address(String),
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
}

impl Syslog {
    /// `url`: `tcp://HOST:PORT`, or `tls://HOST` with or without a port. `authorities`: the file of those who say over TLS who is a
    /// receiver; without one they are the machine's.
    pub fn new(url: &str, authorities: Option<&Path>) -> Result<Self, SyslogError> {
        let error = || SyslogError::Address(url.to_owned());
        let parsed = Url::parse(url.trim()).map_err(|_| error())?;
        let plain = parsed.username().is_empty()
            && parsed.password().is_none()
            && matches!(parsed.path(), "" | "/")
            && parsed.query().is_none()
            && parsed.fragment().is_none();
        let host = parsed.host_str().filter(|host| plain && !host.is_empty()).ok_or_else(error)?;
        let (port, tls) = match (parsed.scheme(), parsed.port()) {
            ("tcp", Some(port)) => (port, None),
            ("tls", port) => {
                let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(bare).map_err(|_| error())?;
                (port.unwrap_or(TLS_PORT), Some((trust::connector(authorities)?, name)))
            }
            _ => return Err(error()),
        };
        let address = format!("{host}:{port}");
        let name = format!("syslog:{}://{address}", parsed.scheme());
        Ok(Self { name, address, tls, connection: None })
    }

    /// The connection of before, if it still stands, else a new one.
    async fn connection(&mut self) -> Result<Connection, SinkError> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_open().await.is_ok()
        {
            return Ok(connection);
        }
        match timeout(TIMEOUT, self.connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(self.failed(&"no answer within 10 s")),
        }
    }

    async fn connect(&self) -> Result<Connection, SinkError> {
        let stream =
            TcpStream::connect(&self.address).await.map_err(|error| self.failed(&error))?;
        let Some((connector, name)) = &self.tls else { return Ok(Connection::Plain(stream)) };
        match connector.connect(name.clone(), stream).await {
            Ok(stream) => Ok(Connection::Encrypted(Box::new(stream))),
            Err(error) => Err(self.failed(&trust::refusal(&error))),
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

    /// A connection, which the first message finds there.
    async fn try_out(&mut self) -> Option<Result<(), SinkError>> {
        match self.connection().await {
            Ok(connection) => {
                self.connection = Some(connection);
                Some(Ok(()))
            }
            Err(error) => Some(Err(error)),
        }
    }

    async fn deliver(&mut self, events: &[StoredEvent]) -> Result<(), SinkError> {
        let frames = events.iter().map(message::frame).collect::<Vec<_>>().concat();
        let mut connection = self.connection().await?;
        connection.send(&frames).await.map_err(|error| self.failed(&error))?;
        self.connection = Some(connection);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
