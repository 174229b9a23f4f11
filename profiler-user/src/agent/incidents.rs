//! The task that finds chains from pod to pod in this agent's store.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinHandle};

use super::settings::Settings;
use crate::{
    drift::Event,
    incident::Finder,
    store::{Store, Write},
};

pub(super) struct Incidents {
    found: mpsc::Receiver<Box<Event>>,
    task: JoinHandle<()>,
}

impl Incidents {
    pub(super) fn start(settings: &Settings, store: &Store, tier: &str) -> Self {
        let (out, found) = mpsc::channel(16);
        let finder = Finder::new(
            store.clone(),
            settings.store.clone(),
            settings.fleet.as_ref().map(|(address, _)| address.clone()),
            settings.machine.clone(),
            Arc::clone(&settings.rules),
            tier.to_owned(),
            out,
        );
        Self { found, task: tokio::spawn(finder.run()) }
    }

    /// None where there will be no more.
    pub(super) async fn next(&mut self) -> Option<Write> {
        self.found.recv().await.map(Write::Event)
    }

    /// What it had not told yet is found again at the next start. It has the store open until then.
    pub(super) async fn stop(self) {
        self.task.abort();
        let _aborted = self.task.await;
    }
}
