//! Names that differ in one word: `/data/invoice-carter.pdf`, `/data/invoice-sanders.pdf`, and so many more that the next
//! one will be yet another.
//!
//! Which word of a name may differ is decided by the name alone: the longest of its last component, its extension apart. So
//! every name belongs to one pattern at most, whatever else is there, and recordings merge in any order. The idea that a pattern
//! matches names of its own shape only is that of Datadog's workload profiles; here one word alone may differ, its length is
//! bounded, and letters that read like a word are told from those that do not: among random names a `backdoor` is a stranger.

use std::ops::{Range, RangeInclusive};

use super::pattern::Pattern;
use super::place::{self, Place};
use super::word;

/// What a word that may differ is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// Small letters that read like a word.
    Word,
    /// The same with a capital.
    Capitalised,
    /// Letters that do not.
    Letters,
    /// Letters and digits, some of each.
    Alnum,
}

/// Words of about one length: those of a list may differ, a command among them would.
const LENGTHS: &[RangeInclusive<usize>] = &[3..=4, 5..=8, 9..=16, 17..=32];

/// The pattern that this one is of with its siblings; none where names are evidence or nothing in it may differ. `pattern`: a
/// path, generalised.
pub fn siblings(pattern: &str) -> Option<String> {
    let start = pattern.rfind('/')? + 1;
    if place::of(&pattern[..start - 1]) == Place::Fixed {
        return None;
    }
    let name = &pattern[start..];
    // One word alone may differ.
    if is_of_siblings(name) {
        return None;
    }
    let word = differing(name)?;
    let (class, lengths) = shape(&name[word.clone()])?;
    let (before, after) = (&pattern[..start + word.start], &name[word.end..]);
    Some(format!("{before}{{{}:{}-{}}}{after}", class.name(), lengths.start(), lengths.end()))
}

/// Whether it stands for siblings.
pub fn is_of_siblings(pattern: &str) -> bool {
    pattern.contains('{') && Pattern::parse(pattern).differs()
}

/// What `{word:5-8}` and its like stand for.
pub(super) fn parse(class: &str, lengths: &str) -> Option<(Class, RangeInclusive<usize>)> {
    let class = Class::ALL.into_iter().find(|known| known.name() == class)?;
    let (least, most) = lengths.split_once('-')?;
    let lengths = least.parse().ok()?..=most.parse().ok()?;
    LENGTHS.contains(&lengths).then_some((class, lengths))
}

/// The length of the word that `text` begins with, if it is one of these.
pub(super) fn length(text: &str, class: Class, lengths: &RangeInclusive<usize>) -> Option<usize> {
    let word = text.find(|c: char| !c.is_ascii_alphanumeric()).map_or(text, |end| &text[..end]);
    (shape(word) == Some((class, lengths.clone()))).then_some(word.len())
}

impl Class {
    const ALL: [Self; 4] = [Self::Word, Self::Capitalised, Self::Letters, Self::Alnum];

    fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Capitalised => "Word",
            Self::Letters => "letters",
            Self::Alnum => "alnum",
        }
    }
}

fn shape(text: &str) -> Option<(Class, RangeInclusive<usize>)> {
    let lengths = LENGTHS.iter().find(|lengths| lengths.contains(&text.len()))?.clone();
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let has_letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let class = match (has_letter, has_digit) {
        // A number has a placeholder of its own, where it may differ at all.
        (false, _) => return None,
        (true, true) => Class::Alnum,
        (true, false) if !word::is_word(text) => Class::Letters,
        (true, false) if text.starts_with(|c: char| c.is_ascii_uppercase()) => Class::Capitalised,
        (true, false) => Class::Word,
    };
    Some((class, lengths))
}

/// The longest word of a name, of equals the last, that is neither its extension nor grown together with a placeholder.
fn differing(name: &str) -> Option<Range<usize>> {
    let mut longest: Option<Range<usize>> = None;
    let mut at = 0;
    while at < name.len() {
        let rest = &name[at..];
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if length == 0 {
            at += skipped(rest);
            continue;
        }
        let word = at..at + length;
        at = word.end;
        let joined = name[..word.start].ends_with('}') || name[word.end..].starts_with('{');
        let extension =
            word.start > 1 && name[..word.start].ends_with('.') && word.end == name.len();
        let is_longer = longest.as_ref().is_none_or(|longest| length >= longest.len());
        if !joined && !extension && is_longer {
            longest = Some(word);
        }
    }
    longest
}

/// The length of the placeholder, or of the character, that `text` begins with.
fn skipped(text: &str) -> usize {
    match text.find('}') {
        _ if text.starts_with("{{") => 2,
        Some(end) if text.starts_with('{') => end + 1,
        _ => text.chars().next().map_or(1, char::len_utf8),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{generalise_path, matches};
    use super::*;

    #[test]
    fn the_longest_word_differs_and_its_shape_stays() {
        for (name, pattern) in [
            ("/data/invoice-carter.pdf", "/data/invoice-{word:5-8}.pdf"),
            ("/data/invoices-carter.pdf", "/data/{word:5-8}-carter.pdf"),
            ("/data/inv-carter.pdf", "/data/inv-{word:5-8}.pdf"),
            ("/data/carter", "/data/{word:5-8}"),
            ("/data/Report2024.json", "/data/{alnum:9-16}.json"),
            ("/data/bob-{num}.txt", "/data/{word:3-4}-{num}.txt"),
            ("/data/.carter", "/data/.{word:5-8}"),
            ("/data/Mueller.txt", "/data/{Word:5-8}.txt"),
            ("/data/kqzvbwxj.txt", "/data/{letters:5-8}.txt"),
            ("/data/MUELLER", "/data/{letters:5-8}"),
        ] {
            assert_eq!(siblings(name).as_deref(), Some(pattern), "{name}");
        }
    }

    #[test]
    fn names_that_are_evidence_stay() {
        for name in [
            "/etc/carter.conf",
            "/usr/bin/carter",
            "/home/u/.ssh/carter",
            "/data/{num}",
            "/data/inv-{word:5-8}.pdf",
            "/data/ab",
            "/",
            "carter",
        ] {
            assert_eq!(siblings(name), None, "{name}");
        }
    }

    #[test]
    fn only_names_of_the_shape_match() {
        let pattern = "/data/inv-{word:5-8}.pdf";
        for (name, is_one) in [
            ("/data/inv-sanders.pdf", true),
            ("/data/inv-bloat.pdf", true),
            ("/data/inv-cart.pdf", false),
            ("/data/inv-sandersons.pdf", false),
            ("/data/inv-Schmidt.pdf", false),
            ("/data/inv-sanders.pdf.sh", false),
            ("/data/inv-sanders-x.pdf", false),
            ("/data/x/inv-sanders.pdf", false),
        ] {
            assert_eq!(matches(pattern, name), is_one, "{name}");
        }
        assert!(matches("/data/{letters:5-8}", "/data/kqzvbwxj"));
        assert!(!matches("/data/{letters:5-8}", "/data/backdoor"));
    }

    proptest! {
        #[test]
        fn a_name_matches_the_pattern_of_its_siblings(name in "(/[a-z]{1,8}){0,2}/[A-Za-z0-9_. {}-]{1,24}") {
            let own = generalise_path(&name);
            if let Some(pattern) = siblings(&own) {
                prop_assert!(matches(&pattern, &name), "{} {}", name, pattern);
            }
        }
    }
}
