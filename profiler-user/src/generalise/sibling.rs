//! Names that differ in their words: `/data/invoice-carter.pdf`, `/data/invoice-sanders.pdf`, and so many more that the next
//! one will be yet another.
//!
//! The shape of a name is its separators, its extension, and of what kind and about how long its words are; it is decided by the
//! name alone, and only names of one directory and one shape are siblings. What all siblings have in common stays, and in
//! a place where they differ stands one of a few words or any word of that shape; so recordings merge in any order. That a pattern
//! matches only names of the same shape is the idea of Datadog's workload profiles; here lengths are bounded, a few
//! words are told one by one, and letters that read like a word are told from those that do not: among random names a
//! `backdoor` is a stranger.
//!
//! | placeholder | stands for |
//! |---|---|
//! | `{word:A-B}`, `{Word:A-B}` | a word of A to B letters, small or with a capital |
//! | `{letters:A-B}` | letters that read like no word |
//! | `{alnum:A-B}` | letters and digits, some of each |
//! | `{count:i#of#}` | the same letters with other numbers |
//! | `{either:a,b}` | one of these words, at most four |

use std::collections::BTreeSet;

use super::kin::{self, Kin, Variety};
use super::pattern::Pattern;
use super::place::{self, Place};
use super::shape::{Shape, word_length};

/// A path, generalised, as its shape and the words that it has there.
#[derive(Clone, Debug, PartialEq)]
pub struct Sibling(Vec<Item>);

#[derive(Clone, Debug, PartialEq)]
enum Item {
    /// The directory, separators, other placeholders, the extension, and words too short to tell.
    Literal(String),
    Word(Shape, Variety),
}

impl Sibling {
    /// None where names are evidence, or where nothing in this one may differ.
    pub fn parse(path: &str) -> Option<Self> {
        let start = path.rfind('/')? + 1;
        if place::of(&path[..start - 1]) == Place::Fixed {
            return None;
        }
        let name = &path[start..];
        let mut items = vec![Item::Literal(path[..start].to_owned())];
        let mut at = 0;
        while let Some(c) = name[at..].chars().next() {
            let rest = &name[at..];
            let (length, item) = match placeholder(rest) {
                Some((length, item)) => (length, item),
                None if c.is_ascii_alphanumeric() => {
                    let length = word_length(rest);
                    (length, word_at(name, at, length))
                }
                None => (c.len_utf8(), None),
            };
            match (item, items.last_mut()) {
                (Some(item), _) => items.push(item),
                (None, Some(Item::Literal(literal))) => literal.push_str(&rest[..length]),
                (None, _) => items.push(Item::Literal(rest[..length].to_owned())),
            }
            at += length;
        }
        items.iter().any(|item| matches!(item, Item::Word(..))).then_some(Self(items))
    }
}

impl Sibling {
    /// The places where it stands for more than one.
    fn wide(&self) -> impl Iterator<Item = &Shape> {
        self.0.iter().filter_map(|item| match item {
            Item::Word(shape, words) if words.is_wide() => Some(shape),
            _ => None,
        })
    }

    /// The frame, whatever words stand in it: the same for `carter-{hex:8}.csv` and `kqzv-{hex:8}.csv`, of which one reads like a word.
    pub fn family(&self) -> String {
        let any = |item: &Item| match item {
            Item::Word(..) => "{}".to_owned(),
            Item::Literal(text) => text.clone(),
        };
        self.0.iter().map(any).collect()
    }
}

impl Kin for Sibling {
    fn frame(&self) -> String {
        let any = |item: &Item| match item {
            Item::Word(shape, _) => Item::Word(shape.clone(), Variety::Any),
            literal @ Item::Literal(_) => literal.clone(),
        };
        Self(self.0.iter().map(any).collect()).line()
    }

    fn join(self, other: Self) -> Self {
        let joined = self.0.into_iter().zip(other.0).map(|items| match items {
            (Item::Word(shape, one), Item::Word(_, other)) => {
                let words = one.join(other, shape.few());
                Item::Word(shape, words)
            }
            (literal, _) => literal,
        });
        Self(joined.collect())
    }

    fn is_wide(&self) -> bool {
        self.wide().next().is_some()
    }

    /// Who counts goes on counting.
    fn is_soon_many(&self) -> bool {
        self.is_wide() && self.wide().all(|shape| matches!(shape, Shape::Count(_)))
    }

