//! What an image's reference says by itself.

use super::Flag;
use crate::container::ImageIdentity;

/// Where a short name is of: <https://github.com/distribution/reference>.
const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_REPOSITORY: &str = "library";

/// What is to be said of how it was named; nothing where it is not known how.
pub(super) fn flags(image: &ImageIdentity) -> Vec<Flag> {
    let Some(reference) = image.reference.as_deref().filter(|text| !is_digest(text)) else {
        return Vec::new();
    };
    if reference.contains('@') {
        return Vec::new();
    }
    let tag = reference.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'));
    if tag.is_none_or(|tag| tag == "latest") {
        vec![Flag::Unpinned, Flag::TagLatest]
    } else {
        vec![Flag::Unpinned]
    }
}

/// The repository with its registry: `nginx` is `docker.io/library/nginx`. None for an image without a name.
pub(super) fn full_name(image: &ImageIdentity) -> Option<String> {
    let name = image.name.as_str();
    (!name.is_empty() && !is_digest(name)).then(|| expanded(name))
}

pub(super) fn expanded(name: &str) -> String {
    match name.split_once('/') {
        Some(("index.docker.io", rest)) => format!("{DEFAULT_REGISTRY}/{rest}"),
        Some((host, rest)) if host == DEFAULT_REGISTRY && !rest.contains('/') => {
            format!("{DEFAULT_REGISTRY}/{DEFAULT_REPOSITORY}/{rest}")
        }
        Some((host, _)) if is_host(host) => name.to_owned(),
        Some(_) => format!("{DEFAULT_REGISTRY}/{name}"),
        None => format!("{DEFAULT_REGISTRY}/{DEFAULT_REPOSITORY}/{name}"),
    }
}

/// The SHA-256 digests that it goes by, as hexadecimal digits: of its configuration, and of its manifest or index.
pub(super) fn digests(image: &ImageIdentity) -> Vec<&str> {
    let of_repositories = image.repo_digests.iter().chain(&image.reference);
    let of_repositories = of_repositories.filter_map(|text| Some(text.split_once('@')?.1));
    let all = image.id.as_deref().into_iter().chain(of_repositories);
    let mut digests: Vec<_> = all.filter_map(|digest| digest.strip_prefix("sha256:")).collect();
    digests.sort_unstable();
    digests.dedup();
    digests
}

fn is_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':'])
}

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}
