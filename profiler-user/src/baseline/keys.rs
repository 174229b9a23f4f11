//! The keys of a set, made ready for judging: a name that repeats is one look-up, and only patterns of its size are tried
//! on one that does not.

use std::borrow::Cow;
use std::hash::BuildHasher as _;
use std::sync::LazyLock;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::names::{Name, Set};
use crate::generalise::{Secrets, Word, is_escaped};

/// Where a key is among its set's, which are sorted.
pub(super) type Place = usize;

#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Sorted.
    sorted: Vec<Box<str>>,
    /// Their places, by hash.
    index: HashTable<u32>,
    /// Sorted by size.
    patterned: Vec<Patterned>,
}

/// The size of a pattern of lists of any length.
const ANY: usize = usize::MAX;

#[derive(Debug)]
struct Patterned {
    size: usize,
    key: u32,
    patterns: Vec<Word>,
}

/// A name, made ready to be looked up in many sets.
pub(super) struct Sought<'a> {
    name: &'a Name,
    hash: u64,
    /// See [`Name::literal`]; none where that is the key.
    literal: Option<Cow<'a, str>>,
    size: usize,
}

impl<'a> Sought<'a> {
    pub(super) fn new(name: &'a Name) -> Self {
        let literal = name.literal().filter(|literal| *literal != name.key);
        let size = size(name.values.len(), &name.key);
        Self { name, hash: hash(&name.key), literal, size }
    }

    /// Of the keys that would hold it as they are.
    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> {
        std::iter::once(self.hash).chain(self.literal.as_deref().map(hash))
    }
}

impl Keys {
    /// What an executable without any of a set has.
    pub(super) const NONE: &Self =
        &Self { sorted: Vec::new(), index: HashTable::new(), patterned: Vec::new() };

    /// Of keys in their order.
    pub(super) fn new<'a>(set: Set, all: impl Iterator<Item = &'a String>) -> Self {
        let mut keys =
            Self { sorted: all.map(|key| key.as_str().into()).collect(), ..Self::default() };
        keys.index.reserve(keys.sorted.len(), |_| unreachable!("it is empty"));
        for (place, key) in keys.sorted.iter().enumerate() {
            let place = u32::try_from(place).expect("a baseline has fewer keys than that");
            let rehash = |place: &u32| hash(&keys.sorted[*place as usize]);
            keys.index.insert_unique(hash(key), place, rehash);
            let patterns = if key.contains('{') { set.patterns(key) } else { None };
            if let Some(patterns) = patterns
                && (!patterns.iter().all(Word::is_literal) || !is_escaped(key))
            {
                let is_open = patterns.iter().any(Word::is_open);
                let size = if is_open { ANY } else { size(patterns.len(), key) };
                keys.patterned.push(Patterned { size, key: place, patterns });
            }
        }
        keys.patterned.sort_by_key(|entry| entry.size);
        keys.patterned.shrink_to_fit();
        keys
    }

    /// Whether `text`, as it is, is a key that holds no placeholder.
    pub(super) fn has_literal(&self, text: &str) -> bool {
        self.literal(text).is_some()
    }

    /// Where that key is.
    pub(super) fn literal(&self, text: &str) -> Option<Place> {
        if self.sorted.is_empty() {
            return None;
        }
        self.get(text, hash(text)).filter(|_| !text.contains('{'))
    }

    /// Whether this very text is a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.exact(key).is_some()
    }

    /// Where this very text is, if it is a key.
    pub(super) fn exact(&self, key: &str) -> Option<Place> {
        if self.sorted.is_empty() {
            return None;
        }
        self.get(key, hash(key))
    }

    /// The key that holds the name.
    pub(super) fn find(&self, sought: &Sought<'_>, secrets: Secrets) -> Option<Place> {
        if self.sorted.is_empty() {
            return None;
        }
        let literal = || sought.literal.as_ref().and_then(|text| self.get(text, hash(text)));
        if let Some(place) = self.get(&sought.name.key, sought.hash).or_else(literal) {
            return Some(place);
        }
        let mut of_size = self.of_size(sought.size).chain(self.of_size(ANY));
        of_size
            .find(|entry| sought.name.matches(&entry.patterns, secrets))
            .map(|entry| entry.key as usize)
    }

    fn of_size(&self, size: usize) -> impl Iterator<Item = &Patterned> {
        let first = self.patterned.partition_point(|entry| entry.size < size);
        self.patterned[first..].iter().take_while(move |entry| entry.size == size)
    }

    fn get(&self, key: &str, hash: u64) -> Option<Place> {
        let is_it = |place: &u32| *self.sorted[*place as usize] == *key;
        self.index.find(hash, is_it).map(|place| *place as usize)
    }

    /// The keys before and after the place where `text` would be: they begin most like it.
    pub(super) fn neighbours(&self, text: &str) -> impl Iterator<Item = &str> {
        let after = self.sorted.partition_point(|key| **key < *text);
        let before = after.checked_sub(1);
        let is_it = self.sorted.get(after).is_some_and(|key| **key == *text);
        let after = if is_it { after + 1 } else { after };
        let places = before.into_iter().chain([after]);
        places.filter_map(|place| self.sorted.get(place)).map(|key| &**key)
    }

    /// Of every key.
    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.iter().map(hash)
    }

    /// Whether any key matches more than itself.
    pub(super) fn has_patterns(&self) -> bool {
        !self.patterned.is_empty()
    }

    pub(super) fn key(&self, place: Place) -> &str {
        &self.sorted[place]
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.sorted.iter().map(|key| &**key)
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

fn hash(text: &str) -> u64 {
    static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);
    HASHER.hash_one(text)
}

