//! Names of one list, those of one directory together.

use std::collections::BTreeMap;

use crate::baseline::{Entry, Seen};

/// So many names of a directory are shown one by one.
const FEW: usize = 3;

/// Of an entry that stands for very many, two that it was made of.
pub(super) fn examples(seen: &Seen) -> String {
    let some: Vec<_> = seen.siblings.iter().take(2).map(String::as_str).collect();
    if some.is_empty() { String::new() } else { format!(" (many: {}, …)", some.join(", ")) }
}

pub(super) fn lines(entries: &[&Entry<'_>], all: bool) -> Vec<String> {
    let shown = |entry: &Entry<'_>| {
        let phase = match entry.seen.phase.to_string().as_str() {
            "stop" => " (when it stops)",
            _ => "",
        };
        let bound = if entry.bound { " ~" } else { "" };
        format!("{}{phase}{bound}{}", entry.key, examples(entry.seen))
    };
    // What stands for very many is a line of its own.
    let (many, entries): (Vec<&Entry<'_>>, Vec<&Entry<'_>>) =
        entries.iter().copied().partition(|entry| !entry.seen.siblings.is_empty());
    let mut directories: BTreeMap<&str, Vec<&Entry<'_>>> = BTreeMap::new();
    for entry in entries {
        let directory = entry.key.strip_prefix('/').and_then(|_| entry.key.rsplit_once('/'));
        let directory = directory.map_or("", |(directory, _)| directory);
        directories.entry(directory).or_default().push(entry);
    }
    let mut lines: Vec<_> = many.into_iter().map(&shown).collect();
    for (directory, entries) in directories {
        if all || entries.len() <= FEW || directory.is_empty() {
            lines.extend(entries.into_iter().map(shown));
        } else {
            let bound = if entries.iter().all(|entry| entry.bound) { " ~" } else { "" };
            lines.push(format!("{directory}/ ({} names){bound}", entries.len()));
        }
    }
    lines
}
