//! A connection to a receiver, encrypted or not, and what is known of how much arrived.

use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::client::TlsStream;

/// A receiver may be slow, but not stand still for longer: whoever cut a slow one off by the clock would send it the same batch for ever.
pub(super) const STALL: Duration = Duration::from_secs(30);

/// Between two looks at what is not acknowledged; and at a receiver that takes nothing for now.
const LOOK: Duration = Duration::from_millis(5);
const LOOK_AT_SLOW: Duration = Duration::from_millis(500);

pub(super) enum Connection {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// Returns once the receiver's kernel has all of it, and the receiver had not closed by then.
    pub(super) async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        let mut stall = Stall::new();
        let mut written = 0;
        while let Some(rest @ [_, ..]) = octets.get(written..) {
            match timeout(LOOK_AT_SLOW, self.write(rest)).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more?,
                // Nothing of it was taken.
                Err(_) => {}
            }
            stall.look(written, self.unacknowledged()?)?;
        }
        loop {
            match timeout(LOOK_AT_SLOW, self.flush()).await {
                Ok(flushed) => break flushed?,
                Err(_) => stall.look(written, self.unacknowledged()?)?,
            }
        }
        loop {
            let left = self.unacknowledged()?;
            self.is_open().await?;
            if left == 0 {
                return Ok(());
            }
            stall.look(written, left)?;
            sleep(LOOK).await;
        }
    }

    /// Fails where the receiver has closed. What it says is of no interest: syslog has no answers.
    pub(super) async fn is_open(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => is_open(stream).await,
            Self::Encrypted(stream) => is_open(stream.as_mut()).await,
        }
    }

    async fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(octets).await,
            Self::Encrypted(stream) => stream.write(octets).await,
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush().await,
            Self::Encrypted(stream) => stream.flush().await,
        }
    }

    /// Octets that the receiver's kernel has not acknowledged (`SIOCOUTQ` of tcp(7)).
    fn unacknowledged(&self) -> io::Result<i32> {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Encrypted(stream) => stream.get_ref().0,
        };
        let mut octets = 0;
        // SAFETY: the descriptor is open as long as the stream is borrowed, and the kernel writes one int.
        let result = unsafe {
            nix::libc::ioctl(
                stream.as_raw_fd(),
                nix::libc::TIOCOUTQ,
                std::ptr::from_mut(&mut octets),
            )
        };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(octets) }
    }
}

/// Reads what is there, without waiting for any.
async fn is_open(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    loop {
        let mut said = [0; 256];
        let mut buffer = ReadBuf::new(&mut said);
        let poll =
            poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_read(context, &mut buffer)));
        match poll.await {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                return Err(io::Error::other("it closed the connection"));
            }
            Poll::Ready(read) => read?,
        }
    }
}

/// Whether anything moves.
struct Stall {
    seen: (usize, i32),
    since: Instant,
}

impl Stall {
    fn new() -> Self {
        Self { seen: (0, 0), since: Instant::now() }
    }

    fn look(&mut self, written: usize, left: i32) -> io::Result<()> {
        let seen = (written, left);
        if seen != self.seen {
            *self = Self { seen, since: Instant::now() };
        } else if self.since.elapsed() >= STALL {
            let why = format!("it has taken nothing for {} s", STALL.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
        Ok(())
    }
}
