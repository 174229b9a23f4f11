//! What texts of one frame have in common, place by place.

use std::collections::BTreeSet;

/// So many different texts in one place are still told one by one.
pub(super) const FEW: usize = 4;

/// A text that may be joined with others.
///
/// **Invariant:** what comes of joining does not depend on the order, and is never more than the frame.
pub trait Kin: Sized {
    /// The same for all that it may be joined with: the pattern of everything that they could become.
    fn frame(&self) -> String;

    /// The least that stands for both; they have one frame.
    #[must_use]
    fn join(self, other: Self) -> Self;

    /// Whether it stands for more than one.
    fn is_wide(&self) -> bool;

    /// Whether a few of its frame are proof enough that the next one will be another.
    fn is_soon_many(&self) -> bool {
        false
    }

    /// Its pattern.
    fn line(&self) -> String;
}

/// What was seen in one place, generalised.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Variety {
    One(String),
    /// Two or more.
    Few(BTreeSet<String>),
    Any,
}

impl Variety {
    /// `few`: so many different ones are told one by one, at most [`FEW`].
    pub(super) fn join(self, other: Self, few: usize) -> Self {
        if matches!((&self, &other), (Self::One(one), Self::One(other)) if one == other) {
            return self;
        }
        let texts = self.texts().zip(other.texts());
        let all = texts.map(|(one, other)| one.into_iter().chain(other).collect());
        let is_few = |all: &BTreeSet<_>| all.len() <= few && can_be_listed(all);
        all.filter(is_few).map_or(Self::Any, Self::Few)
    }

    pub(super) fn is_wide(&self) -> bool {
        !matches!(self, Self::One(_))
    }

    /// All that was seen; none where that is not known one by one.
    pub(super) fn texts(self) -> Option<BTreeSet<String>> {
        match self {
            Self::One(text) => Some(BTreeSet::from([text])),
            Self::Few(few) => Some(few),
            Self::Any => None,
        }
    }

    /// `any`: what stands for any text here.
    pub(super) fn text(&self, any: impl FnOnce() -> String) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Few(few) => listed("either", few),
            Self::Any => any(),
        }
    }
}

/// `{either:…}` and its like.
pub(super) fn listed(kind: &str, few: &BTreeSet<String>) -> String {
    let few: Vec<_> = few.iter().map(String::as_str).collect();
    format!("{{{kind}:{}}}", few.join(","))
}

/// The texts of one, by what stands behind the colon.
pub(super) fn few(list: &str) -> Option<BTreeSet<String>> {
    let few: BTreeSet<_> = list.split(',').map(str::to_owned).collect();
    can_be_listed(&few).then_some(few)
}

pub(super) fn can_be_listed(few: &BTreeSet<String>) -> bool {
    /// A longer one is nothing that a person compares.
    const LONGEST: usize = 40;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:+-%{}".contains(&byte);
    let is_short = |text: &String| {
        !text.is_empty() && text.len() <= LONGEST && text.bytes().all(plain) && !text.contains("{{")
    };
    few.len() <= FEW && few.iter().all(is_short)
}
