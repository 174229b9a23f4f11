//! One connection, kept: made again whenever it is lost.

use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep, sleep_until},
};

use super::{
    super::{Client, Endpoint, Error},
    Answer,
    shared::Shared,
};
use crate::container::ContainerId;

/// The first and the longest pause between tries.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// A connection that held this long was a good one: the pauses begin anew.
const GOOD: Duration = Duration::from_secs(10);
/// How often an idle connection is looked after.
const CHECK: Duration = Duration::from_secs(5);
/// When a stream of events that ended is asked for again.
const AGAIN: Duration = Duration::from_secs(30);

/// Connects to the endpoint for ever.
pub(super) async fn keep(shared: Arc<Shared>, endpoint: Endpoint, doubt: Arc<Notify>) {
    let mut pause = FIRST;
    loop {
        let error = match Client::connect(&endpoint, shared.config.timeout).await {
            Ok((client, runtime)) => {
                let since = Instant::now();
                shared.connected(&endpoint, client.clone(), runtime).await;
                let error = serve(&shared, &client, &doubt).await;
                if since.elapsed() >= GOOD {
                    pause = FIRST;
                }
                error
            }
            Err(error) => error,
        };
        shared.failed(&endpoint, &error).await;
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Uses a connection until it is lost: its list, its events, and a look at it from time to time.
async fn serve(shared: &Shared, client: &Client, doubt: &Notify) -> Error {
    let (stopped, mut stops) = mpsc::channel(64);
    let mut events = pin!(follow(client, &stopped));
    let mut known = pin!(list(shared, client));
    let mut is_known = false;
    let mut check_at = Instant::now() + CHECK;
    loop {
        tokio::select! {
            Some(id) = stops.recv() => {
                shared.stopped(id);
                continue;
            }
            lost = &mut events => return lost,
            () = &mut known, if !is_known => {
                is_known = true;
                continue;
            }
            () = doubt.notified() => {}
            () = sleep_until(check_at) => {}
        }
        // Something may be wrong, or it was time to look.
        if let Err(error) = client.check().await {
            return error;
        }
        check_at = Instant::now() + CHECK;
    }
}

/// Passes stops on until the connection is lost. A stream that the runtime ended on its own is asked for again.
async fn follow(client: &Client, stopped: &mpsc::Sender<ContainerId>) -> Error {
    loop {
        match client.follow(stopped).await {
            // This runtime has none, and will have none before it is replaced.
            Error::Unimplemented { .. } => pending::<()>().await,
            lost if lost.is_of_connection() => return lost,
            _ => sleep(AGAIN).await,
        }
    }
}

/// Tells of all containers, once the runtime gave them all.
async fn list(shared: &Shared, client: &Client) {
    let mut is_told = false;
    loop {
        match client.known().await {
            Ok(list) => return shared.answer(Answer::Known(list)).await,
            // The connection may be lost, which is noticed elsewhere. If not, it was one slow call.
            Err(error) if error.is_of_connection() => {}
            Err(error) => {
                if !is_told {
                    is_told = true;
                    shared
                        .answer(Answer::Health(format!("cannot list all containers yet: {error}")))
                        .await;
                }
            }
        }
        sleep(CHECK).await;
    }
}
