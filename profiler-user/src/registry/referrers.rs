//! What refers to an image: the registry's own list, or the tag that stands in for it where it keeps none.

use reqwest::header::{CONTENT_TYPE, LINK};
use reqwest::{Method, Response, StatusCode};

use super::client::{Ask, Client};
use super::error::RegistryError;
use super::manifest::{ARTIFACT, Descriptor, Digest, INDEX, Index};
use super::transfer::{fetch, get, put};

const LIST_MAX: u64 = 4 * 1024 * 1024;
/// A list may come in parts.
const PARTS: usize = 16;
/// Writers of a tag overwrite each other: who finds itself gone writes again.
const TRIES: usize = 5;

/// The baselines among what refers to `image`.
pub(super) async fn baselines_of(
    client: &Client,
    image: &Digest,
) -> Result<Vec<Descriptor>, RegistryError> {
    let mut found = match listed(client, image).await? {
        Some(found) => found,
        None => tagged(client, image).await?.manifests,
    };
    found.retain(|descriptor| descriptor.artifact_type.as_deref() == Some(ARTIFACT));
    found.sort_by(|one, other| one.digest.cmp(&other.digest));
    found.dedup_by(|one, other| one.digest == other.digest);
    Ok(found)
}

/// None where the registry has no such list.
async fn listed(client: &Client, image: &Digest) -> Result<Option<Vec<Descriptor>>, RegistryError> {
    let what = format!("the list of what refers to {image}");
    let mut found = Vec::new();
    let mut url = client.url(&format!("referrers/{image}"));
    for _ in 0..PARTS {
        let accept = Some(INDEX.to_owned());
        let ask = Ask { method: Method::GET, url, what: what.clone(), accept, body: None };
        let answer = client.send(ask).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(client.refusal(answer, &what).await),
        }
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if kind.and_then(|kind| kind.split(';').next()) != Some(INDEX) {
            return Err(client.lie(&what, format!("it is of type {kind:?}, not {INDEX:?}")));
        }
        let next = next(&answer);
        let text = client.body(answer, &what, LIST_MAX).await?;
        let part: Index = serde_json::from_slice(&text)
            .map_err(|error| client.lie(&what, format!("it is no index: {error}")))?;
        found.extend(part.manifests);
        match next {
            Some(next) if next.origin() == client.url("").origin() => url = next,
            Some(_) => return Err(client.lie(&what, "it goes on at another host")),
            None => return Ok(Some(found)),
        }
    }
    Err(client.lie(&what, format!("it has more than {PARTS} parts")))
}

/// `<…>; rel="next"`.
fn next(answer: &Response) -> Option<reqwest::Url> {
    let link = answer.headers().get(LINK)?.to_str().ok()?;
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    rest.contains("next").then(|| answer.url().join(target).ok())?
}

async fn tagged(client: &Client, image: &Digest) -> Result<Index, RegistryError> {
    let tag = image.fallback_tag();
    let Some((descriptor, text)) = get(client, &tag, &[INDEX]).await? else {
        let media_type = Some(INDEX.to_owned());
        return Ok(Index { schema_version: 2, media_type, manifests: Vec::new() });
    };
    serde_json::from_slice(&text)
        .map_err(|error| client.lie(&tag, format!("{} is no index: {error}", descriptor.digest)))
}

/// Adds to the tag that stands in for the list.
pub(super) async fn add(
    client: &Client,
    image: &Digest,
    artifact: &Descriptor,
) -> Result<(), RegistryError> {
    let tag = image.fallback_tag();
    for _ in 0..TRIES {
        let mut index = tagged(client, image).await?;
        if index.manifests.iter().any(|found| found.digest == artifact.digest) {
            return Ok(());
        }
        let mut entry = artifact.clone();
        entry.artifact_type = Some(ARTIFACT.to_owned());
        index.manifests.push(entry);
        let text = serde_json::to_vec(&index).expect("an index holds nothing that JSON does not");
        put(client, &tag, INDEX, text).await?;
    }
    let index = tagged(client, image).await?;
    if index.manifests.iter().any(|found| found.digest == artifact.digest) {
        return Ok(());
    }
    Err(client.lie(&tag, "what was written there does not stay"))
}

/// A manifest that the list names, checked against it.
pub(super) async fn read(client: &Client, entry: &Descriptor) -> Result<Vec<u8>, RegistryError> {
    let (found, text) = fetch(client, entry.digest.as_str(), &[&entry.media_type]).await?;
    if found.size != entry.size {
        let why = format!("it has {} bytes, not the {} that are listed", found.size, entry.size);
        return Err(client.lie(entry.digest.as_str(), why));
    }
    Ok(text)
}
