//! A client of a container runtime, as a kubelet is one.

pub mod messages;

use std::{path::Path, sync::Arc, time::Duration};

use messages::{
    ContainerId, ContainerStatusRequest, ContainerStatusResponse, CreateContainerRequest, Empty,
    ExecSyncRequest, ExecSyncResponse, ListContainersRequest, ListContainersResponse,
    PodSandboxStatusResponse, RunPodSandboxRequest, SandboxId, StatusResponse,
    StopContainerRequest,
};
use prost::Message;
use tokio::runtime::Runtime;
use tonic::{
    Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

/// A connection that is made when it is needed, and again after the runtime was restarted. Clones share it.
#[derive(Clone)]
pub struct Cri {
    // Blocking on the outside, so that a test reads from top to bottom.
    executor: Arc<Runtime>,
    channel: Channel,
}

impl Cri {
    /// A client of the runtime behind a socket, which need not be there yet.
    pub fn new(socket: &Path) -> Self {
        let executor = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread for the client");
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()))
            .expect("a socket's path")
            .timeout(Duration::from_mins(2));
        let channel = executor.block_on(async { endpoint.connect_lazy() });
        Self { executor: Arc::new(executor), channel }
    }

    fn call<Q, A>(&self, method: &'static str, question: Q) -> Result<A, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let path = PathAndQuery::from_static(method);
        let mut client = Grpc::new(self.channel.clone());
        self.executor.block_on(async {
            client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let codec = ProstCodec::<Q, A>::default();
            Ok(client.unary(Request::new(question), path, codec).await?.into_inner())
        })
    }
}

/// Methods by their name in the interface.
macro_rules! methods {
    ($($name:ident = $method:literal ($question:ty) -> $answer:ty;)*) => {
        impl Cri {
            $(
                #[doc = concat!("`", $method, "`")]
                pub fn $name(&self, question: $question) -> Result<$answer, Status> {
                    self.call(concat!("/runtime.v1.RuntimeService/", $method), question)
                }
            )*
        }
    };
}

methods! {
    status = "Status" (Empty) -> StatusResponse;
    run_sandbox = "RunPodSandbox" (RunPodSandboxRequest) -> SandboxId;
    sandbox_status = "PodSandboxStatus" (SandboxId) -> PodSandboxStatusResponse;
    stop_sandbox = "StopPodSandbox" (SandboxId) -> Empty;
    remove_sandbox = "RemovePodSandbox" (SandboxId) -> Empty;
    create_container = "CreateContainer" (CreateContainerRequest) -> ContainerId;
    start_container = "StartContainer" (ContainerId) -> Empty;
    stop_container = "StopContainer" (StopContainerRequest) -> Empty;
    remove_container = "RemoveContainer" (ContainerId) -> Empty;
    exec = "ExecSync" (ExecSyncRequest) -> ExecSyncResponse;
    containers = "ListContainers" (ListContainersRequest) -> ListContainersResponse;
    container_status = "ContainerStatus" (ContainerStatusRequest) -> ContainerStatusResponse;
}
