//! Manifests and blobs, one at a time, each compared with what was asked for.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};

use super::client::{Ask, Client};
use super::error::RegistryError;
use super::manifest::{Descriptor, Digest};

/// As other tools have it.
const MANIFEST_MAX: u64 = 4 * 1024 * 1024;

/// A blob, checked against its descriptor.
pub(super) async fn blob(
    client: &Client,
    layer: &Descriptor,
    max: u64,
) -> Result<Vec<u8>, RegistryError> {
    let what = format!("blob {}", layer.digest);
    if layer.size > max {
        return Err(client.lie(&what, format!("it is larger than {max} bytes")));
    }
    let url = client.url(&format!("blobs/{}", layer.digest));
    let ask = Ask { method: Method::GET, url, what: what.clone(), accept: None, body: None };
    let answer = client.send(ask).await?;
    if answer.status() != StatusCode::OK {
        return Err(client.refusal(answer, &what).await);
    }
    let bytes = client.body(answer, &what, layer.size).await?;
    if bytes.len() as u64 != layer.size {
        let why = format!("it has {} bytes, not {}", bytes.len(), layer.size);
        return Err(client.lie(&what, why));
    }
    let found = Digest::of(&bytes);
    if found != layer.digest {
        return Err(client.lie(&what, format!("its digest is {found}")));
    }
    Ok(bytes)
}

/// Stores a blob, if it is not there yet.
pub(super) async fn upload(
    client: &Client,
    media_type: &str,
    bytes: Vec<u8>,
) -> Result<Descriptor, RegistryError> {
    let descriptor = Descriptor::of(media_type, &bytes);
    let what = format!("blob {}", descriptor.digest);
    let url = client.url(&format!("blobs/{}", descriptor.digest));
    let head = Ask { method: Method::HEAD, url, what: what.clone(), accept: None, body: None };
    if client.send(head.clone()).await?.status() == StatusCode::OK {
        return Ok(descriptor);
    }
    let start = Ask { method: Method::POST, url: client.url("blobs/uploads/"), ..head.clone() };
    let answer = client.send(start).await?;
    if answer.status() != StatusCode::ACCEPTED {
        return Err(client.refusal(answer, &what).await);
    }
    let mut url = client.location(&answer, &what)?;
    url.query_pairs_mut().append_pair("digest", descriptor.digest.as_str());
    let body = Some(("application/octet-stream", Bytes::from(bytes)));
    let answer = client.send(Ask { method: Method::PUT, url, body, ..head }).await?;
    match answer.status() {
        StatusCode::CREATED => Ok(descriptor),
        _ => Err(client.refusal(answer, &what).await),
    }
}

/// A manifest by tag or digest, which its bytes must have; none where there is none.
pub(super) async fn get(
    client: &Client,
    name: &str,
    accept: &[&str],
) -> Result<Option<(Descriptor, Vec<u8>)>, RegistryError> {
    let what = format!("manifest {name}");
    let url = client.url(&format!("manifests/{name}"));
    let types = Some(accept.join(", "));
    let ask = Ask { method: Method::GET, url, what: what.clone(), accept: types, body: None };
    let answer = client.send(ask).await?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        _ => return Err(client.refusal(answer, &what).await),
    }
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let media_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_owned();
    let named = header("docker-content-digest").map(ToOwned::to_owned);
    if !accept.contains(&media_type.as_str()) {
        return Err(client.lie(&what, format!("it is of type {media_type:?}")));
    }
    let text = client.body(answer, &what, MANIFEST_MAX).await?;
    let descriptor = Descriptor::of(&media_type, &text);
    let by_digest = name.contains(':').then_some(name);
    for expected in [by_digest, named.as_deref()].into_iter().flatten() {
        if expected != descriptor.digest.as_str() {
            let why = format!("its digest is {}, not {expected}", descriptor.digest);
            return Err(client.lie(&what, why));
        }
    }
    Ok(Some((descriptor, text)))
}

/// A manifest that must be there.
pub(super) async fn fetch(
    client: &Client,
    name: &str,
    accept: &[&str],
) -> Result<(Descriptor, Vec<u8>), RegistryError> {
    let found = get(client, name, accept).await?;
    found.ok_or_else(|| client.lie(&format!("manifest {name}"), "it is listed and not there"))
}

pub(super) async fn put(
    client: &Client,
    name: &str,
    media_type: &'static str,
    text: Vec<u8>,
) -> Result<HeaderMap, RegistryError> {
    let what = format!("manifest {name}");
    let url = client.url(&format!("manifests/{name}"));
    let body = Some((media_type, Bytes::from(text)));
    let ask = Ask { method: Method::PUT, url, what: what.clone(), accept: None, body };
    let answer = client.send(ask).await?;
    match answer.status() {
        StatusCode::CREATED => Ok(answer.headers().clone()),
        _ => Err(client.refusal(answer, &what).await),
    }
}
