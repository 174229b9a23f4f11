//! Names of images: runtimes write them in several ways.

use crate::container::ImageIdentity;

/// The repository of a reference: `registry:5000/team/web:1.2@sha256:…` is of `registry:5000/team/web`.
pub(super) fn repository(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    // A colon before the last slash is the registry's port.
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

/// Whether this names an image by its digest alone, as runtimes do once they know it.
pub(super) fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A digest with its algorithm; CRI-O and Podman leave it out.
pub(super) fn digest(text: &str) -> Option<String> {
    is_digest(text).then(|| match text.strip_prefix("sha256:") {
        Some(_) => text.to_owned(),
        None => format!("sha256:{text}"),
    })
}

/// The machine's name for an architecture that Go's names; others are the same in both.
pub(super) fn architecture(name: &str) -> Option<String> {
    let machine = match name {
        "" => return None,
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "386" => "i686",
        "arm" => "armv7l",
        other => other,
    };
    Some(machine.to_owned())
}

/// Text that is there: runtimes leave out by leaving empty.
pub(super) fn said(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Puts an image together. `references` are what the image may have been asked for as, best first.
///
/// A reference by the config digest says nothing beyond the id, so it is only taken when there is nothing else, and a
/// repository comes from any name that the image has.
pub(super) fn identity(
    id: Option<String>,
    references: &[&str],
    tags: Vec<String>,
    repo_digests: Vec<String>,
    architecture: Option<String>,
) -> Option<ImageIdentity> {
    let known = || references.iter().copied().filter(|text| !text.is_empty());
    let reference = known().find(|text| !is_digest(text)).or_else(|| known().next());
    let names = reference.into_iter().chain(tags.iter().chain(&repo_digests).map(String::as_str));
    let name = names.into_iter().find(|text| !is_digest(text)).map(repository);
    let name =
        name.map(str::to_owned).or_else(|| id.clone()).or_else(|| reference.map(str::to_owned))?;
    let reference = reference.map(str::to_owned);
    Some(ImageIdentity { id, reference, name, tags, repo_digests, architecture })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_neither_tag_nor_digest() {
        let digest = format!("sha256:{}", "d4".repeat(32));
        for (reference, expected) in [
            ("nginx", "nginx"),
            ("nginx:1.27", "nginx"),
            ("docker.io/library/nginx:latest", "docker.io/library/nginx"),
            ("registry.local:5000/team/web", "registry.local:5000/team/web"),
            ("registry.local:5000/team/web:2.1", "registry.local:5000/team/web"),
            (&format!("registry.local:5000/web@{digest}"), "registry.local:5000/web"),
            (&format!("registry.local:5000/web:2.1@{digest}"), "registry.local:5000/web"),
            ("[::1]:5000/web:2", "[::1]:5000/web"),
        ] {
            assert_eq!(repository(reference), expected, "{reference}");
        }
    }

    #[test]
    fn digests_get_their_algorithm() {
        let hex = "d4".repeat(32);
        assert_eq!(digest(&hex), Some(format!("sha256:{hex}")));
        assert_eq!(digest(&format!("sha256:{hex}")), Some(format!("sha256:{hex}")));
        assert_eq!(digest("nginx:latest"), None);
        assert_eq!(digest(&format!("nginx@sha256:{hex}")), None);
    }

    #[test]
    fn the_name_comes_from_whatever_names_the_image() {
        let id = digest(&"d4".repeat(32));
        let of = |references: &[&str], tags: &[&str]| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let image = identity(id.clone(), references, tags, Vec::new(), None).unwrap();
            (image.name, image.reference.unwrap())
        };
        let hex = id.as_deref().unwrap();
        assert_eq!(of(&["web:1", hex], &["r/web:2"]), ("web".into(), "web:1".into()));
        assert_eq!(of(&["", hex], &["r/web:2"]), ("r/web".into(), hex.into()));
        assert_eq!(of(&[hex], &[]), (hex.into(), hex.into()));
        assert_eq!(identity(None, &[""], Vec::new(), Vec::new(), None), None);
    }
}
