//! Asks runtimes who containers are, for as long as it makes sense, without ever blocking who wants to know.

mod ask;
mod link;
mod shared;
mod task;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::mpsc;

use self::{shared::Shared, task::Request};
use super::{Discovery, Endpoint, Runtime};
use crate::container::{ContainerId, Identity};

/// How to ask. [`Config::default`] has what suits an agent.
#[derive(Clone, Debug)]
pub struct Config {
    /// Empty: looked for in the usual places, from time to time.
    pub endpoints: Vec<Endpoint>,
    /// Where to look for endpoints if none are given.
    pub discovery: Discovery,
    /// How long an ask waits while no runtime answers (60 s).
    pub patience: Duration,
    /// How long an ask waits for a runtime that answers, and does not know the id yet (10 s): a container's cgroup is
    /// there a little before the runtime lists it, a sandbox's until the sandbox has its network.
    pub unknown_patience: Duration,
    /// For each call (10 s): a busy runtime that takes 5 s for each answer is still heard.
    pub timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            discovery: Discovery::usual(),
            patience: Duration::from_mins(1),
            unknown_patience: Duration::from_secs(10),
            timeout: Duration::from_secs(10),
        }
    }
}

/// What comes back, in no particular order.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Identified(Box<Identity>),
    /// No patience is left; `why` says what happened, as the end of a sentence.
    Unresolved {
        id: ContainerId,
        why: String,
    },
    /// All containers and sandboxes of a runtime, ended ones too, after a connection was made.
    Known(Vec<Identity>),
    /// A container or sandbox ended: the runtime said so, or [`Resolver::ask_end`] asked. Once per end.
    Ended(Box<Identity>),
    /// An end was asked for, and the runtime does not know the container any more.
    Forgotten(ContainerId),
    /// A connection was made or lost: one sentence for the log, per change and not per try.
    Health(String),
}

/// The state of all connections.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Health {
    /// In the order in which they are asked.
    pub endpoints: Vec<EndpointHealth>,
    /// Ids that were asked for and have no answer yet.
    pub waiting: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EndpointHealth {
    pub endpoint: Endpoint,
    pub state: State,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// Not tried to the end yet.
    Connecting,
    Connected {
        since: Timestamp,
        runtime: Runtime,
    },
    /// `error` is the latest, a whole sentence.
    Failing {
        since: Timestamp,
        error: String,
    },
}

impl Health {
    /// Whether any runtime answers.
    pub fn is_connected(&self) -> bool {
        self.endpoints.iter().any(|link| matches!(link.state, State::Connected { .. }))
    }
}

/// Handle of the task that asks. Cheap to clone; the task ends with the last handle, or when nobody takes answers.
#[derive(Clone, Debug)]
pub struct Resolver {
    requests: mpsc::UnboundedSender<Request>,
    shared: Arc<Shared>,
}

impl Resolver {
    /// Spawns the task; needs a Tokio runtime. A receiver of `answers` that is slow only slows answers down.
    pub fn start(config: Config, answers: mpsc::Sender<Answer>) -> Self {
        let (requests, incoming) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(config, answers, requests.downgrade()));
        // Before the first ask may come, so that it finds them being connected to.
        let links = shared.find_endpoints();
        tokio::spawn(task::run(Arc::clone(&shared), links, incoming));
        Self { requests, shared }
    }

    /// Asks who this is: answered with [`Answer::Identified`] or [`Answer::Unresolved`], once for all asks until then.
    pub fn ask(&self, id: ContainerId) {
        // Fails only when nobody takes answers any more.
        let _nobody_cares = self.requests.send(Request::Identify(id));
    }

    /// Asks how this one ended: [`Answer::Ended`] once the runtime has its exit code, [`Answer::Forgotten`] if it no
    /// longer knows the container. No answer if it has no end of it for 5 s.
    pub fn ask_end(&self, id: ContainerId) {
        let _nobody_cares = self.requests.send(Request::End(id));
    }

    pub fn health(&self) -> Health {
        self.shared.health()
    }
}
