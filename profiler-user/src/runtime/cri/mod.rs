//! The Container Runtime Interface, `runtime.v1` over gRPC: containerd (1.6 and newer), CRI-O and cri-dockerd.

mod describe;
pub(super) mod messages;

use std::{
    error::Error as _,
    future::ready,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::{net::UnixStream, sync::mpsc, time::timeout};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::http::{Uri, uri::PathAndQuery},
    transport::{self, Channel},
};
use tonic_prost::ProstCodec;
use tower::service_fn;

use self::{
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

/// The largest answer that is read, in bytes; the kubelet's own limit.
const LARGEST: usize = 16 << 20;
/// Images and pods that are remembered, and for how long: tags move.
const REMEMBERED: usize = 512;
const MEMORY: Duration = Duration::from_secs(300);

/// One connection. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    channel: Channel,
    /// For messages.
    endpoint: Arc<str>,
    timeout: Duration,
    /// As the runtime calls itself.
    runtime: Arc<str>,
    images: Arc<Cache<ImageFacts>>,
    pods: Arc<Cache<Pod>>,
}

macro_rules! path {
    ($service:literal, $call:expr) => {
        concat!("/runtime.v1.", $service, "/", $call)
    };
}

impl Client {
    /// Speaks over a connection that was made to the endpoint, and asks for the version: the client and the
    /// runtime's version.
    pub(super) async fn new(
        stream: UnixStream,
        endpoint: &Endpoint,
        limit: Duration,
    ) -> Result<(Self, String), Error> {
        let name: Arc<str> = endpoint.to_string().into();
        // Handed out once: when this connection is lost, the client is, and whoever made it hears of it.
        let stream = Mutex::new(Some(TokioIo::new(stream)));
        let connector = service_fn(move |_: Uri| {
            let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
            ready(stream.ok_or_else(|| io::Error::other("the runtime closed the connection")))
        });
        let transport = transport::Endpoint::from_static("http://localhost");
        let channel = transport.connect_with_connector(connector).await.map_err(|error| {
            Error::Lost { endpoint: name.to_string(), call: "Version", why: innermost(&error) }
        })?;
        let mut client = Self {
            channel,
            endpoint: name,
            timeout: limit,
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
            self.unary("Version", path!("RuntimeService", "Version"), request).await?;
        version.filter(|version| !version.runtime_name.is_empty()).ok_or_else(|| Error::Refused {
            endpoint: self.endpoint.to_string(),
            call: "Version",
            why: "the answer names no runtime".to_owned(),
        })
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
        let (endpoint, id) = (self.endpoint.to_string(), id.to_string());
        if count > 1 { Err(Error::Ambiguous { endpoint, id, count }) } else { Ok(()) }
    }

    /// The ids of all containers and sandboxes, ended ones too.
    pub(super) async fn ids(&self) -> Result<Vec<ContainerId>, Error> {
        let containers = self.containers(None).await?;
        let sandboxes = self.sandboxes(None).await?;
        let all = containers.iter().map(|container| &container.id).chain(&sandboxes);
        Ok(all.filter_map(|id| ContainerId::parse(id)).collect())
    }

    /// Tells of every container and sandbox that stops, until the connection ends.
    pub(super) async fn follow(&self, stopped: &mpsc::Sender<ContainerId>) -> Error {
        let call = "GetContainerEvents";
        let path = PathAndQuery::from_static(path!("RuntimeService", "GetContainerEvents"));
        let mut grpc = self.grpc();
        let codec = ProstCodec::<GetEventsRequest, ContainerEvent>::default();
        let opened = match grpc.ready().await {
            Ok(()) => grpc.server_streaming(Request::new(GetEventsRequest {}), path, codec).await,
            Err(error) => return self.error(call, &Status::from_error(error.into())),
        };
        let mut events = match opened {
            Ok(response) => response.into_inner(),
            Err(status) => return self.error(call, &status),
        };
        loop {
            match events.message().await {
                Ok(Some(event)) if event.kind == ContainerEventType::Stopped as i32 => {
                    if let Some(id) = ContainerId::parse(&event.container_id)
                        && stopped.send(id).await.is_err()
                    {
                        return self.lost(call, "nobody listens any more".to_owned());
                    }
                }
                Ok(Some(_)) => {}
                // The connection is still there, or the next call will tell.
                Ok(None) => {
                    let (endpoint, why) =
                        (self.endpoint.to_string(), "it ended the stream".to_owned());
                    return Error::Refused { endpoint, call, why };
                }
                Err(status) => return self.error(call, &status),
            }
        }
    }

    async fn containers(&self, filter: Option<IdFilter>) -> Result<Vec<Container>, Error> {
        let path = path!("RuntimeService", "ListContainers");
        let list: Option<ListContainersResponse> =
            self.unary("ListContainers", path, ListRequest { filter }).await?;
        Ok(list.unwrap_or_default().containers)
    }

    async fn sandboxes(&self, filter: Option<IdFilter>) -> Result<Vec<String>, Error> {
        let path = path!("RuntimeService", "ListPodSandbox");
        let list: Option<ListPodSandboxResponse> =
            self.unary("ListPodSandbox", path, ListRequest { filter }).await?;
        Ok(list.unwrap_or_default().items.into_iter().map(|sandbox| sandbox.id).collect())
    }

    async fn container(
        &self,
        id: &ContainerId,
        listed: &Container,
    ) -> Result<Option<Description>, Error> {
        let request = ContainerStatusRequest { container_id: id.to_string(), verbose: true };
        let path = path!("RuntimeService", "ContainerStatus");
        let answer: Option<ContainerStatusResponse> =
            self.unary("ContainerStatus", path, request).await?;
        // It went away since it was listed.
        let Some(ContainerStatusResponse { status: Some(status), info }) = answer else {
            return Ok(None);
        };
        let pod = match self.pods.get(&listed.pod_sandbox_id) {
            Some(pod) => Some(pod),
            None => self.pod(&listed.pod_sandbox_id).await?,
        };
        let image = match describe::image_key(listed, &status) {
            Some(key) => self.image(&key).await?,
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
        self.unary("PodSandboxStatus", path!("RuntimeService", "PodSandboxStatus"), request).await
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
        let path = path!("ImageService", "ImageStatus");
        let answer: Option<ImageStatusResponse> = self.unary("ImageStatus", path, request).await?;
        let facts = answer.and_then(describe::image);
        if let Some(facts) = &facts {
            self.images.put(key, facts.clone());
        }
        Ok(facts)
    }

    fn grpc(&self) -> Grpc<Channel> {
        Grpc::new(self.channel.clone()).max_decoding_message_size(LARGEST)
    }

    /// One call; none if the runtime says that there is no such thing.
    async fn unary<Q, A>(
        &self,
        call: &'static str,
        path: &'static str,
        request: Q,
    ) -> Result<Option<A>, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let asked = async {
            let mut grpc = self.grpc();
            grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            let codec = ProstCodec::<Q, A>::default();
            grpc.unary(Request::new(request), PathAndQuery::from_static(path), codec).await
        };
        match timeout(self.timeout, asked).await {
            Ok(Ok(response)) => Ok(Some(response.into_inner())),
            Ok(Err(status)) if status.code() == Code::NotFound => Ok(None),
            Ok(Err(status)) => Err(self.error(call, &status)),
            Err(_) => Err(Error::Timeout {
                endpoint: self.endpoint.to_string(),
                call,
                timeout: self.timeout,
            }),
        }
    }

    fn lost(&self, call: &'static str, why: String) -> Error {
        Error::Lost { endpoint: self.endpoint.to_string(), call, why }
    }

    fn error(&self, call: &'static str, status: &Status) -> Error {
        let endpoint = self.endpoint.to_string();
        let said = || format!("{:?}: {}", status.code(), status.message());
        // Only what happened on our side of the connection has a source.
        match status.source() {
            Some(source) => self.lost(call, innermost(source)),
            None if status.code() == Code::Unavailable => self.lost(call, said()),
            None if status.code() == Code::Unimplemented => {
                Error::Unimplemented { endpoint, call, why: said() }
            }
            None => Error::Refused { endpoint, call, why: said() },
        }
    }
}

/// The error that the others were made from: it says what happened.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