/// Neither a slash nor the end of an argument is ever part of a placeholder, so their number is that of the value.
fn size(values: usize, key: &str) -> usize {
    if values == 1 { key.bytes().filter(|byte| *byte == b'/').count() } else { values }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(all: &[&str]) -> Keys {
        let all: std::collections::BTreeSet<_> = all.iter().map(ToString::to_string).collect();
        Keys::new(Set::Read, all.iter())
    }

    #[test]
    fn a_name_is_found_by_its_key_its_literal_or_a_pattern_of_its_size() {
        let keys = keys(&["/srv/a", "/tmp/tmp{rand:8}", "/tmp/x/{num}", "/tmp/tmpabcdefgh"]);
        let find = |key: &str, value: &str| {
            let name = Name { key: key.to_owned(), values: vec![value.to_owned()] };
            keys.find(&Sought::new(&name), Secrets::Exact).map(|place| keys.key(place))
        };
        assert_eq!(find("/srv/a", "/srv/a"), Some("/srv/a"));
        assert_eq!(find("/srv/b", "/srv/b"), None);
        assert_eq!(find("/tmp/tmp{rand:8}", "/tmp/tmp12345678"), Some("/tmp/tmp{rand:8}"));
        // By chance a word, where nothing else would be seen in it.
        assert_eq!(find("/tmp/tmpletters", "/tmp/tmpletters"), None);
        assert_eq!(find("/tmp/x/7", "/tmp/x/7"), Some("/tmp/x/{num}"));
        // One that somebody allowed by its very name.
        assert_eq!(find("/tmp/?", "/tmp/tmpabcdefgh"), Some("/tmp/tmpabcdefgh"));
        assert!(keys.has("/tmp/x/{num}") && !keys.has_literal("/tmp/x/{num}"));
    }

    #[test]
    fn a_brace_that_a_person_wrote_for_itself_is_one() {
        let keys = keys(&["/srv/{odd}", "/srv/{{num}"]);
        let find = |key: &str, value: &str| {
            let name = Name { key: key.to_owned(), values: vec![value.to_owned()] };
            keys.find(&Sought::new(&name), Secrets::Exact).map(|place| keys.key(place))
        };
        // As recording names it, and finds it among what is there.
        assert_eq!(find("/srv/{{odd}", "/srv/{odd}"), Some("/srv/{odd}"));
        assert_eq!(find("/srv/{{num}", "/srv/{num}"), Some("/srv/{{num}"));
        assert_eq!(find("/srv/odd", "/srv/odd"), None);
    }

    #[test]
    fn neighbours_are_what_stands_beside() {
        let keys = keys(&["b", "d", "f"]);
        let beside = |text: &str| keys.neighbours(text).collect::<Vec<_>>();
        assert_eq!(beside("d"), ["b", "f"]);
        assert_eq!(beside("e"), ["d", "f"]);
        assert_eq!(beside("a"), ["b"]);
        assert_eq!(beside("g"), ["f"]);
        assert_eq!(Keys::NONE.neighbours("x").count(), 0);
    }
}
