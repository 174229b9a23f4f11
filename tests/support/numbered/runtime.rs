//! A socket that answers the CRI's questions about containers that are numbered, without keeping any.

use std::path::Path;

use anyhow::Context as _;
use h2::{RecvStream, server::SendResponse};
use prost::Message;
use prost::bytes::Bytes;
use tokio::net::{UnixListener, UnixStream};
use tonic::codegen::http::{HeaderMap, HeaderValue, Request, Response};

use super::messages::{
    Container, ContainerAnswer, ContainerName, ContainerStatus, Image, ImageAnswer, ImageName,
    List, Listed, Metadata, One, SandboxAnswer, SandboxStatus, Sandboxes, Version,
};
use super::{digest, id, number, repository};

const RUNNING: i32 = 1;
const NOT_FOUND: &str = "5";
const UNIMPLEMENTED: &str = "12";

/// Serves from a thread of its own, until the program ends.
pub fn serve(socket: &Path, images: usize) -> anyhow::Result<()> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _context = executor.enter();
        UnixListener::bind(socket).context("the runtime's socket")?
    };
    std::thread::spawn(move || {
        executor.block_on(async {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, images));
            }
        });
    });
    Ok(())
}

async fn connection(stream: UnixStream, images: usize) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(call(request, respond, images));
    }
}

async fn call(request: Request<RecvStream>, respond: SendResponse<Bytes>, images: usize) {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let mut body = request.into_body();
    let mut question = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        let _room = body.flow_control().release_capacity(data.len());
        question.extend_from_slice(&data);
    }
    // Behind whether it is compressed, and its length.
    let answer = answer(&method, question.get(5..).unwrap_or_default(), images);
    // Whoever asked may be gone.
    let _gone = reply(respond, answer);
}

fn answer(method: &str, question: &[u8], images: usize) -> Result<Vec<u8>, &'static str> {
    let one = || One::decode(question).map_or_else(|_| String::new(), |one| one.id);
    let filter = || List::decode(question).ok().and_then(|list| Some(list.filter?.id));
    match method {
        "Version" => Ok(Version {
            runtime_name: "containerd".to_owned(),
            runtime_version: "2.0.0".to_owned(),
        }
        .encode_to_vec()),
        "ListContainers" => {
            let found = filter().and_then(|id| number('a', &id));
            let listed = |own: usize| Container {
                id: id('a', own),
                pod_sandbox_id: id('b', own),
                image_ref: digest(own % images),
                state: RUNNING,
            };
            Ok(Listed { containers: found.map(listed).into_iter().collect() }.encode_to_vec())
        }
        "ListPodSandbox" => {
            let found = filter().filter(|id| number('b', id).is_some());
            let items = found.map(|id| One { id }).into_iter().collect();
            Ok(Sandboxes { items }.encode_to_vec())
        }
        "ContainerStatus" => {
            let own = number('a', &one()).ok_or(NOT_FOUND)?;
            Ok(ContainerAnswer { status: Some(container(own, own % images)) }.encode_to_vec())
        }
        "PodSandboxStatus" => {
            let own = number('b', &one()).ok_or(NOT_FOUND)?;
            Ok(SandboxAnswer { status: Some(sandbox(own, own % images)) }.encode_to_vec())
        }
        "ImageStatus" => {
            let asked = ImageName::decode(question).ok().and_then(|name| Some(name.image?.id));
            let is_it = |image: &usize| asked.as_deref() == Some(&digest(*image));
            let image = (0..images).find(is_it).ok_or(NOT_FOUND)?;
            let image =
                Image { id: digest(image), repo_tags: vec![format!("{}:1", repository(image))] };
            Ok(ImageAnswer { image: Some(image) }.encode_to_vec())
        }
        _ => Err(UNIMPLEMENTED),
    }
}

fn container(own: usize, image: usize) -> ContainerStatus {
    ContainerStatus {
        id: id('a', own),
        metadata: Some(ContainerName { name: "app".to_owned() }),
        state: RUNNING,
        started_at: 1_700_000_000_000_000_000,
        image: Some(One { id: format!("{}:1", repository(image)) }),
        image_ref: digest(image),
    }
}

fn sandbox(own: usize, image: usize) -> SandboxStatus {
    let name = format!("app-{image}-{own}");
    let labels = [
        ("app".to_owned(), format!("app-{image}")),
        ("pod-template-hash".to_owned(), "5d4f8c7b9d".to_owned()),
        ("team".to_owned(), "bench".to_owned()),
    ];
    SandboxStatus {
        id: id('b', own),
        metadata: Some(Metadata {
            name,
            uid: format!("00000000-0000-4000-8000-{own:012}"),
            namespace: format!("space-{}", own % 10),
        }),
        labels: labels.into(),
    }
}

fn reply(
    mut respond: SendResponse<Bytes>,
    answer: Result<Vec<u8>, &'static str>,
) -> Result<(), h2::Error> {
    let mut head = Response::new(());
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut stream = respond.send_response(head, false)?;
    let status = match answer {
        Ok(message) => {
            let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
            stream.send_data([&[0][..], &length.to_be_bytes(), &message].concat().into(), false)?;
            "0"
        }
        Err(status) => status,
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    stream.send_trailers(trailers)
}
