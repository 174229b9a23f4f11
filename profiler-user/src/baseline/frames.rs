//! Very many entries of one frame as one, which keeps some of them for an example.
//!
//! **Invariant:** of what frame an entry is, it says itself, and what entries of a frame have in common does not depend on their
//! order: baselines come together in any.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::merge::Join as _;
use super::seen::Seen;
use crate::generalise::{Kin, Word, is_of_siblings, split_args};

/// So many entries of one frame, of which one executable did the same, become one: a dozen files have names of their
/// own, more are somebody's data.
pub(super) const MANY: usize = 12;

/// So many are no accident, where it is known already that names differ.
pub(super) const HABIT: usize = 3;

/// Examples that such an entry keeps, to show what it stands for.
const EXAMPLES: usize = 8;

/// Bytes of an example, at most.
const SHOWN: usize = 200;

struct Frame<K> {
    keys: Vec<String>,
    joined: K,
    /// One of them stands for more than itself.
    is_wide: bool,
}

/// Joins the entries of frames that have an entry for many, and of those that `may` have one and hold enough.
pub(super) fn join<K: Kin>(
    entries: &mut BTreeMap<String, Seen>,
    parse: impl Fn(&str) -> Option<K>,
    may: impl Fn(&str) -> bool,
) {
    let mut frames = BTreeMap::<String, Frame<K>>::new();
    for key in entries.keys() {
        let Some(kin) = parse(key) else { continue };
        let (name, is_wide) = (kin.frame(), kin.is_wide());
        let frame = match frames.remove(&name) {
            Some(Frame { mut keys, joined, is_wide: was_wide }) => {
                keys.push(key.clone());
                Frame { keys, joined: joined.join(kin), is_wide: is_wide || was_wide }
            }
            None => Frame { keys: vec![key.clone()], joined: kin, is_wide },
        };
        frames.insert(name, frame);
    }
    for (name, frame) in frames {
        // What is for many already was allowed when it came to be.
        let enough = if frame.joined.is_soon_many() { HABIT } else { MANY };
        if frame.is_wide || (frame.keys.len() >= enough && may(&name)) {
            take_in(entries, &frame.joined.line(), &frame.keys);
        }
    }
}

pub(super) fn take_in(entries: &mut BTreeMap<String, Seen>, pattern: &str, keys: &[String]) {
    for key in keys.iter().filter(|key| *key != pattern) {
        let Some(mut seen) = entries.remove(key) else { continue };
        seen.example(pattern, key);
        match entries.get_mut(pattern) {
            Some(known) => known.join(seen),
            None => {
                entries.insert(pattern.to_owned(), seen);
            }
        }
    }
}

impl Seen {
    /// Under the pattern of very many, `key` is one of them.
    pub(super) fn example(&mut self, pattern: &str, key: &str) {
        if pattern == key || !is_of_many(pattern) || is_of_many(key) {
            return;
        }
        // The directory is the pattern's.
        let is_path = pattern.starts_with('/') && !pattern.contains(' ');
        let name = if is_path { key.rsplit('/').next().unwrap_or(key) } else { key };
        let one = BTreeSet::from([name[..name.floor_char_boundary(SHOWN)].to_owned()]);
        self.siblings = examples(std::mem::take(&mut self.siblings), one);
    }
}

fn is_of_many(pattern: &str) -> bool {
    let may_be = ["{arg", "{each:", "{either:"].iter().any(|kind| pattern.contains(kind));
    let has_wildcard =
        || split_args(pattern).is_some_and(|args| args.iter().any(|arg| Word::is_wild(arg)));
    is_of_siblings(pattern) || (may_be && has_wildcard())
}

/// The examples of two entries: those with the least hashes, which are the same in whatever order they come.
pub(super) fn examples(mut names: BTreeSet<String>, others: BTreeSet<String>) -> BTreeSet<String> {
    names.extend(others);
    if names.len() <= EXAMPLES {
        return names;
    }
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_cached_key(|name| Sha256::digest(name));
    names.truncate(EXAMPLES);
    names.into_iter().collect()
}
