//! Who starts whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::files::examples;
use crate::baseline::{Baseline, ENTRYPOINT, Seen};
use crate::command::baseline::text::plain;

/// Argument lists shown of a program.
const FEW: usize = 3;

/// So deep a tree is drawn. What is below begins a tree of its own: no page is wide enough for a chain of thousands.
const DEEPEST: usize = 32;

/// A program that was shown is not unfolded again: shells start each other.
pub(super) fn write(page: &mut String, held: &Baseline) {
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, executable) in &held.executables {
        for parent in executable.parents.keys() {
            children.entry(parent).or_default().push(path);
        }
    }
    let unknown = |parent: &&&str| !held.executables.contains_key(**parent);
    let mut roots: Vec<&str> = children.keys().filter(unknown).copied().collect();
    // The entrypoint first.
    roots.sort_by_key(|root| (*root != ENTRYPOINT, *root));
    let mut tree = Tree { held, children: &children, shown: BTreeSet::new(), page };
    for root in roots {
        let _ = writeln!(tree.page, "  {}", plain(root));
        tree.below(root, "  ", 1);
    }
    let left: Vec<&str> = held.executables.keys().map(String::as_str).collect();
    for path in left {
        if !tree.shown.contains(path) {
            tree.program(path, "  ", 0);
        }
    }
}

struct Tree<'a> {
    held: &'a Baseline,
    children: &'a BTreeMap<&'a str, Vec<&'a str>>,
    shown: BTreeSet<&'a str>,
    page: &'a mut String,
}

impl<'a> Tree<'a> {
    fn below(&mut self, parent: &str, indent: &str, depth: usize) {
        let children = self.children.get(parent).cloned().unwrap_or_default();
        for (number, child) in children.iter().enumerate() {
            let is_last = number + 1 == children.len();
            let branch = if is_last { "└─ " } else { "├─ " };
            let further = format!("{indent}{}", if is_last { "   " } else { "│  " });
            let _ = write!(self.page, "{indent}{branch}");
            self.program(child, &further, depth);
        }
    }

    fn program(&mut self, path: &'a str, indent: &str, depth: usize) {
        let has_children = self.children.contains_key(path);
        if depth > DEEPEST {
            // It is told where its own tree begins.
            let _ = writeln!(self.page, "{} (elsewhere)", plain(path));
            return;
        }
        let again = !self.shown.insert(path);
        let Some(executable) = self.held.executables.get(path) else { return };
        if again {
            let see = if has_children { " (see above)" } else { "" };
            let _ = writeln!(self.page, "{}{see}", plain(path));
            return;
        }
        let mut args: Vec<_> = executable.args.iter().collect();
        // What says most first.
        args.sort_by_key(|(_, seen)| seen.siblings.is_empty());
        let shown = |(line, seen): (&String, &Seen)| plain(&format!("{line}{}", examples(seen)));
        match args.as_slice() {
            [one] => {
                let _ = writeln!(self.page, "{}: {}", plain(path), shown(*one));
            }
            several => {
                let _ = writeln!(self.page, "{}", plain(path));
                let pipe = if has_children { "│" } else { " " };
                for args in several.iter().take(FEW) {
                    let _ = writeln!(self.page, "{indent}{pipe}    {}", shown(*args));
                }
                if several.len() > FEW {
                    let _ =
                        writeln!(self.page, "{indent}{pipe}    and {} more", several.len() - FEW);
                }
            }
        }
        self.below(path, indent, depth + 1);
    }
}
