//! What an executable of a container did before, of behaviours that one number says it all about.

use crate::{
    owner::Owner,
    seen::{Class, Fingerprint},
};

/// Who did what; some where it has not crossed, as far as is kept.
#[derive(Clone, Copy)]
pub(crate) struct Novelty(Option<Fingerprint>);

impl Novelty {
    /// Some where the current task's executable has not done this in this container.
    #[inline(always)]
    pub(crate) fn of(owner: &impl Owner, kind: u64, object: u64) -> Option<Self> {
        let known = Fingerprint::of_executable(owner, Class::Object, kind as u32)
            .map(|known| known.with(object));
        if known.is_some_and(Fingerprint::is_known) { None } else { Some(Self(known)) }
    }

    /// Its record is in the ring buffer.
    #[inline(always)]
    pub(crate) fn reported(self) {
        if let Some(known) = self.0 {
            known.keep();
        }
    }
}
