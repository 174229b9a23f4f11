//! The sets of an executable, and how a value is looked up in one that still changes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::candidates::candidates;
use super::model::Executable;
use super::seen::Seen;
use crate::generalise::{Pattern, Secrets, Word, join_args, split_args, words_match};

#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
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
    Capability,
}

/// What is looked up: the key it would have, and the value that another key's pattern may match.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) key: String,
    /// One text, or one for each argument. Empty: only the key counts.
    pub(super) values: Vec<String>,
}

impl Set {
    pub(super) const ALL: [Self; 19] = [
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
        Self::Capability,
    ];

    /// As the file names it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Parents => "parents",
            Self::Args => "args",
            Self::Read => "read",
            Self::ReadDenied => "read_denied",
            Self::Write => "write",
            Self::WriteDenied => "write_denied",
            Self::Delete => "delete",
            Self::Link => "link",
            Self::Meta => "meta",
            Self::MapExec => "map_exec",
            Self::Connect => "connect",
            Self::Listen => "listen",
            Self::Accept => "accept",
            Self::Socket => "socket",
            Self::Unix => "unix",
            Self::Identity => "identity",
            Self::Escape => "escape",
            Self::Dns => "dns",
            Self::Capability => "capability",
        }
    }

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
    pub(super) fn patterns(self, key: &str) -> Option<Vec<Word>> {
        let plain = |text: &str| Word::Plain(Pattern::parse(text));
        match self {
            Self::Socket | Self::Identity | Self::Capability => None,
            Self::Args => Some(split_args(key)?.iter().map(|arg| Word::parse(arg)).collect()),
            Self::Link | Self::Meta => {
                Some(split_args(key)?.iter().map(|word| plain(word)).collect())
            }
            _ => Some(vec![plain(key)]),
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
            Set::Capability => &self.capability,
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
            Set::Capability => &mut self.capability,
        }
    }
}

impl Name {
    /// The key that only this very value has. Generalising never makes it where it sees a pattern, but a person who edits a
    /// baseline may allow one temporary file and no other.
    pub(super) fn literal(&self) -> Option<Cow<'_, str>> {
        let literal = match self.values.as_slice() {
            [] => return None,
            [text] if text.starts_with('/') => Cow::Borrowed(text.as_str()),
            args => Cow::Owned(join_args(args)),
        };
        (!literal.contains('{')).then_some(literal)
    }

    /// Whether the values have the shape of the patterns.
    pub(super) fn matches(&self, patterns: &[Word], secrets: Secrets) -> bool {
        words_match(patterns, &self.values, secrets)
    }
}

/// The key that holds `name`, while the set still changes.
pub(super) fn find<'a, V>(keys: &'a BTreeMap<String, V>, set: Set, name: &Name) -> Option<&'a str> {
    let literal = || keys.get_key_value(&*name.literal()?);
    if let Some((key, _)) = keys.get_key_value(&name.key).or_else(literal) {
        return Some(key);
    }
    if name.values.is_empty() {
        return None;
    }
    let holds = |key: &&str| {
        set.patterns(key).is_some_and(|patterns| name.matches(&patterns, Secrets::Exact))
    };
    candidates(keys, &name.key).into_iter().find(holds)
}
