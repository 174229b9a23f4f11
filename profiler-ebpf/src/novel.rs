//! What an executable of a container did before, of behaviours that one number or the record itself says it all about.

use crate::{
    member,
    owner::Owner,
    record::Record,
    seen::{Class, Fingerprint},
};

/// Words of names that are told from others; what has more always crosses.
const WORDS: usize = 64;

/// Who did what; some where it has not crossed, as far as is kept.
#[derive(Clone, Copy)]
pub(crate) struct Novelty(Option<Fingerprint>);

impl Novelty {
    /// Some where the current task's executable has not done this in this container.
    #[inline(always)]
    pub(crate) fn of(owner: &impl Owner, kind: u64, object: u64) -> Option<Self> {
        let known = Fingerprint::of_executable(owner, Class::Object, kind as u32)
            .map(|known| known.with(object));
        Self::by(owner, known)
    }

    /// The same, where it is all that a record says beside its header: these words of its fixed part, and whatever was
    /// appended to it.
    #[inline(always)]
    pub(crate) fn of_record<T, const N: usize>(
        owner: &impl Owner,
        kind: u64,
        fixed: [u64; N],
        record: &Record<T>,
    ) -> Option<Self> {
        let known = Fingerprint::of_executable(owner, Class::Object, kind as u32)
            .and_then(|known| fixed.into_iter().fold(known, mix).with_appended(record));
        Self::by(owner, known)
    }

    #[inline(always)]
    fn by(owner: &impl Owner, known: Option<Fingerprint>) -> Option<Self> {
        if known.is_some_and(Fingerprint::is_known) || !member::is_of(owner) {
            return None;
        }
        Some(Self(known))
    }

    /// Its record is in the ring buffer.
    #[inline(always)]
    pub(crate) fn reported(self) {
        if let Some(known) = self.0 {
            known.keep();
        }
    }
}

/// Names are chosen by whoever may want to hide behind another: twice, so that no two differences cancel out.
#[inline(always)]
fn mix(known: Fingerprint, word: u64) -> Fingerprint {
    known.with(word).with(0)
}

impl Fingerprint {
    /// None for what is too long.
    #[inline(always)]
    fn with_appended<T>(self, record: &Record<T>) -> Option<Self> {
        let len = record.appended();
        record.end_with_zeros()?;
        let mut known = self;
        for word in 0..WORDS {
            if word as u64 * 8 >= len {
                return Some(known);
            }
            known = mix(known, record.appended_word(word));
        }
        None
    }
}

impl<T> Record<T> {
    /// Bytes behind the fixed part.
    #[inline(always)]
    fn appended(&self) -> u64 {
        self.len() - size_of::<T>() as u64
    }

    /// Eight of them, one of the first [`WORDS`].
    #[inline(always)]
    #[expect(clippy::cast_ptr_alignment, reason = "a fixed part ends where a word begins")]
    fn appended_word(&self, index: usize) -> u64 {
        // SAFETY: within this probe's own scratch buffer; it is aligned as a whole.
        unsafe { self.base().add(size_of::<T>()).cast::<u64>().add(index).read_volatile() }
    }

    /// Behind what was appended there may be something older.
    #[inline(always)]
    fn end_with_zeros(&self) -> Option<()> {
        // SAFETY: `end` leaves room for a path.
        unsafe { self.end()?.cast::<u64>().write_unaligned(0) };
        Some(())
    }
}
