//! What the tasks of a resolver share: the connections, and the way to answers.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use super::{
    super::{Client, Description, Endpoint, Error, Runtime, cache::Cache},
    Answer, Config, EndpointHealth, Health, State,
    task::Request,
};
use crate::container::{ContainerId, Identity};

/// How many ids are asked for at once.
const AT_ONCE: usize = 16;
/// Ends that are remembered, so that each is told once although the event stream and the agent both see it.
const ENDS: usize = 4096;
const END_MEMORY: Duration = Duration::from_mins(10);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Config,
    answers: mpsc::Sender<Answer>,
    /// Weak: the handles alone keep the task alive.
    requests: mpsc::WeakUnboundedSender<Request>,
    links: Mutex<Vec<Link>>,
    changed: watch::Sender<()>,
    turns: Semaphore,
    ends: Cache<Option<Timestamp>>,
    waiting: AtomicUsize,
}

/// A connection, or the lack of it.
#[derive(Debug)]
struct Link {
    endpoint: Endpoint,
    state: State,
    client: Option<Client>,
    /// It was connected once, or the user says that there is a runtime.
    is_expected: bool,
    /// Most likely there is no runtime, so it need not be waited for.
    nobody: bool,
    /// Somebody's call failed: look whether it still answers.
    doubt: Arc<Notify>,
}

/// A link as one look-up sees it.
struct Way {
    endpoint: String,
    /// Why not, else.
    client: Result<Client, String>,
    nobody: bool,
    doubt: Arc<Notify>,
}

/// What all runtimes together say about an id.
pub(super) enum Found {
    Description(Box<Description>),
    /// Every runtime answers, and none knows it: which ones.
    Unknown(String),
    /// Not all could be asked: why.
    Unanswered(String),
    Ambiguous(String),
}

impl Shared {
    pub(super) fn new(
        config: Config,
        answers: mpsc::Sender<Answer>,
        requests: mpsc::WeakUnboundedSender<Request>,
    ) -> Self {
        Self {
            config,
            answers,
            requests,
            links: Mutex::default(),
            changed: watch::Sender::new(()),
            turns: Semaphore::new(AT_ONCE),
            ends: Cache::new(ENDS, END_MEMORY),
            waiting: AtomicUsize::new(0),
        }
    }

    fn links(&self) -> MutexGuard<'_, Vec<Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up the given endpoints, or those that are found: the new ones, each with its signal of doubt.
    pub(super) fn find_endpoints(&self) -> Vec<(Endpoint, Arc<Notify>)> {
        let mut found = self.config.endpoints.clone();
        if found.is_empty() {
            found = self.config.discovery.look();
        }
        let mut links = self.links();
        found.retain(|endpoint| !links.iter().any(|link| link.endpoint == *endpoint));
        let new = |endpoint: Endpoint| {
            let doubt = Arc::new(Notify::new());
            let link = Link {
                endpoint: endpoint.clone(),
                state: State::Connecting,
                client: None,
                is_expected: !self.config.endpoints.is_empty(),
                nobody: false,
                doubt: Arc::clone(&doubt),
            };
            links.push(link);
            (endpoint, doubt)
        };
        found.into_iter().map(new).collect()
    }

    /// A connection was made.
    pub(super) async fn connected(&self, endpoint: &Endpoint, client: Client, runtime: Runtime) {
        let sentence = format!(
            "connected to {} {} at {endpoint} ({} API)",
            runtime.name, runtime.version, runtime.api
        );
        self.update(endpoint, |link| {
            link.state = State::Connected { since: Timestamp::now(), runtime };
            link.client = Some(client);
            (link.is_expected, link.nobody) = (true, false);
        });
        self.answer(Answer::Health(sentence)).await;
    }

    /// A try failed, or a connection ended. Told once, until it is back.
    pub(super) async fn failed(&self, endpoint: &Endpoint, error: &Error) {
        let sentence = error.to_string();
        let mut is_news = false;
        self.update(endpoint, |link| {
            let failing_since = match &link.state {
                State::Failing { since, .. } => Some(*since),
                State::Connecting | State::Connected { .. } => None,
            };
            is_news = failing_since.is_none();
            let since = failing_since.unwrap_or_else(Timestamp::now);
            link.state = State::Failing { since, error: sentence.clone() };
            link.client = None;
            link.nobody = !link.is_expected && error.is_no_runtime();
        });
        if is_news {
            self.answer(Answer::Health(sentence)).await;
        }
    }

