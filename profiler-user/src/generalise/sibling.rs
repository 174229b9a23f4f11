//! Names that differ in one word: `/data/invoice-mueller.pdf`, `/data/invoice-schmidt.pdf`, and so many more that the next
//! one will be yet another.
//!
//! Which word of a name may differ is decided by the name alone: the longest of its last component, its extension apart. So
//! every name belongs to one pattern at most, whatever else is there, and recordings merge in any order. The idea that a pattern
//! matches names of its own shape only is that of Datadog's workload profiles; here one word alone may differ, and its
//! length is bounded as well.

use std::ops::{Range, RangeInclusive};

use super::place::{self, Place};

/// What a word that may differ is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// Small letters.
    Word,
    /// Letters and digits, and neither small letters nor digits alone.
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
    let word = differing(name)?;
    let (class, lengths) = shape(&name[word.clone()])?;
    let (before, after) = (&pattern[..start + word.start], &name[word.end..]);
    Some(format!("{before}{{{}:{}-{}}}{after}", class.name(), lengths.start(), lengths.end()))
}

/// What `{word:5-8}` and its like stand for.
pub(super) fn parse(class: &str, lengths: &str) -> Option<(Class, RangeInclusive<usize>)> {
    let class = [Class::Word, Class::Alnum].into_iter().find(|known| known.name() == class)?;
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
    fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Alnum => "alnum",
        }
    }
}

fn shape(word: &str) -> Option<(Class, RangeInclusive<usize>)> {
    let lengths = LENGTHS.iter().find(|lengths| lengths.contains(&word.len()))?.clone();
    if word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        Some((Class::Word, lengths))
    } else if word.bytes().all(|byte| byte.is_ascii_digit()) {
        None
    } else {
        Some((Class::Alnum, lengths))
    }
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
            ("/data/invoice-mueller.pdf", "/data/invoice-{word:5-8}.pdf"),
            ("/data/invoices-mueller.pdf", "/data/{word:5-8}-mueller.pdf"),
            ("/data/inv-mueller.pdf", "/data/inv-{word:5-8}.pdf"),
            ("/data/mueller", "/data/{word:5-8}"),
            ("/data/Report2024.json", "/data/{alnum:9-16}.json"),
            ("/data/bob-{num}.txt", "/data/{word:3-4}-{num}.txt"),
            ("/data/.mueller", "/data/.{word:5-8}"),
        ] {
            assert_eq!(siblings(name).as_deref(), Some(pattern), "{name}");
        }
    }

    #[test]
    fn names_that_are_evidence_stay() {
        for name in [
            "/etc/mueller.conf",
            "/usr/bin/mueller",
            "/home/u/.ssh/mueller",
            "/data/{num}",
            "/data/ab",
            "/",
            "mueller",
        ] {
            assert_eq!(siblings(name), None, "{name}");
        }
    }

    #[test]
    fn only_names_of_the_shape_match() {
        let pattern = "/data/inv-{word:5-8}.pdf";
        for (name, is_one) in [
            ("/data/inv-schmidt.pdf", true),
            ("/data/inv-abcde.pdf", true),
            ("/data/inv-abcd.pdf", false),
            ("/data/inv-schmidts12.pdf", false),
            ("/data/inv-Schmidt.pdf", false),
            ("/data/inv-schmidt.pdf.sh", false),
            ("/data/inv-schmidt-x.pdf", false),
            ("/data/x/inv-schmidt.pdf", false),
        ] {
            assert_eq!(matches(pattern, name), is_one, "{name}");
        }
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
