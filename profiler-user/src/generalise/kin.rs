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
    pub(super) fn join(self, other: Self) -> Self {
        let (one, other) = match (self, other) {
            (Self::Any, _) | (_, Self::Any) => return Self::Any,
            (Self::One(one), Self::One(other)) if one == other => return Self::One(one),
            (one, other) => (one.few(), other.few()),
        };
        let few: BTreeSet<_> = one.into_iter().chain(other).collect();
        if few.len() <= FEW && few.iter().all(|text| can_be_listed(text)) {
            Self::Few(few)
        } else {
            Self::Any
        }
    }

    pub(super) fn is_wide(&self) -> bool {
        !matches!(self, Self::One(_))
    }

    fn few(self) -> BTreeSet<String> {
        match self {
            Self::One(text) => BTreeSet::from([text]),
            Self::Few(few) => few,
            Self::Any => BTreeSet::new(),
        }
    }

    /// `any`: what stands for any text here.
    pub(super) fn text(&self, any: impl FnOnce() -> String) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Few(few) => {
                let few: Vec<_> = few.iter().map(String::as_str).collect();
                format!("{{either:{}}}", few.join(","))
            }
            Self::Any => any(),
        }
    }
}

/// The texts of `{either:…}`, by what stands behind the colon.
pub(super) fn few(list: &str) -> Option<BTreeSet<String>> {
    let few: BTreeSet<_> = list.split(',').map(str::to_owned).collect();
    let is_one = (2..=FEW).contains(&few.len()) && few.iter().all(|text| can_be_listed(text));
    is_one.then_some(few)
}

fn can_be_listed(text: &str) -> bool {
    /// A longer one is nothing that a person compares.
    const LONGEST: usize = 40;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:+-%".contains(&byte);
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(plain)
}
