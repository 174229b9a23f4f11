//! One gRPC connection: calls with a time limit, and what their failures mean.

use std::{
    error::Error as _,
    future::ready,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::{net::UnixStream, time::timeout};
use tonic::{
    Code, Request, Status, Streaming,
    client::Grpc,
    codegen::http::{Uri, uri::PathAndQuery},
    transport::{self, Channel},
};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::super::{Endpoint, Error};

/// The largest answer that is read, in bytes; the kubelet's own limit.
const LARGEST: usize = 16 << 20;

/// A method of a service.
#[derive(Clone, Copy)]
pub(super) struct Call {
    /// For messages.
    pub(super) name: &'static str,
    path: &'static str,
}

macro_rules! calls {
    ($($constant:ident: $service:literal $name:literal,)*) => {
        impl Call {
            $(pub(super) const $constant: Self =
                Self { name: $name, path: concat!("/runtime.v1.", $service, "/", $name) };)*
        }
    };
}

calls! {
    VERSION: "RuntimeService" "Version",
    STATUS: "RuntimeService" "Status",
    LIST_CONTAINERS: "RuntimeService" "ListContainers",
    LIST_POD_SANDBOX: "RuntimeService" "ListPodSandbox",
    CONTAINER_STATUS: "RuntimeService" "ContainerStatus",
    POD_SANDBOX_STATUS: "RuntimeService" "PodSandboxStatus",
    GET_CONTAINER_EVENTS: "RuntimeService" "GetContainerEvents",
    LIST_IMAGES: "ImageService" "ListImages",
    IMAGE_STATUS: "ImageService" "ImageStatus",
}

/// Cheap to clone. Is not made again when it is lost.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    channel: Channel,
    endpoint: Arc<str>,
    timeout: Duration,
}

impl Connection {
    /// Speaks over a connection that was made to the endpoint.
    pub(super) async fn new(
        stream: UnixStream,
        endpoint: &Endpoint,
        timeout: Duration,
    ) -> Result<Self, Error> {
        // Handed out once: when this connection is lost, the client is, and whoever made it hears of it.
        let stream = Mutex::new(Some(TokioIo::new(stream)));
        let connector = service_fn(move |_: Uri| {
            let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
            ready(stream.ok_or_else(|| io::Error::other("the runtime closed the connection")))
        });
        // The name is of no meaning on a Unix socket.
        let transport = transport::Endpoint::from_static("http://localhost");
        let connected = transport.connect_with_connector(connector).await;
        let channel = connected.map_err(|error| Error::Lost {
            endpoint: endpoint.to_string(),
            call: Call::VERSION.name,
            why: innermost(&error),
        })?;
        Ok(Self { channel, endpoint: endpoint.to_string().into(), timeout })
    }

    /// For messages.
    pub(super) fn endpoint(&self) -> String {
        self.endpoint.to_string()
    }

    /// One call; none if the runtime says that there is no such thing.
    pub(super) async fn unary<Q, A>(&self, call: Call, request: Q) -> Result<Option<A>, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let asked = async {
            let mut grpc = self.grpc().await?;
            let codec = ProstCodec::<Q, A>::default();
            grpc.unary(Request::new(request), PathAndQuery::from_static(call.path), codec).await
        };
        match timeout(self.timeout, asked).await {
            Ok(Ok(response)) => Ok(Some(response.into_inner())),
            Ok(Err(status)) if status.code() == Code::NotFound => Ok(None),
            Ok(Err(status)) => Err(self.error(call, &status)),
            Err(_) => Err(Error::Timeout {
                endpoint: self.endpoint(),
                call: call.name,
                timeout: self.timeout,
            }),
        }
    }

    /// A stream of answers. Returns when the first is there, however long that takes, since the runtime may say
    /// nothing before.
    pub(super) async fn stream<Q, A>(&self, call: Call, request: Q) -> Result<Streaming<A>, Error>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let asked = async {
            let mut grpc = self.grpc().await?;
            let (path, codec) =
                (PathAndQuery::from_static(call.path), ProstCodec::<Q, A>::default());
            grpc.server_streaming(Request::new(request), path, codec).await
        };
        asked.await.map(tonic::Response::into_inner).map_err(|status| self.error(call, &status))
    }

    async fn grpc(&self) -> Result<Grpc<Channel>, Status> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(LARGEST);
        grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
        Ok(grpc)
    }

    /// What the failure of a call means.
    pub(super) fn error(&self, call: Call, status: &Status) -> Error {
        let (endpoint, call) = (self.endpoint(), call.name);
        let said = || format!("{:?}: {}", status.code(), status.message());
        // Only what happened on our side of the connection has a source.
        match status.source() {
            Some(source) => Error::Lost { endpoint, call, why: innermost(source) },
            None if status.code() == Code::Unavailable => {
                Error::Lost { endpoint, call, why: said() }
            }
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