    fn line(&self) -> String {
        let text = |item: &Item| match item {
            Item::Literal(text) => text.clone(),
            Item::Word(shape, words) => words.text(|| shape.placeholder()),
        };
        self.0.iter().map(text).collect()
    }
}

/// The word at that place of a name, unless it has grown together with a placeholder or is the name's extension.
fn word_at(name: &str, at: usize, length: usize) -> Option<Item> {
    let (before, word, after) = (&name[..at], &name[at..at + length], &name[at + length..]);
    let is_extension = at > 1 && before.ends_with('.') && after.is_empty();
    if is_extension || before.ends_with('}') || after.starts_with('{') {
        return None;
    }
    Some(Item::Word(Shape::of(word)?, Variety::One(word.to_owned())))
}

/// The length of the placeholder that `text` begins with, and what it says of siblings.
fn placeholder(text: &str) -> Option<(usize, Option<Item>)> {
    if text.starts_with("{{") {
        return Some((2, None));
    }
    let inside = &text.strip_prefix('{')?[..text.find('}')? - 1];
    let item = inside.split_once(':').and_then(|(kind, rest)| {
        if let Some(shape) = Shape::parse(kind, rest) {
            return Some(Item::Word(shape, Variety::Any));
        }
        let words = either(kind, rest)?;
        Some(Item::Word(Shape::of(words.first()?)?, Variety::Few(words)))
    });
    Some((inside.len() + 2, item))
}

/// The words of `{either:a,b}`, which have one shape.
pub(super) fn either(kind: &str, list: &str) -> Option<BTreeSet<String>> {
    let words = kin::few(list).filter(|words| kind == "either" && words.len() > 1)?;
    let one = Shape::of(words.first()?)?;
    let is_word =
        |word: &String| word_length(word) == word.len() && Shape::of(word).as_ref() == Some(&one);
    words.iter().all(is_word).then_some(words)
}

