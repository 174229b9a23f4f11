//! Where a canary may be asked for: a socket in the store's directory, whose owner alone may open it.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::Report;
use crate::error::Error;

/// The socket's name in the store's directory.
pub(crate) const SOCKET: &str = "agent.sock";

/// Longer than a canary takes at most.
const LIMIT: Duration = Duration::from_secs(90);

/// Whoever asks says this.
const WORD: &[u8] = b"canary\n";

#[derive(Default)]
pub(super) struct Door {
    askers: Option<mpsc::Receiver<oneshot::Sender<Report>>>,
}

impl Door {
    /// The directory is this agent's alone, so what an earlier one left there is nobody's.
    pub(super) fn open(store: &Path) -> Result<Self, Error> {
        let path = store.join(SOCKET);
        let failed = |error: io::Error| {
            Error::Output(format!(
                "cannot listen at {}: {error}; driftline canary will not reach this agent",
                path.display()
            ))
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let (tell, askers) = mpsc::channel(8);
        tokio::spawn(listen(listener, tell));
        Ok(Self { askers: Some(askers) })
    }

    /// Never returns where nobody can ask.
    pub(super) async fn asked(&mut self) -> oneshot::Sender<Report> {
        match &mut self.askers {
            Some(askers) => match askers.recv().await {
                Some(asker) => asker,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }
}

async fn listen(listener: UnixListener, tell: mpsc::Sender<oneshot::Sender<Report>>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(answer(stream, tell.clone()))),
            // Too many open files, say: it passes.
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
        if tell.is_closed() {
            return;
        }
    }
}

async fn answer(mut stream: UnixStream, tell: mpsc::Sender<oneshot::Sender<Report>>) {
    let mut word = [0; WORD.len()];
    let read = timeout(Duration::from_secs(5), stream.read_exact(&mut word)).await;
    if !matches!(read, Ok(Ok(_))) || word != *WORD {
        return;
    }
    let (asker, report) = oneshot::channel();
    if tell.send(asker).await.is_err() {
        return;
    }
    let Ok(report) = report.await else { return };
    let Ok(text) = serde_json::to_vec(&report) else { return };
    let _may_be_gone = stream.write_all(&text).await;
}

/// Has the agent of this store run a canary; what became of it.
pub(crate) async fn ask(store: &Path) -> Result<Report, Error> {
    let path = store.join(SOCKET);
    let failed = |why: String| {
        Error::Machine(format!(
            "no agent answers at {}: {why}; run driftline watch with this --store, and this as the same user",
            path.display()
        ))
    };
    let asked = async {
        let mut stream = UnixStream::connect(&path).await?;
        stream.write_all(WORD).await?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await?;
        Ok::<_, io::Error>(text)
    };
    let text = match timeout(LIMIT, asked).await {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed(format!("it said nothing within {} s", LIMIT.as_secs()))),
    };
    serde_json::from_slice(&text).map_err(|_| failed("it ended before the canary did".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_is_told_and_nobody_else_may() {
        let directory = tempfile::tempdir().unwrap();
        let error = ask(directory.path()).await.unwrap_err().to_string();
        assert!(error.contains("no agent answers") && error.contains(SOCKET), "{error}");
        // What an agent that was killed left there is in nobody's way.
        drop(std::os::unix::net::UnixListener::bind(directory.path().join(SOCKET)).unwrap());
        let mut door = Door::open(directory.path()).unwrap();
        let mode = fs::metadata(directory.path().join(SOCKET)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let report = Report { ok: true, event: Some("E".to_owned()), why: None, sinks: Vec::new() };
        let (asked, answered) = tokio::join!(ask(directory.path()), async {
            door.asked().await.send(report.clone()).unwrap();
        });
        assert_eq!((asked.unwrap(), answered), (report, ()));
        let mut stranger = UnixStream::connect(directory.path().join(SOCKET)).await.unwrap();
        stranger.write_all(b"reboot\n").await.unwrap();
        let mut said = Vec::new();
        stranger.read_to_end(&mut said).await.unwrap();
        assert!(said.is_empty());
    }
}
