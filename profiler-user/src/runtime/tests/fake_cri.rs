//! A runtime that speaks the CRI: gRPC by hand over HTTP/2, with what the tests want to be said.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use h2::{RecvStream, SendStream, server::SendResponse};
use prost::{Message, bytes::Bytes};
use tokio::{net::UnixStream, sync::broadcast, time::sleep};
use tonic::codegen::http::{HeaderMap, HeaderValue, Request, Response};

use super::{
    super::cri::messages::{
        Container, ContainerEvent, ContainerEventType, ContainerMetadata, ContainerState,
        ContainerStatus, ContainerStatusRequest, ContainerStatusResponse, Image, ImageSpec,
        ImageStatusResponse, ListContainersResponse, ListPodSandboxResponse, ListRequest,
        PodSandbox, PodSandboxMetadata, PodSandboxNetworkStatus, PodSandboxState, PodSandboxStatus,
        PodSandboxStatusRequest, PodSandboxStatusResponse, VersionResponse,
    },
    Place, Serving,
};
use crate::container::ContainerId;

const NOT_FOUND: &str = "5";
const UNIMPLEMENTED: &str = "12";
const INTERNAL: &str = "13";

/// What the runtime knows and how it behaves. Shared with its connections.
#[derive(Clone)]
pub(super) struct Cri(Arc<Inner>);

struct Inner {
    knows: Mutex<Knows>,
    /// None: the runtime has no events, as containerd 1.6.
    stops: Option<broadcast::Sender<String>>,
    calls: Mutex<HashMap<String, usize>>,
    busy: AtomicUsize,
    busiest: AtomicUsize,
}

#[derive(Default)]
pub(super) struct Knows {
    pub(super) containers: Vec<(Container, ContainerStatus)>,
    pub(super) sandboxes: Vec<PodSandboxStatus>,
    /// Before every answer.
    pub(super) delay: Duration,
    /// Calls that fail.
    pub(super) broken: Vec<&'static str>,
}

impl Cri {
    pub(super) fn new(has_events: bool) -> Self {
        Self(Arc::new(Inner {
            knows: Mutex::default(),
            stops: has_events.then(|| broadcast::Sender::new(16)),
            calls: Mutex::default(),
            busy: AtomicUsize::new(0),
            busiest: AtomicUsize::new(0),
        }))
    }

