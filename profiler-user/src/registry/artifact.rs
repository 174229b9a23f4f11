//! A baseline with its envelope as an artifact, and the image that it refers to.

use serde::de::DeserializeOwned;

use super::client::Client;
use super::error::RegistryError;
use super::manifest::{
    ANY, ARTIFACT, Descriptor, Digest, EMPTY, EMPTY_BYTES, ENVELOPE, Index, MANIFEST, Manifest,
};
use super::reference::{Reference, Target};
use super::referrers;
use super::transfer::{blob, get, put, upload};

/// What a baseline and an envelope may have as files.
const BASELINE_MAX: u64 = 64 * 1024 * 1024;
const ENVELOPE_MAX: u64 = 16 * 1024 * 1024;
/// Of all baselines of one image.
const ALL_MAX: u64 = 256 * 1024 * 1024;
/// More platforms than any image has, and more baselines.
const MANY: usize = 64;

/// A manifest of an image: one platform's.
#[derive(Debug)]
pub struct Image {
    descriptor: Descriptor,
    /// What a node knows the image by.
    pub id: Digest,
    /// Itself, and the index that names it: what `repo_digests` may hold.
    pub digests: Vec<Digest>,
}

/// What a reference names.
#[derive(Debug)]
pub enum Found {
    Nothing,
    /// An image, for each platform.
    Images(Vec<Image>),
    /// A baseline that refers to no image.
    Baseline(Artifact),
}

/// Bytes whose digests are as the manifest says; nothing more is known of them.
#[derive(Debug)]
pub struct Artifact {
    pub digest: Digest,
    pub baseline: Vec<u8>,
    pub envelope: Option<Vec<u8>>,
}

#[derive(Debug)]
pub struct Pushed {
    pub digest: Digest,
}

/// What is at `reference`, and which baselines refer to it.
pub async fn pull(
    client: &Client,
    reference: &Reference,
) -> Result<(Found, Vec<Artifact>), RegistryError> {
    let found = find(client, reference).await?;
    let mut artifacts = Vec::new();
    let Found::Images(images) = &found else { return Ok((found, artifacts)) };
    let mut digests: Vec<_> = images.iter().flat_map(|image| &image.digests).collect();
    digests.sort();
    digests.dedup();
    let mut size = 0;
    for image in digests {
        for entry in referrers::baselines_of(client, image).await? {
            let what = format!("baseline {}", entry.digest);
            let manifest: Manifest = parse(client, &what, &referrers::read(client, &entry).await?)?;
            if manifest.subject.as_ref().map(|subject| &subject.digest) != Some(image) {
                return Err(client.lie(&what, format!("it does not refer to {image}")));
            }
            let artifact = layers(client, entry.digest, &manifest).await?;
            size += artifact.baseline.len() as u64;
            artifacts.push(artifact);
            if artifacts.len() > MANY || size > ALL_MAX {
                let why = format!("they are more than {MANY}, or larger than {ALL_MAX} bytes");
                return Err(client.lie("the baselines of the image", why));
            }
        }
    }
    Ok((found, artifacts))
}

/// Stores a baseline: beside `image`, or else under the reference's own tag.
pub async fn push(
    client: &Client,
    reference: &Reference,
    image: Option<&Image>,
    baseline: Vec<u8>,
    envelope: Option<Vec<u8>>,
) -> Result<Pushed, RegistryError> {
    let mut layers = vec![upload(client, ARTIFACT, baseline).await?];
    if let Some(envelope) = envelope {
        layers.push(upload(client, ENVELOPE, envelope).await?);
    }
    upload(client, EMPTY, EMPTY_BYTES.to_vec()).await?;
    let manifest = Manifest::artifact(layers, image.map(|image| image.descriptor.clone()));
    let text = serde_json::to_vec(&manifest).expect("a manifest holds nothing that JSON does not");
    let descriptor = Descriptor::of(MANIFEST, &text);
    let digest = descriptor.digest.clone();
    let Some(image) = image else {
        put(client, &reference.target.to_string(), MANIFEST, text).await?;
        return Ok(Pushed { digest });
    };
    let answer = put(client, digest.as_str(), MANIFEST, text).await?;
    // So says a registry that keeps the list of what refers to an image.
    if !answer.contains_key("oci-subject") {
        referrers::add(client, &image.descriptor.digest, &descriptor).await?;
    }
    Ok(Pushed { digest })
}

/// What a reference names, before anything is done with it.
pub async fn find(client: &Client, reference: &Reference) -> Result<Found, RegistryError> {
    let what = reference.to_string();
    let Some((top, text)) = get(client, &reference.target.to_string(), ANY).await? else {
        return match reference.target {
            Target::Tag(_) => Ok(Found::Nothing),
            Target::Digest(_) => Err(client.lie(&what, "it has no such manifest")),
        };
    };
    if !top.is_index() {
        let manifest: Manifest = parse(client, &what, &text)?;
        if manifest.artifact_type.as_deref() == Some(ARTIFACT) {
            return layers(client, top.digest, &manifest).await.map(Found::Baseline);
        }
        let digests = vec![top.digest.clone()];
        let image = Image { descriptor: top, id: manifest.config.digest, digests };
        return Ok(Found::Images(vec![image]));
    }
    let index: Index = parse(client, &what, &text)?;
    if index.manifests.len() > MANY {
        return Err(client.lie(&what, format!("it has more than {MANY} manifests")));
    }
    let mut images = Vec::new();
    for entry in index.manifests.into_iter().filter(is_platform) {
        let text = referrers::read(client, &entry).await?;
        let manifest: Manifest = parse(client, &what, &text)?;
        let descriptor = Descriptor::of(&entry.media_type, &text);
        let digests = vec![entry.digest, top.digest.clone()];
        images.push(Image { descriptor, id: manifest.config.digest, digests });
    }
    Ok(Found::Images(images))
}

/// An index may hold other things than images: builders put what they attest there.
fn is_platform(entry: &Descriptor) -> bool {
    let architecture =
        entry.platform.as_ref().and_then(|platform| platform["architecture"].as_str());
    !entry.is_index() && architecture != Some("unknown")
}

/// A baseline, and at most one envelope.
async fn layers(
    client: &Client,
    digest: Digest,
    manifest: &Manifest,
) -> Result<Artifact, RegistryError> {
    let what = format!("baseline {digest}");
    let expected = match manifest.layers.as_slice() {
        [baseline] => Some((baseline, None)),
        [baseline, envelope] => Some((baseline, Some(envelope))),
        _ => None,
    };
    let right = expected.filter(|(baseline, envelope)| {
        manifest.artifact_type.as_deref() == Some(ARTIFACT)
            && baseline.media_type == ARTIFACT
            && envelope.is_none_or(|envelope| envelope.media_type == ENVELOPE)
    });
    let Some((baseline, envelope)) = right else {
        return Err(client.lie(&what, "its layers are of other media types than a baseline's"));
    };
    let baseline = blob(client, baseline, BASELINE_MAX).await?;
    let envelope = match envelope {
        Some(envelope) => Some(blob(client, envelope, ENVELOPE_MAX).await?),
        None => None,
    };
    Ok(Artifact { digest, baseline, envelope })
}

fn parse<T: DeserializeOwned>(
    client: &Client,
    what: &str,
    text: &[u8],
) -> Result<T, RegistryError> {
    serde_json::from_slice(text)
        .map_err(|error| client.lie(what, format!("it is no manifest: {error}")))
}
