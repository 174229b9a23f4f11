//! The sets of an executable, and how a value is looked up in one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};

use super::candidates::candidates;
use super::model::{Executable, Seen};
use crate::generalise::{Pattern, Secrets, join_args, split_args};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Set {
    Parents,
    Args,
    Read,
    ReadDenied,
    Write,
    WriteDenied,
    Delete,
    Link,
    Meta,
    MapExec,
    Connect,
    Listen,
    Accept,
    Socket,
    Unix,
    Identity,
    Escape,
    Dns,
}

/// What is looked up: the key it would have, and the value that another key's pattern may match.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) key: String,
    /// One text, or one for each argument. Empty: only the key counts.
    pub(super) values: Vec<String>,
}

impl Set {
    pub(super) const ALL: [Self; 18] = [
        Self::Parents,
        Self::Args,
        Self::Read,
        Self::ReadDenied,
        Self::Write,
        Self::WriteDenied,
        Self::Delete,
        Self::Link,
        Self::Meta,
        Self::MapExec,
        Self::Connect,
        Self::Listen,
        Self::Accept,
        Self::Socket,
        Self::Unix,
        Self::Identity,
        Self::Escape,
        Self::Dns,
    ];

    /// The same access with the other outcome.
    pub(super) fn counterpart(self) -> Option<Self> {
        match self {
            Self::Read => Some(Self::ReadDenied),
            Self::ReadDenied => Some(Self::Read),
            Self::Write => Some(Self::WriteDenied),
            Self::WriteDenied => Some(Self::Write),
            _ => None,
        }
    }

    /// The patterns that a key of this set consists of, none where keys are compared as they are.
    fn patterns(self, key: &str) -> Option<Vec<Pattern>> {
        match self {
            Self::Connect | Self::Listen | Self::Accept | Self::Socket | Self::Identity => None,
            Self::Args | Self::Link | Self::Meta => {
                Some(split_args(key)?.iter().map(|arg| Pattern::parse(arg)).collect())
            }
            _ => Some(vec![Pattern::parse(key)]),
        }
    }
}

impl Executable {
    pub(super) fn set(&self, set: Set) -> &BTreeMap<String, Seen> {
        match set {
            Set::Parents => &self.parents,
            Set::Args => &self.args,
            Set::Read => &self.read,
            Set::ReadDenied => &self.read_denied,
            Set::Write => &self.write,
            Set::WriteDenied => &self.write_denied,
            Set::Delete => &self.delete,
            Set::Link => &self.link,
            Set::Meta => &self.meta,
            Set::MapExec => &self.map_exec,
            Set::Connect => &self.connect,
            Set::Listen => &self.listen,
            Set::Accept => &self.accept,
            Set::Socket => &self.socket,
            Set::Unix => &self.unix,
            Set::Identity => &self.identity,
            Set::Escape => &self.escape,
            Set::Dns => &self.dns,
        }
    }

    pub(super) fn set_mut(&mut self, set: Set) -> &mut BTreeMap<String, Seen> {
        match set {
            Set::Parents => &mut self.parents,
            Set::Args => &mut self.args,
            Set::Read => &mut self.read,
            Set::ReadDenied => &mut self.read_denied,
            Set::Write => &mut self.write,
            Set::WriteDenied => &mut self.write_denied,
            Set::Delete => &mut self.delete,
            Set::Link => &mut self.link,
            Set::Meta => &mut self.meta,
            Set::MapExec => &mut self.map_exec,
            Set::Connect => &mut self.connect,
            Set::Listen => &mut self.listen,
            Set::Accept => &mut self.accept,
            Set::Socket => &mut self.socket,
            Set::Unix => &mut self.unix,
            Set::Identity => &mut self.identity,
            Set::Escape => &mut self.escape,
            Set::Dns => &mut self.dns,
        }
    }
}

impl Name {
    /// The key that only this very value has. Generalising never makes it where it sees a pattern, but a person who edits a
    /// baseline may allow one temporary file and no other.
    fn literal(&self) -> Option<String> {
        let literal = match self.values.as_slice() {
            [] => return None,
            [text] if text.starts_with('/') => text.clone(),
            args => join_args(args),
        };
        (!literal.contains('{')).then_some(literal)
    }
}

/// The key that holds `name`, while the set still changes.
pub(super) fn find<'a, V>(keys: &'a BTreeMap<String, V>, set: Set, name: &Name) -> Option<&'a str> {
    let literal = || keys.get_key_value(&name.literal()?);
    if let Some((key, _)) = keys.get_key_value(&name.key).or_else(literal) {
        return Some(key);
    }
    if name.values.is_empty() {
        return None;
    }
    let holds = |key: &&str| {
        let patterns = set.patterns(key);
        patterns.is_some_and(|patterns| all_match(&patterns, name, Secrets::Exact))
    };
    candidates(keys, &name.key).into_iter().find(holds)
}

/// The keys of a set, made ready for judging: a name that repeats is one look-up, and only patterns of its size are tried
/// on one that does not.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: BTreeSet<Box<str>>,
    patterned: HashMap<usize, Vec<Patterned>>,
}

#[derive(Debug)]
struct Patterned {
    key: Box<str>,
    patterns: Vec<Pattern>,
}

impl Keys {
    pub(super) fn new<'a>(set: Set, all: impl Iterator<Item = &'a String>) -> Self {
        let mut keys = Self::default();
        for key in all {
            keys.keys.insert(key.as_str().into());
            let patterns = if key.contains('{') { set.patterns(key) } else { None };
            if let Some(patterns) = patterns
                && !patterns.iter().all(Pattern::is_literal)
            {
                let size = size(patterns.len(), key);
                keys.patterned
                    .entry(size)
                    .or_default()
                    .push(Patterned { key: key.as_str().into(), patterns });
            }
        }
        keys
    }

    /// Whether `text`, as it is, is a key that holds no placeholder.
    pub(super) fn has_literal(&self, text: &str) -> bool {
        self.keys.contains(text) && !text.contains('{')
    }

    /// Whether this very text is a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    pub(super) fn find(&self, name: &Name, secrets: Secrets) -> Option<&str> {
        let literal = || match name.values.as_slice() {
            // A path that is its own key was not found.
            [text] if *text == name.key && text.starts_with('/') => None,
            _ => self.keys.get(name.literal()?.as_str()),
        };
        if let Some(key) = self.keys.get(name.key.as_str()).or_else(literal) {
            return Some(key);
        }
        let size = size(name.values.len(), &name.key);
        let patterned = self.patterned.get(&size)?;
        patterned
            .iter()
            .find(|entry| all_match(&entry.patterns, name, secrets))
            .map(|entry| &*entry.key)
    }

    /// The keys before and after the place where `text` would be: they begin most like it.
    pub(super) fn neighbours(&self, text: &str) -> impl Iterator<Item = &str> {
        let before = self.keys.range::<str, _>((Unbounded, Excluded(text))).next_back();
        let after = self.keys.range::<str, _>((Excluded(text), Unbounded)).next();
        before.into_iter().chain(after).map(|key| &**key)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.keys.iter().map(|key| &**key)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Neither a slash nor the end of an argument is ever part of a placeholder, so their number is that of the value.
fn size(values: usize, key: &str) -> usize {
    if values == 1 { key.bytes().filter(|byte| *byte == b'/').count() } else { values }
}

fn all_match(patterns: &[Pattern], name: &Name, secrets: Secrets) -> bool {
    patterns.len() == name.values.len()
        && patterns.iter().zip(&name.values).all(|(pattern, value)| pattern.matches(value, secrets))
}
