//! Names of one list, those of one directory together.

use std::collections::BTreeMap;

use crate::baseline::Entry;

/// So many names of a directory are shown one by one.
const FEW: usize = 3;

pub(super) fn lines(entries: &[&Entry<'_>], all: bool) -> Vec<String> {
    let shown = |entry: &Entry<'_>| {
        let phase = match entry.seen.phase.to_string().as_str() {
            "stop" => " (when it stops)",
            _ => "",
        };
        format!("{}{phase}{}", entry.key, if entry.bound { " ~" } else { "" })
    };
    let mut directories: BTreeMap<&str, Vec<&Entry<'_>>> = BTreeMap::new();
    for entry in entries {
        let directory = entry.key.strip_prefix('/').and_then(|_| entry.key.rsplit_once('/'));
        let directory = directory.map_or("", |(directory, _)| directory);
        directories.entry(directory).or_default().push(entry);
    }
    let mut lines = Vec::new();
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
