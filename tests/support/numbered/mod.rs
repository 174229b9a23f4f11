//! A container runtime as far as it answers questions: about containers that are numbered, each of an image that is numbered too.

mod messages;
mod runtime;

pub use runtime::serve;

/// The id of a container, or with another letter of its sandbox, and back.
pub fn id(letter: char, number: usize) -> String {
    format!("{letter}{number:063}")
}

/// The number in an id, if it has this letter.
fn number(letter: char, id: &str) -> Option<usize> {
    id.strip_prefix(letter).filter(|rest| rest.len() == 63)?.parse().ok()
}

/// An image's config digest.
pub fn digest(image: usize) -> String {
    format!("sha256:{image:064}")
}

/// An image's repository.
pub fn repository(image: usize) -> String {
    format!("registry.test/crowd/app-{image}")
}
