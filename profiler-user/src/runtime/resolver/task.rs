//! The resolver's main task: one task per connection, one per id that is asked for.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{super::Endpoint, ask, link, shared::Shared};
use crate::container::ContainerId;

/// How often runtimes are looked for, where none were given.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Request {
    Identify(ContainerId),
    End(ContainerId),
}

/// Runs until all handles are gone, or nobody takes answers. Dropping the sets ends what is still running.
pub(super) async fn run(
    shared: Arc<Shared>,
    found: Vec<(Endpoint, Arc<Notify>)>,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    let mut links = JoinSet::new();
    let connect = |links: &mut JoinSet<()>, found: Vec<(Endpoint, Arc<Notify>)>| {
        for (endpoint, doubt) in found {
            links.spawn(link::keep(Arc::clone(&shared), endpoint, doubt));
        }
    };
    connect(&mut links, found);
    let mut looking = interval(LOOK);
    looking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let discovers = shared.config.endpoints.is_empty();
    let mut asked = HashSet::new();
    let mut asks = JoinSet::new();
    loop {
        tokio::select! {
            request = requests.recv() => {
                let Some(request) = request else { return };
                if asked.insert(request.clone()) {
                    let shared = Arc::clone(&shared);
                    asks.spawn(async move {
                        match &request {
                            Request::Identify(id) => ask::identify(&shared, id).await,
                            Request::End(id) => ask::end(&shared, id).await,
                        }
                        request
                    });
                }
            }
            Some(Ok(done)) = asks.join_next() => { asked.remove(&done); }
            _ = looking.tick(), if discovers => connect(&mut links, shared.find_endpoints()),
            () = shared.nobody_listens() => return,
        }
        shared.set_waiting(
            asked.iter().filter(|request| matches!(request, Request::Identify(_))).count(),
        );
    }
}
