//! One connection to a runtime, whichever API it speaks: found out by asking.

use std::time::Duration;

use tokio::{net::UnixStream, sync::mpsc, task::JoinSet, time::timeout};

use super::{Description, Endpoint, Error, cri, docker};
use crate::container::{ContainerId, Identity};

/// How many containers of the list are asked for at once.
const AT_ONCE: usize = 8;

/// Cheap to clone; all clones share the connection.
#[derive(Clone, Debug)]
pub struct Client(Api);

#[derive(Clone, Debug)]
enum Api {
    Cri(cri::Client),
    Docker(docker::Client),
}

/// An answer as JSON, or why there is none.
pub(crate) type Told = Result<serde_json::Value, String>;

/// Who answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Runtime {
    /// `containerd`, `cri-o`, `docker`, `podman`.
    pub name: String,
    pub version: String,
    /// `CRI` or `Docker`.
    pub api: &'static str,
}

impl Client {
    /// Connects, and asks for the CRI's version first, then for Docker's. `limit` is for each call, now and later.
    pub async fn connect(endpoint: &Endpoint, limit: Duration) -> Result<(Self, Runtime), Error> {
        let connecting = timeout(limit, UnixStream::connect(endpoint.path())).await;
        let connected = connecting.map_err(|_| Error::Timeout {
            endpoint: endpoint.to_string(),
            call: "a connection",
            timeout: limit,
        })?;
        let stream = connected.map_err(|error| Error::connect(&endpoint.to_string(), &error))?;
        let cri = match cri::Client::new(stream, endpoint, limit).await {
            Ok((client, version)) => {
                let name = client.runtime().to_owned();
                return Ok((Self(Api::Cri(client)), Runtime { name, version, api: "CRI" }));
            }
            Err(error @ Error::Timeout { .. }) => return Err(error),
            Err(error) => error,
        };
        match docker::Client::connect(endpoint, limit).await {
            Ok((client, version)) => {
                let name = client.runtime().to_owned();
                Ok((Self(Api::Docker(client)), Runtime { name, version, api: "Docker" }))
            }
            Err(docker) => Err(Error::NotARuntime {
                endpoint: endpoint.to_string(),
                cri: behaviour(&cri),
                docker: behaviour(&docker),
            }),
        }
    }

    /// What the runtime says of a container and of everything that it runs, answer by answer, not redacted: a name, and the
    /// answer or why there is none.
    /// One answer after another comes into `told`: whoever does not wait for all of them has those that there are.
    pub(crate) async fn tell(
        &self,
        id: Option<&ContainerId>,
        told: &mut Vec<(&'static str, Told)>,
    ) {
        match &self.0 {
            Api::Cri(client) => client.tell(id, told).await,
            Api::Docker(client) => client.tell(id, told).await,
        }
    }

    /// What is known of a container, or of a pod's sandbox; none if the runtime does not know the id.
    pub async fn describe(&self, id: &ContainerId) -> Result<Option<Description>, Error> {
        match &self.0 {
            Api::Cri(client) => client.describe(id).await,
            Api::Docker(client) => client.describe(id).await,
        }
    }

    /// All containers and sandboxes, ended ones too, without those that go away meanwhile or cannot be described.
    pub async fn known(&self) -> Result<Vec<Identity>, Error> {
        let ids = match &self.0 {
            Api::Cri(client) => client.ids().await?,
            Api::Docker(client) => client.ids().await?,
        };
        let mut known = Vec::with_capacity(ids.len());
        let mut asked = JoinSet::new();
        let mut ids = ids.into_iter();
        loop {
            while asked.len() < AT_ONCE
                && let Some(id) = ids.next()
            {
                let client = self.clone();
                asked.spawn(async move { client.describe(&id).await });
            }
            match asked.join_next().await {
                None => return Ok(known),
                Some(Ok(Ok(Some(description)))) => known.push(description.identity),
                Some(Ok(Err(error))) if error.is_of_connection() => return Err(error),
                Some(_) => {}
            }
        }
    }

    /// Tells of every container that stops, until it cannot any more: [`Error::Unimplemented`] says that this
    /// runtime never will (containerd before 1.7), anything else that the connection ended.
    pub async fn follow(&self, stopped: &mpsc::Sender<ContainerId>) -> Error {
        match &self.0 {
            Api::Cri(client) => client.follow(stopped).await,
            Api::Docker(client) => client.follow(stopped).await,
        }
    }

    /// Whether it still answers.
    pub async fn check(&self) -> Result<(), Error> {
        match &self.0 {
            Api::Cri(client) => client.version().await.map(drop),
            Api::Docker(client) => client.version().await.map(drop),
        }
    }
}

/// What something did that was asked for its version, as the end of a sentence.
fn behaviour(error: &Error) -> String {
    match error {
        Error::Timeout { timeout, .. } => {
            format!("did not answer within {} s", timeout.as_secs_f32())
        }
        Error::Lost { why, .. } => format!("did not keep to the protocol ({why})"),
        Error::Unimplemented { why, .. } => format!("said that it has none ({why})"),
        Error::Refused { why, .. } => format!("answered: {why}"),
        other => other.to_string(),
    }
}
