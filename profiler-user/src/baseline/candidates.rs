//! Which keys of a growing set may hold a name that none of them equals.
//!
//! A key with a placeholder where the name's own key has something else holds it perhaps: letters that look like a word, say.
//! Keys are sorted, so those lie together, and no other is looked at: a recording of very many names would else parse every
//! key again for each new one.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

/// Above everything that begins with the text before it.
const LAST: char = char::MAX;

/// The keys that begin as `own` does and then have a placeholder that `own` has not.
pub(super) fn candidates<'a, V>(keys: &'a BTreeMap<String, V>, own: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let shared = &own[..at];
        if !begins(keys, shared) {
            return found;
        }
        let other = format!("{shared}{{");
        let end = format!("{other}{LAST}");
        let rest = &own[at..];
        let length = match rest.find('}') {
            _ if rest.starts_with("{{") => 2,
            Some(close) if rest.starts_with('{') => close + 1,
            _ => rest.chars().next().map_or(0, char::len_utf8),
        };
        let same = &own[..at + length];
        if rest.starts_with('{') {
            // Those with the very placeholder come later.
            found.extend(between(keys, &other, same));
            found.extend(between(keys, &format!("{same}{LAST}"), &end));
        } else {
            found.extend(between(keys, &other, &end));
        }
        if length == 0 {
            return found;
        }
        at += length;
    }
}

fn begins<V>(keys: &BTreeMap<String, V>, text: &str) -> bool {
    let next = keys.range::<str, _>((Included(text), Unbounded)).next();
    next.is_some_and(|(key, _)| key.starts_with(text))
}

/// From `from` to before `to`.
fn between<'a, V>(
    keys: &'a BTreeMap<String, V>,
    from: &str,
    to: &str,
) -> impl Iterator<Item = &'a str> {
    let some = (from < to).then(|| keys.range::<str, _>((Included(from), Excluded(to))));
    some.into_iter().flatten().map(|(key, _)| key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[&str], own: &str) -> Vec<String> {
        let keys = keys.iter().map(|key| ((*key).to_owned(), ())).collect();
        let mut found: Vec<_> = candidates(&keys, own).into_iter().map(str::to_owned).collect();
        found.sort();
        found
    }

    #[test]
    fn a_placeholder_in_place_of_something_else_may_hold_it() {
        let keys = ["/tmp/cc{rand:6}.s", "/tmp/{hex:8}", "/tmp/x", "/tmp/{rand:8}/a", "/var/{num}"];
        assert_eq!(
            of(&keys, "/tmp/ccabcdef.s"),
            ["/tmp/cc{rand:6}.s", "/tmp/{hex:8}", "/tmp/{rand:8}/a"]
        );
        assert_eq!(of(&keys, "/tmp/{hex:8}/a"), ["/tmp/{rand:8}/a"]);
        assert_eq!(of(&keys, "/tmp/{rand:8}"), ["/tmp/{hex:8}"]);
        assert_eq!(of(&keys, "/etc/passwd"), Vec::<String>::new());
        assert_eq!(of(&["é{num}"], "éa"), ["é{num}"]);
    }

    #[test]
    fn a_name_that_shares_its_placeholders_is_not_among_them() {
        let keys = ["/data/{uuid}/a", "/data/{uuid}/b{num}", "/data/{uuid}/c"];
        assert_eq!(of(&keys, "/data/{uuid}/d"), Vec::<String>::new());
        assert_eq!(of(&keys, "/data/{uuid}/b"), ["/data/{uuid}/b{num}"]);
    }
}
