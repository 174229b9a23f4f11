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

/// What an image may have been asked for as; either list best first, empty texts allowed.
pub(super) struct References<'a> {
    /// As the user wrote it, or as the container was made; digests alone when the kubelet had already looked it up.
    pub(super) given: &'a [&'a str],
    /// One of the image's tags, whichever the runtime took. containerd 1.6 takes the first in alphabetical order.
    pub(super) guessed: &'a [&'a str],
}

/// Puts an image together. A guess is only a reference if the image has no second tag that it might have been. A
/// digest alone says nothing beyond the id, so the repository comes from any name that the image has.
pub(super) fn identity(
    id: Option<String>,
    references: &References<'_>,
    tags: Vec<String>,
    repo_digests: Vec<String>,
    architecture: Option<String>,
) -> Option<ImageIdentity> {
    let name_of = |texts: &[&'_ str]| {
        texts
            .iter()
            .find(|text| !text.is_empty() && !is_digest(text))
            .map(|text| (*text).to_owned())
    };
    let guess = name_of(references.guessed);
    let reference = name_of(references.given).or_else(|| guess.clone().filter(|_| tags.len() < 2));
    let names = reference.iter().chain(&guess).chain(&tags).chain(&repo_digests);
    let name = names.map(|name| repository(name).to_owned()).next().or_else(|| id.clone())?;
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
            ("registry.local/library/nginx:latest", "registry.local/library/nginx"),
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
        let hex = id.as_deref().unwrap();
        let of = |given: &[&str], guessed: &[&str], tags: &[&str]| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let image =
                identity(id.clone(), &References { given, guessed }, tags, Vec::new(), None)
                    .unwrap();
            (image.name, image.reference)
        };
        assert_eq!(
            of(&["", "web:1", hex], &["r/b:2"], &["r/b:2"]),
            ("web".into(), Some("web:1".into()))
        );
        assert_eq!(of(&["", hex], &["r/b:2"], &["r/b:2"]), ("r/b".into(), Some("r/b:2".into())));
        assert_eq!(of(&[hex], &["a/b:2"], &["a/b:2", "r/b:2"]), ("a/b".into(), None));
        assert_eq!(of(&[hex], &[], &["r/b:2"]), ("r/b".into(), None));
        assert_eq!(of(&[hex], &[hex], &[]), (hex.into(), None));
        let none = References { given: &[""], guessed: &[] };
        assert_eq!(identity(None, &none, Vec::new(), Vec::new(), None), None);
    }
}
