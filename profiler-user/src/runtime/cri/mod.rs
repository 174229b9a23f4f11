//! The Container Runtime Interface, `runtime.v1` over gRPC: containerd (1.6 and newer), CRI-O and cri-dockerd.

mod connection;
mod describe;
pub(super) mod messages;
mod tell;

use std::{sync::Arc, time::Duration};

use tokio::{net::UnixStream, sync::mpsc};

use self::{
    connection::{Call, Connection},
    describe::ImageFacts,
    messages::{
        Container, ContainerEvent, ContainerEventType, ContainerStatusRequest,
        ContainerStatusResponse, GetEventsRequest, IdFilter, ImageSpec, ImageStatusRequest,
        ImageStatusResponse, ListContainersResponse, ListPodSandboxResponse, ListRequest,
        PodSandboxStatusRequest, PodSandboxStatusResponse, VersionRequest, VersionResponse,
    },
};
use super::{Description, Endpoint, Error, cache::Cache};
use crate::container::{ContainerId, Pod};

/// Images and pods that are remembered, and for how long: tags move.
const REMEMBERED: usize = 512;
const MEMORY: Duration = Duration::from_mins(5);

/// One connection. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    connection: Connection,
    /// As the runtime calls itself.
    runtime: Arc<str>,
    images: Arc<Cache<ImageFacts>>,
    pods: Arc<Cache<Pod>>,
}

impl Client {
    /// Speaks over a connection that was made to the endpoint, and asks for the version: the client and the
    /// runtime's version. `limit` is for each call.
    pub(super) async fn new(
        stream: UnixStream,
        endpoint: &Endpoint,
        limit: Duration,
    ) -> Result<(Self, String), Error> {
        let mut client = Self {
            connection: Connection::new(stream, endpoint, limit).await?,
            runtime: "".into(),
            images: Arc::new(Cache::new(REMEMBERED, MEMORY)),
            pods: Arc::new(Cache::new(REMEMBERED, MEMORY)),
        };
        let version = client.version().await?;
        client.runtime = version.runtime_name.into();
        Ok((client, version.runtime_version))
    }

    pub(super) fn runtime(&self) -> &str {
        &self.runtime
    }

    pub(super) async fn version(&self) -> Result<VersionResponse, Error> {
        let request = VersionRequest { version: "v1".to_owned() };
        let version: Option<VersionResponse> =
            self.connection.unary(Call::VERSION, request).await?;
        version
            .filter(|version| !version.runtime_name.is_empty())
            .ok_or_else(|| self.refused(Call::VERSION, "the answer names no runtime"))
    }

    /// What is known of a container or sandbox; none if the runtime knows neither.
    pub(super) async fn describe(&self, id: &ContainerId) -> Result<Option<Description>, Error> {
        let filter = || Some(IdFilter { id: id.as_str().to_owned() });
        // The filter takes prefixes too: only what has the very id is meant.
        let mut listed = self.containers(filter()).await?;
        listed.retain(|container| container.id == id.as_str());
        self.at_most_one(id, listed.len())?;
        if let Some(container) = listed.pop() {
            return self.container(id, &container).await;
        }
        let mut listed = self.sandboxes(filter()).await?;
        listed.retain(|sandbox| sandbox == id.as_str());
        self.at_most_one(id, listed.len())?;
        if listed.is_empty() { Ok(None) } else { self.sandbox(id).await }
    }

    fn at_most_one(&self, id: &ContainerId, count: usize) -> Result<(), Error> {
        if count < 2 {
            return Ok(());
        }
        Err(Error::Ambiguous { endpoint: self.connection.endpoint(), id: id.to_string(), count })
    }

    /// The ids of all containers and sandboxes, ended ones too.
    pub(super) async fn ids(&self) -> Result<Vec<ContainerId>, Error> {
        let containers = self.containers(None).await?;
        let sandboxes = self.sandboxes(None).await?;
        let all = containers.iter().map(|container| &container.id).chain(&sandboxes);
        Ok(all.filter_map(|id| ContainerId::parse(id)).collect())
    }

