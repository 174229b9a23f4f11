//! A tree of path components. Where a directory has more children than a threshold, they become one that stands for any name.

use std::collections::{BTreeMap, BTreeSet};

use super::{Deed, PathSet, Rival};

/// More children than this collapse.
const CHILDREN: usize = 50;
/// The same below `/etc`.
const CHILDREN_OF_ETC: usize = 100;

pub struct Trie {
    /// Paths that the image brought stay what they are.
    image: BTreeSet<String>,
    /// By kind.
    roots: BTreeMap<&'static str, Node>,
    others: PathSet,
}

#[derive(Default)]
struct Node {
    children: BTreeMap<String, Node>,
    any: Option<Box<Node>>,
    /// A path ends here.
    is_end: bool,
}

impl Trie {
    pub fn new(image: BTreeSet<String>) -> Self {
        Self { image, roots: BTreeMap::new(), others: PathSet::default() }
    }
}

impl Rival for Trie {
    fn name(&self) -> &'static str {
        "fan-out trie"
    }

    fn learn(&mut self, deed: &Deed) {
        if !deed.kind.starts_with("file.") {
            return self.others.learn(deed);
        }
        let mut node = self.roots.entry(deed.kind).or_default();
        for component in components(&deed.object) {
            node = node.children.entry(component.to_owned()).or_default();
        }
        node.is_end = true;
    }

    fn finish(&mut self) {
        for root in self.roots.values_mut() {
            root.collapse("", &self.image);
        }
    }

    fn knows(&self, deed: &Deed) -> bool {
        if !deed.kind.starts_with("file.") {
            return self.others.knows(deed);
        }
        let components: Vec<_> = components(&deed.object).collect();
        self.roots.get(deed.kind).is_some_and(|root| root.has(&components))
    }
}

impl Node {
    fn collapse(&mut self, path: &str, image: &BTreeSet<String>) {
        let most = if path.starts_with("/etc") { CHILDREN_OF_ETC } else { CHILDREN };
        if self.children.len() > most {
            let of_image = |name: &String| image.contains(&format!("{path}/{name}"));
            let merged = self.children.extract_if(.., |name, _| !of_image(name));
            let merged = merged.map(|(_, node)| node).reduce(Node::merge);
            self.any = merged.map(Box::new);
        }
        for (name, child) in &mut self.children {
            child.collapse(&format!("{path}/{name}"), image);
        }
        if let Some(any) = &mut self.any {
            any.collapse(&format!("{path}/*"), image);
        }
    }

    fn merge(mut self, other: Self) -> Self {
        self.is_end |= other.is_end;
        for (name, child) in other.children {
            let merged = match self.children.remove(&name) {
                Some(own) => own.merge(child),
                None => child,
            };
            self.children.insert(name, merged);
        }
        self
    }

    fn has(&self, components: &[&str]) -> bool {
        let Some((first, rest)) = components.split_first() else { return self.is_end };
        self.children.get(*first).is_some_and(|child| child.has(rest))
            || self.any.as_ref().is_some_and(|any| any.has(rest))
    }
}

fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|component| !component.is_empty())
}