    pub(super) fn knows(&self) -> MutexGuard<'_, Knows> {
        self.0.knows.lock().unwrap()
    }

    pub(super) fn calls(&self, call: &str) -> usize {
        self.0.calls.lock().unwrap().get(call).copied().unwrap_or(0)
    }

    /// The most calls that were there at once.
    pub(super) fn busiest(&self) -> usize {
        self.0.busiest.load(Ordering::SeqCst)
    }

    pub(super) fn serve(&self, place: &Place) -> Serving {
        let cri = self.clone();
        place.serve(move |stream| cri.clone().connection(stream))
    }

    /// A pod `shop/web-1` with its sandbox.
    pub(super) fn add_sandbox(&self, id: &ContainerId) {
        let metadata = PodSandboxMetadata {
            name: "web-1".to_owned(),
            uid: "uid-1".to_owned(),
            namespace: "shop".to_owned(),
            attempt: 0,
        };
        let labels = [("app", "web"), ("io.kubernetes.pod.name", "web-1")];
        self.knows().sandboxes.push(PodSandboxStatus {
            id: id.to_string(),
            metadata: Some(metadata),
            state: PodSandboxState::Ready as i32,
            created_at: 1_000_000_000,
            network: Some(PodSandboxNetworkStatus { ip: "10.1.2.3".to_owned() }),
            labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            annotations: HashMap::new(),
        });
    }

    /// A running container as containerd 1.6 tells of it.
    pub(super) fn add_container(&self, id: &ContainerId, sandbox: &ContainerId) {
        let metadata = Some(ContainerMetadata { name: "web".to_owned(), attempt: 2 });
        let spec =
            |image: &str| Some(ImageSpec { image: image.to_owned(), ..ImageSpec::default() });
        let listed = Container {
            id: id.to_string(),
            pod_sandbox_id: sandbox.to_string(),
            metadata: metadata.clone(),
            image: spec(&config_digest()),
            image_ref: config_digest(),
            state: ContainerState::Running as i32,
            ..Container::default()
        };
        let status = ContainerStatus {
            id: id.to_string(),
            metadata,
            state: ContainerState::Running as i32,
            created_at: 1_000_000_000,
            started_at: 2_000_000_000,
            image: spec("r.local:5000/web:1"),
            image_ref: format!("r.local:5000/web@sha256:{}", "e5".repeat(32)),
            log_path: "/var/log/pods/web/2.log".to_owned(),
            ..ContainerStatus::default()
        };
        self.knows().containers.push((listed, status));
    }

    pub(super) fn end(&self, id: &ContainerId, exit_code: i32) {
        for (_, status) in
            self.knows().containers.iter_mut().filter(|(_, status)| status.id == id.as_str())
        {
            status.state = ContainerState::Exited as i32;
            status.finished_at = 3_000_000_000;
            status.exit_code = exit_code;
            "Error".clone_into(&mut status.reason);
        }
    }

    /// Sends the event that this one stopped.
    pub(super) fn tell_stop(&self, id: &ContainerId) {
        self.0.stops.as_ref().unwrap().send(id.to_string()).unwrap();
    }

    async fn connection(self, stream: UnixStream) {
        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
        let mut calls = tokio::task::JoinSet::new();
        while let Some(Ok((request, respond))) = connection.accept().await {
            calls.spawn(self.clone().call(request, respond));
        }
    }

    async fn call(self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let call = request.uri().path().rsplit('/').next().unwrap().to_owned();
        *self.0.calls.lock().unwrap().entry(call.clone()).or_default() += 1;
        let busy = self.0.busy.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.busiest.fetch_max(busy, Ordering::SeqCst);
        let mut body = request.into_body();
        let mut message = Vec::new();
        while let Some(Ok(data)) = body.data().await {
            message.extend_from_slice(&data);
        }
        let delay = self.knows().delay;
        sleep(delay).await;
        if call == "GetContainerEvents" {
            self.events(respond).await;
        } else {
            reply(respond, self.answer(&call, &message[5..]));
        }
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
    }

    fn answer(&self, call: &str, message: &[u8]) -> Result<Vec<u8>, &'static str> {
        let knows = self.knows();
        if knows.broken.contains(&call) {
            return Err(INTERNAL);
        }
        let filter = || ListRequest::decode(message).unwrap().filter.map(|filter| filter.id);
        // As runtimes do: prefixes too.
        let wanted = |filter: &Option<String>, id: &str| {
            filter.as_ref().is_none_or(|prefix| id.starts_with(prefix))
        };
        match call {
            "Version" => Ok(VersionResponse {
                runtime_name: "containerd".to_owned(),
                runtime_version: "1.6.0".to_owned(),
            }
            .encode_to_vec()),
            "ListContainers" => {
                let filter = filter();
                let listed = knows.containers.iter().map(|(listed, _)| listed);
                let containers =
                    listed.filter(|container| wanted(&filter, &container.id)).cloned().collect();
                Ok(ListContainersResponse { containers }.encode_to_vec())
            }
            "ListPodSandbox" => {
                let filter = filter();
                let ids = knows.sandboxes.iter().map(|sandbox| sandbox.id.clone());
                let items =
                    ids.filter(|id| wanted(&filter, id)).map(|id| PodSandbox { id }).collect();
                Ok(ListPodSandboxResponse { items }.encode_to_vec())
            }
            "ContainerStatus" => {
                let id = ContainerStatusRequest::decode(message).unwrap().container_id;
                let found =
                    knows.containers.iter().find(|(_, status)| status.id == id).ok_or(NOT_FOUND)?;
                let info = r#"{"pid":4711,"runtimeSpec":{"annotations":{"io.kubernetes.cri.image-name":"r.local:5000/web:1"}}}"#;
                let info = HashMap::from([("info".to_owned(), info.to_owned())]);
                Ok(ContainerStatusResponse { status: Some(found.1.clone()), info }.encode_to_vec())
            }
            "PodSandboxStatus" => {
                let id = PodSandboxStatusRequest::decode(message).unwrap().pod_sandbox_id;
                let status =
                    knows.sandboxes.iter().find(|sandbox| sandbox.id == id).ok_or(NOT_FOUND)?;
                let info = HashMap::from([("info".to_owned(), r#"{"pid":4700}"#.to_owned())]);
                Ok(PodSandboxStatusResponse { status: Some(status.clone()), info }.encode_to_vec())
            }
            "ImageStatus" => {
                let image = Image {
                    id: config_digest(),
                    repo_tags: vec!["r.local:5000/web:1".to_owned()],
                    repo_digests: vec![format!("r.local:5000/web@sha256:{}", "e5".repeat(32))],
                };
                let info = r#"{"imageSpec":{"architecture":"arm64"}}"#.to_owned();
                let info = HashMap::from([("info".to_owned(), info)]);
                Ok(ImageStatusResponse { image: Some(image), info }.encode_to_vec())
            }
            _ => Err(UNIMPLEMENTED),
        }
    }

    async fn events(&self, mut respond: SendResponse<Bytes>) {
        let Some(stops) = &self.0.stops else { return reply(respond, Err(UNIMPLEMENTED)) };
        let mut stops = stops.subscribe();
        let mut stream = respond.send_response(head(), false).unwrap();
        while let Ok(container_id) = stops.recv().await {
            let event = ContainerEvent { container_id, kind: ContainerEventType::Stopped as i32 };
            if stream.send_data(frame(&event.encode_to_vec()), false).is_err() {
                return;
            }
        }
    }
}

pub(super) fn config_digest() -> String {
    format!("sha256:{}", "d4".repeat(32))
}

fn head() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

/// Not compressed, length, message.
fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), message].concat().into()
}

fn reply(mut respond: SendResponse<Bytes>, answer: Result<Vec<u8>, &'static str>) {
    // Whoever asked may be gone.
    let Ok(mut stream) = respond.send_response(head(), false) else { return };
    let sent = answer.map(|message| stream.send_data(frame(&message), false));
    finish(&mut stream, sent.err().unwrap_or("0"));
}

fn finish(stream: &mut SendStream<Bytes>, status: &'static str) {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    let _gone = stream.send_trailers(trailers);
}