/// Whether it stands for siblings.
pub fn is_of_siblings(pattern: &str) -> bool {
    pattern.contains('{') && Pattern::parse(pattern).differs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{generalise_path, matches};
    use super::*;

    fn joined(names: &[&str]) -> String {
        let all: Vec<_> = names.iter().map(|name| Sibling::parse(name).expect(name)).collect();
        assert!(all.iter().all(|one| one.frame() == all[0].frame()), "{names:?}");
        all.into_iter().reduce(Sibling::join).unwrap().line()
    }

    #[test]
    fn the_shape_of_a_name_is_its_own() {
        for (name, shape) in [
            ("/data/inv-sanders.pdf", "/data/{letters:3-8}-{word:3-8}.pdf"),
            ("/data/sanders", "/data/{word:3-8}"),
            ("/data/Sanders.txt", "/data/{Word:3-8}.txt"),
            ("/data/SANDERS", "/data/{letters:3-8}"),
            ("/data/kqzvbwxj", "/data/{letters:3-8}"),
            ("/data/Report2024.json", "/data/{alnum:9-16}.json"),
            ("/data/i1of8.p2.{num}", "/data/{count:i#of#}.{count:p#}.{num}"),
            ("/data/bob-{num}.txt", "/data/{letters:3-8}-{num}.txt"),
            ("/data/v{num}-sanders", "/data/v{num}-{word:3-8}"),
            ("/data/.sanders", "/data/.{word:3-8}"),
            ("/{word:3-8}/sanders", "/{word:3-8}/{word:3-8}"),
        ] {
            let sibling = Sibling::parse(name).expect(name);
            assert_eq!(sibling.frame(), shape, "{name}");
            assert_eq!(sibling.line(), name);
            assert!(!sibling.is_wide());
        }
    }

    #[test]
    fn names_that_are_evidence_have_no_siblings() {
        for name in [
            "/etc/sanders.conf",
            "/usr/bin/sanders",
            "/home/u/.ssh/sanders",
            "/data/{num}",
            "/data/ab",
            "/",
            "sanders",
        ] {
            assert_eq!(Sibling::parse(name), None, "{name}");
        }
    }

    #[test]
    fn what_siblings_have_in_common_stays() {
        let names = ["/d/inv-sanders.pdf", "/d/inv-planes.pdf", "/d/xml-sanders.pdf"];
        assert_eq!(joined(&names), "/d/{either:inv,xml}-{either:planes,sanders}.pdf");
        assert_eq!(joined(&["/d/t3_{num}", "/d/t4_{num}"]), "/d/{either:t3,t4}_{num}");
        assert_eq!(joined(&["/d/t3_{num}", "/d/t4_{num}", "/d/t12_{num}"]), "/d/{count:t#}_{num}");
        let names = ["planes", "sanders", "carter", "porter", "interest"];
        let names = names.map(|name| format!("/d/inv-{name}.pdf"));
        assert_eq!(joined(&names.each_ref().map(String::as_str)), "/d/inv-{word:3-8}.pdf");
    }

    #[test]
    fn only_names_of_the_shape_match() {
        let (invoice, counted) = ("/data/inv-{word:3-8}.pdf", "/data/{count:t#}_{num}");
        for (pattern, name, is_one) in [
            (invoice, "/data/inv-sanders.pdf", true),
            (invoice, "/data/inv-carter.pdf", true),
            (invoice, "/data/inv-so.pdf", false),
            (invoice, "/data/inv-sandersons.pdf", false),
            (invoice, "/data/inv-Sanders.pdf", false),
            (invoice, "/data/inv-kqzvbwxj.pdf", false),
            (invoice, "/data/inv-sanders.pdf.sh", false),
            (invoice, "/data/inv-sanders-x.pdf", false),
            (invoice, "/data/x/inv-sanders.pdf", false),
            (counted, "/data/t2_16402", true),
            (counted, "/data/t12_16402", true),
            (counted, "/data/t123_16402", false),
            (counted, "/data/tt2_16402", false),
            (counted, "/data/t2x_16402", false),
            (counted, "/data/t_16402", false),
        ] {
            assert_eq!(matches(pattern, name), is_one, "{pattern} {name}");
        }
        let pattern = "/data/{either:bill,inv}-{letters:3-8}";
        assert!(!matches(pattern, "/data/inv-kqzvbwxj"));
        let pattern = "/data/{either:inv,xml}-{letters:3-8}";
        assert!(matches(pattern, "/data/inv-kqzvbwxj") && matches(pattern, "/data/xml-kqzvbwxj"));
        assert!(!matches(pattern, "/data/inv-backdoor") && !matches(pattern, "/data/key-kqzvbwxj"));
        assert!(!matches(pattern, "/data/invs-kqzvbwxj"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn siblings_match_what_they_are_joined_into(
            names in prop::collection::vec("/d/(([a-c]{3}|kq[a-e]{3})-){0,2}[A-Ca-c0-3]{2,5}(\\.[a-b]{2})?", 1..8),
            other in "/d/[a-c-]{1,8}",
        ) {
            let own: Vec<_> = names.iter().map(|name| generalise_path(name)).collect();
            let parsed: Vec<_> = own.iter().map(|own| Sibling::parse(own)).collect();
            let Some(first) = parsed[0].clone() else { return Ok(()) };
            let of_frame = |one: &&Sibling| one.frame() == first.frame();
            let all: Vec<_> = parsed.iter().flatten().filter(of_frame).cloned().collect();
            let joined = all.iter().cloned().reduce(Sibling::join).unwrap();
            let back = all.iter().rev().cloned().reduce(Sibling::join).unwrap();
            prop_assert_eq!(&joined, &back);
            prop_assert_eq!(Sibling::parse(&joined.line()), Some(joined.clone()));
            for (name, one) in names.iter().zip(&parsed) {
                if one.as_ref().is_some_and(|one| of_frame(&one)) {
                    prop_assert!(matches(&joined.line(), name), "{} {}", name, joined.line());
                    prop_assert!(matches(&joined.frame(), name), "{} {}", name, joined.frame());
                }
            }
            if matches(&joined.line(), &other) {
                let frame = Sibling::parse(&generalise_path(&other)).map(|other| other.frame());
                prop_assert_eq!(frame, Some(joined.frame()));
            }
        }

        #[test]
        fn any_name_is_of_its_own_shape(name in "(/[a-z]{1,8}){0,2}/[A-Za-z0-9_. {}é-]{1,24}") {
            let own = generalise_path(&name);
            if let Some(sibling) = Sibling::parse(&own) {
                prop_assert_eq!(sibling.line(), own);
                prop_assert!(matches(&sibling.frame(), &name), "{} {}", name, sibling.frame());
            }
        }
    }
}