    /// Tells of every container and sandbox that stops, until it cannot any more.
    pub(super) async fn follow(&self, stopped: &mpsc::Sender<ContainerId>) -> Error {
        let call = Call::GET_CONTAINER_EVENTS;
        let opened = self.connection.stream::<_, ContainerEvent>(call, GetEventsRequest {}).await;
        let mut events = match opened {
            Ok(events) => events,
            Err(error) => return error,
        };
        loop {
            match events.message().await {
                Ok(Some(event)) if event.kind == ContainerEventType::Stopped as i32 => {
                    if let Some(id) = ContainerId::parse(&event.container_id)
                        && stopped.send(id).await.is_err()
                    {
                        return self.refused(call, "nobody listens any more");
                    }
                }
                Ok(Some(_)) => {}
                // The connection is still there, or the next call will tell.
                Ok(None) => return self.refused(call, "it ended the stream"),
                Err(status) => return self.connection.error(call, &status),
            }
        }
    }

    async fn containers(&self, filter: Option<IdFilter>) -> Result<Vec<Container>, Error> {
        let request = ListRequest { filter };
        let list: Option<ListContainersResponse> =
            self.connection.unary(Call::LIST_CONTAINERS, request).await?;
        Ok(list.unwrap_or_default().containers)
    }

    async fn sandboxes(&self, filter: Option<IdFilter>) -> Result<Vec<String>, Error> {
        let request = ListRequest { filter };
        let list: Option<ListPodSandboxResponse> =
            self.connection.unary(Call::LIST_POD_SANDBOX, request).await?;
        Ok(list.unwrap_or_default().items.into_iter().map(|sandbox| sandbox.id).collect())
    }

    async fn container(
        &self,
        id: &ContainerId,
        listed: &Container,
    ) -> Result<Option<Description>, Error> {
        let request = ContainerStatusRequest { container_id: id.to_string(), verbose: true };
        let answer = self.connection.unary(Call::CONTAINER_STATUS, request).await?;
        // It went away since it was listed.
        let Some(ContainerStatusResponse { status: Some(status), info }) = answer else {
            return Ok(None);
        };
        let pod = match self.pods.get(&listed.pod_sandbox_id) {
            Some(pod) => Some(pod),
            None => unless_refused(self.pod(&listed.pod_sandbox_id).await)?,
        };
        let image = match describe::image_key(listed, &status) {
            Some(key) => unless_refused(self.image(&key).await)?,
            None => None,
        };
        Ok(Some(describe::container(id, &self.runtime, listed, &status, &info, pod, image)))
    }

    async fn sandbox_status(
        &self,
        id: &str,
        verbose: bool,
    ) -> Result<Option<PodSandboxStatusResponse>, Error> {
        let request = PodSandboxStatusRequest { pod_sandbox_id: id.to_owned(), verbose };
        self.connection.unary(Call::POD_SANDBOX_STATUS, request).await
    }

    async fn pod(&self, sandbox: &str) -> Result<Option<Pod>, Error> {
        let status = self.sandbox_status(sandbox, false).await?.and_then(|answer| answer.status);
        let pod = status.map(|status| describe::pod(&status));
        if let Some(pod) = &pod {
            self.pods.put(sandbox, pod.clone());
        }
        Ok(pod)
    }

    async fn sandbox(&self, id: &ContainerId) -> Result<Option<Description>, Error> {
        let answer = self.sandbox_status(id.as_str(), true).await?;
        let Some(PodSandboxStatusResponse { status: Some(status), info }) = answer else {
            return Ok(None);
        };
        Ok(Some(describe::sandbox(id, &self.runtime, &status, &info)))
    }

    async fn image(&self, key: &str) -> Result<Option<ImageFacts>, Error> {
        if let Some(facts) = self.images.get(key) {
            return Ok(Some(facts));
        }
        let image = Some(ImageSpec { image: key.to_owned(), ..ImageSpec::default() });
        let request = ImageStatusRequest { image, verbose: true };
        let answer: Option<ImageStatusResponse> =
            self.connection.unary(Call::IMAGE_STATUS, request).await?;
        let facts = answer.and_then(describe::image);
        if let Some(facts) = &facts {
            self.images.put(key, facts.clone());
        }
        Ok(facts)
    }

    fn refused(&self, call: Call, why: &str) -> Error {
        let endpoint = self.connection.endpoint();
        Error::Refused { endpoint, call: call.name, why: why.to_owned() }
    }
}

/// A container is still known without its pod or image, say one that was removed: runtimes have many words for that.
fn unless_refused<T>(answer: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(error) if !error.is_of_connection() => Ok(None),
        answer => answer,
    }
}
