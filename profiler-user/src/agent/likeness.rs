//! How near a baseline's image is to a container's.

use crate::baseline::{Image, Scope, Whereabouts};

/// Greater is nearer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Likeness {
    None,
    Repository,
    RepositoryAndRole,
    Image,
    /// The image, in this role.
    Exact,
}

impl Likeness {
    /// `own`: the baseline's.
    pub(super) fn between(own: &Image, image: &Image) -> Self {
        let same_id = own.id.is_some() && own.id == image.id;
        let same_image = same_id || !own.repo_digests.is_disjoint(&image.repo_digests);
        let same_role = own.container == image.container;
        // A baseline of a command may be named after the image as the user writes it.
        let same_repository =
            own.name == image.name || (own.id.is_none() && image.references.contains(&own.name));
        match (same_image, same_repository, same_role) {
            (true, _, true) => Self::Exact,
            (true, _, false) => Self::Image,
            (false, true, true) => Self::RepositoryAndRole,
            (false, true, false) => Self::Repository,
            (false, false, _) => Self::None,
        }
    }
}

/// What is of the same image is nearer than what is for fewer containers of another.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Nearness {
    pub(super) likeness: Likeness,
    scope: Scope,
}

impl Nearness {
    /// None where the baseline of `own` says nothing of a container of `image` at that place.
    pub(super) fn between(
        own: &Image,
        scope: &Scope,
        image: &Image,
        at: Whereabouts<'_>,
    ) -> Option<Self> {
        let likeness = Likeness::between(own, image);
        let says_something = likeness > Likeness::None && scope.holds(at);
        says_something.then(|| Self { likeness, scope: scope.clone() })
    }
}
