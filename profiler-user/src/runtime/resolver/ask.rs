//! One id: asked for until there is an answer or no patience left.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    Answer,
    shared::{Found, Shared},
};
use crate::container::ContainerId;

/// Pauses between asks, in milliseconds; the last one stays.
const PAUSES: [u64; 6] = [20, 50, 100, 200, 500, 1000];
/// How long a runtime may take to notice that a container ended.
const END: Duration = Duration::from_secs(5);

/// Answers with who this is, or why that cannot be said.
pub(super) async fn identify(shared: &Shared, id: &ContainerId) {
    let config = &shared.config;
    let asked = Instant::now();
    let mut changes = shared.changes();
    let mut pauses = pauses();
    let mut unknown_since = None;
    let why = loop {
        changes.mark_unchanged();
        match shared.look_up(id).await {
            Found::Description(description) => {
                return shared.answer(Answer::Identified(Box::new(description.identity))).await;
            }
            Found::Ambiguous(why) => break why,
            Found::Unknown(who) => {
                let since = *unknown_since.get_or_insert_with(Instant::now);
                // However often connections come and go.
                let longest = asked + config.patience + config.unknown_patience;
                let end = (since + config.unknown_patience).min(longest);
                if Instant::now() >= end {
                    let seconds = config.unknown_patience.as_secs_f32();
                    break format!(
                        "{who} does not know this container, asked again and again for {seconds} s"
                    );
                }
                sleep_until(end.min(Instant::now() + pauses.next())).await;
            }
            Found::Unanswered(why) => {
                unknown_since = None;
                let end = asked + config.patience;
                if Instant::now() >= end {
                    break format!("no answer for {} s: {why}", config.patience.as_secs_f32());
                }
                change(&mut changes, end).await;
            }
        }
    };
    shared.answer(Answer::Unresolved { id: id.clone(), why }).await;
}

/// Tells how this one ended, as soon as the runtime knows.
pub(super) async fn end(shared: &Shared, id: &ContainerId) {
    let asked = Instant::now();
    let mut changes = shared.changes();
    let mut pauses = pauses();
    let mut running_since = None;
    loop {
        changes.mark_unchanged();
        match shared.look_up(id).await {
            Found::Description(description) if description.ended => {
                return shared.ended(description.identity).await;
            }
            Found::Description(_) => {
                let since = *running_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= END {
                    return;
                }
                sleep_until(Instant::now() + pauses.next()).await;
            }
            Found::Unknown(_) => return shared.answer(Answer::Forgotten(id.clone())).await,
            Found::Ambiguous(_) => return,
            Found::Unanswered(_) => {
                let end = asked + shared.config.patience;
                if Instant::now() >= end {
                    return;
                }
                change(&mut changes, end).await;
            }
        }
    }
}

/// Waits until a connection changes, or a second: one call can fail without the connection.
async fn change(changes: &mut watch::Receiver<()>, end: Instant) {
    let until = end.min(Instant::now() + Duration::from_secs(1));
    let _changed_or_not = timeout_at(until, changes.changed()).await;
}

struct Pauses(usize);

fn pauses() -> Pauses {
    Pauses(0)
}

impl Pauses {
    fn next(&mut self) -> Duration {
        let pause = PAUSES[self.0.min(PAUSES.len() - 1)];
        self.0 += 1;
        Duration::from_millis(pause)
    }
}
