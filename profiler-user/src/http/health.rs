//! Is the agent alive, and is it ready?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A stage that has not ticked for so long is stuck; each ticks about every second.
const STUCK: Duration = Duration::from_secs(15);

/// Shared between those who know and the server that is asked; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    stages: BTreeMap<&'static str, Instant>,
    probes_loaded: bool,
    store_open: bool,
    runtime: Option<String>,
}

/// A task that is expected to tick; it counts as healthy from its registration on.
#[derive(Clone, Debug)]
pub struct Stage {
    name: &'static str,
    health: Health,
}

impl Health {
    /// Expects ticks of a stage from now on.
    pub fn stage(&self, name: &'static str) -> Stage {
        let stage = Stage { name, health: self.clone() };
        stage.tick();
        stage
    }

    pub fn probes_loaded(&self) {
        self.with(|state| state.probes_loaded = true);
    }

    pub fn store_open(&self) {
        self.with(|state| state.store_open = true);
    }

    /// How it stands with the container runtime, as a phrase: `containerd answers`. Nobody is unready for want of it.
    pub fn runtime(&self, state: impl Into<String>) {
        self.with(|to| to.runtime = Some(state.into()));
    }

    /// Alive, and why not.
    pub(super) fn alive(&self, now: Instant) -> Result<String, String> {
        let stuck: Vec<String> = self.with(|state| {
            let late = |(name, tick): (&&str, &Instant)| {
                let since = now.saturating_duration_since(*tick);
                (since > STUCK).then(|| format!("{name} has not moved for {} s\n", since.as_secs()))
            };
            state.stages.iter().filter_map(late).collect()
        });
        if stuck.is_empty() { Ok("alive\n".to_owned()) } else { Err(stuck.concat()) }
    }

    /// Ready, and why not; the runtime is told of in both cases.
    pub(super) fn ready(&self) -> Result<String, String> {
        self.with(|state| {
            let mut answer = String::new();
            for (is, not) in [
                (state.probes_loaded, "the probes are not loaded yet\n"),
                (state.store_open, "the store is not open yet\n"),
            ] {
                if !is {
                    answer.push_str(not);
                }
            }
            let ready = answer.is_empty();
            if ready {
                answer.push_str("ready\n");
            }
            if let Some(runtime) = &state.runtime {
                answer.extend(["runtime: ", runtime, "\n"]);
            }
            if ready { Ok(answer) } else { Err(answer) }
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Stage {
    /// It moves.
    pub fn tick(&self) {
        self.health.with(|state| state.stages.insert(self.name, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_stands_still_is_named() {
        let health = Health::default();
        let store = health.stage("store");
        let now = Instant::now();
        assert_eq!(health.alive(now), Ok("alive\n".to_owned()));
        let late = now + STUCK + Duration::from_millis(1500);
        assert_eq!(health.alive(late), Err("store has not moved for 16 s\n".to_owned()));
        store.tick();
        assert_eq!(health.alive(now + STUCK), Ok("alive\n".to_owned()));
    }

    #[test]
    fn the_runtime_is_mentioned_and_not_waited_for() {
        let health = Health::default();
        health.runtime("containerd does not answer");
        health.probes_loaded();
        let answer = "the store is not open yet\nruntime: containerd does not answer\n";
        assert_eq!(health.ready(), Err(answer.to_owned()));
        health.store_open();
        let answer = "ready\nruntime: containerd does not answer\n";
        assert_eq!(health.ready(), Ok(answer.to_owned()));
    }
}
