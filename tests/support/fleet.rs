//! The store that nodes share, as a test fills it and asks it without an agent.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Output, Stdio},
};

use jiff::Timestamp;
use profiler_user::{
    drift::{Context, DriftKind, Notice, Origin},
    sink::{Fleet, SinkError},
    store::{Limits, Store, Write},
};

use crate::{driftline, postgres::PASSWORD};

/// A node's history with one event of this id.
pub fn filled(directory: &Path) -> String {
    let origin = Origin::of_command("node-1".to_owned(), "web");
    let context = Context::unjudged(origin.into(), "full");
    let now = Timestamp::now();
    let notice = Notice {
        kind: DriftKind::SensorGap,
        object: "the object".to_owned(),
        sentence: "nobody watched".to_owned(),
        refused: false,
        time: now,
        last: now,
    };
    let event = notice.event(&context);
    let id = event.id.to_string();
    block_on(async {
        let store = Store::open(directory).await.expect("a store");
        store.commit(vec![Write::Event(Box::new(event))]).await.expect("room");
        store.close().await;
    });
    id
}

/// What an agent's sink does.
pub fn ship(directory: &Path, url: &str) -> Result<(), SinkError> {
    block_on(async {
        let store = Store::open(directory).await.expect("a store");
        let address = url.parse().expect("an address");
        let shipped = Fleet::new(address, "node-1", store.clone(), Limits::default()).ship().await;
        store.close().await;
        shipped
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// driftline with nothing of this environment that names a store.
pub fn command<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Command {
    let mut command = Command::new(driftline());
    command.args(words).env_remove("DRIFTLINE_STORE").env_remove("DRIFTLINE_SPOOL");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What it said, in which no password is.
pub fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains(PASSWORD), "{said}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains(PASSWORD));
    said
}