    fn update(&self, endpoint: &Endpoint, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links().iter_mut().find(|link| link.endpoint == *endpoint) {
            change(link);
        }
        self.changed.send_replace(());
    }

    /// Changes of connections from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Asks all runtimes in turn; the first that knows the id is believed. `cri-dockerd` and Docker know the same ones.
    pub(super) async fn look_up(&self, id: &ContainerId) -> Found {
        let mut knowing_nothing = Vec::new();
        let mut unanswered = None;
        let mut nobody = None;
        for way in self.ways() {
            let client = match way.client {
                Ok(client) => client,
                Err(why) if way.nobody => {
                    nobody = Some(why);
                    continue;
                }
                Err(why) => {
                    unanswered = Some(why);
                    continue;
                }
            };
            // Closed never, so a failure to wait for a turn would only mean to ask at once.
            let _turn = self.turns.acquire().await;
            match client.describe(id).await {
                Ok(Some(description)) => return Found::Description(Box::new(description)),
                Ok(None) => knowing_nothing.push(way.endpoint),
                Err(error @ Error::Ambiguous { .. }) => return Found::Ambiguous(error.to_string()),
                Err(error) => {
                    if error.is_of_connection() {
                        way.doubt.notify_one();
                    }
                    unanswered = Some(error.to_string());
                }
            }
        }
        match unanswered {
            Some(why) => Found::Unanswered(why),
            None if !knowing_nothing.is_empty() => Found::Unknown(knowing_nothing.join(", ")),
            None => Found::Unanswered(nobody.unwrap_or_else(|| self.none_found())),
        }
    }

    /// The connections as they are now, those to the CRI first: it knows pods.
    fn ways(&self) -> Vec<Way> {
        let of = |link: &Link| {
            let (is_cri, without) = match &link.state {
                State::Failing { error, .. } => (false, error.clone()),
                State::Connecting => (false, format!("{} is being connected to", link.endpoint)),
                State::Connected { runtime, .. } => (runtime.api == "CRI", String::new()),
            };
            let way = Way {
                endpoint: link.endpoint.to_string(),
                client: link.client.clone().ok_or(without),
                nobody: link.nobody,
                doubt: Arc::clone(&link.doubt),
            };
            (!is_cri, way)
        };
        let mut ways: Vec<_> = self.links().iter().map(of).collect();
        ways.sort_by_key(|(is_last, _)| *is_last);
        ways.into_iter().map(|(_, way)| way).collect()
    }

    fn none_found(&self) -> String {
        let places = &self.config.discovery;
        format!(
            "no container runtime was found; looked for its socket at {places}; give it as --runtime-endpoint"
        )
    }

    pub(super) async fn answer(&self, answer: Answer) {
        // Nobody takes answers any more: the task is about to end.
        let _ending = self.answers.send(answer).await;
    }

    /// Tells of an end, unless it was told before. One that is started again keeps its id, and ends again.
    pub(super) async fn ended(&self, identity: Identity) {
        let id = identity.id.as_str();
        if self.ends.get(id) != Some(identity.finished) {
            self.ends.put(id, identity.finished);
            self.answer(Answer::Ended(Box::new(identity))).await;
        }
    }

    /// The runtime says that this one stopped.
    pub(super) fn stopped(&self, id: ContainerId) {
        if let Some(requests) = self.requests.upgrade() {
            let _ending = requests.send(Request::End(id));
        }
    }

    pub(super) async fn nobody_listens(&self) {
        self.answers.closed().await;
    }

    pub(super) fn set_waiting(&self, count: usize) {
        self.waiting.store(count, Ordering::Relaxed);
    }

    pub(super) fn health(&self) -> Health {
        let of = |link: &Link| EndpointHealth {
            endpoint: link.endpoint.clone(),
            state: link.state.clone(),
        };
        let endpoints = self.links().iter().map(of).collect();
        Health { endpoints, waiting: self.waiting.load(Ordering::Relaxed) }
    }
}
