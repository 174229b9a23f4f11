//! Paths, component by component.

use std::cell::RefCell;
use std::fmt::Write as _;

use super::pattern::push_escaped;
use super::place::{Place, Walk};
use super::{date, name, template, token};

/// The pattern of an absolute, resolved path, or of the name of something without one (`pipe:[4711]`).
pub fn generalise_path(path: &str) -> String {
    let Some((directory, name)) = path.rsplit_once('/') else {
        let mut pattern = String::new();
        push_component(&mut pattern, "", path, Place::Ordinary);
        return pattern;
    };
    LAST.with_borrow_mut(|last| {
        if last.path != directory {
            *last = Directory::of(directory);
        }
        let mut leaf = std::mem::take(&mut last.leaf);
        leaf.clear();
        push_component(&mut leaf, directory, name, last.inside);
        let directory = match &last.sharded {
            Some(sharded) if is_hash(&leaf) => sharded,
            _ => &last.pattern,
        };
        let mut pattern = String::with_capacity(directory.len() + 1 + leaf.len());
        pattern.push_str(directory);
        pattern.push('/');
        pattern.push_str(&leaf);
        last.leaf = leaf;
        pattern
    })
}

thread_local! {
    /// Where the last name was: the next one is mostly there too.
    static LAST: RefCell<Directory> = RefCell::new(Directory::of(""));
}

/// What all names in a directory have in common.
struct Directory {
    path: String,
    pattern: String,
    /// The pattern for a file that is called after a hash, where the directory may be one of those that caches and object
    /// stores spread such files over: `/cache/7/4f/` of `/cache/7/4f/…94f7`.
    sharded: Option<String>,
    inside: Place,
    /// Memory for the pattern of a name.
    leaf: String,
}

/// Directories below one another that spread files over.
const LEVELS: usize = 2;

/// Hexadecimal digits of a name that is nothing but a hash.
const HASH: usize = 16;

impl Directory {
    fn of(path: &str) -> Self {
        let mut pattern = String::with_capacity(path.len() + 8);
        let mut walk = Walk::ROOT;
        let mut start = 0_usize;
        let mut shards = Vec::new();
        for component in path.split('/') {
            if start > 0 {
                pattern.push('/');
            }
            if walk.place() != Place::Fixed && is_shard(component) {
                shards.push((pattern.len(), component.len()));
            } else {
                shards.clear();
            }
            // Without the slash before this component.
            let directory = &path[..start.saturating_sub(1)];
            push_component(&mut pattern, directory, component, walk.place());
            walk.enter(&path[..start + component.len()], component);
            start += component.len() + 1;
        }
        let sharded = shards.get(shards.len().saturating_sub(LEVELS)).map(|(start, _)| {
            let mut sharded = pattern[..*start].to_owned();
            for (level, (_, digits)) in shards.iter().rev().take(LEVELS).rev().enumerate() {
                let slash = if level > 0 { "/" } else { "" };
                let _infallible = write!(sharded, "{slash}{{hex:{digits}}}");
            }
            sharded
        });
        Self { path: path.to_owned(), pattern, sharded, inside: walk.place(), leaf: String::new() }
    }
}

fn is_shard(component: &str) -> bool {
    matches!(component.len(), 1 | 2) && token::is_hex(component)
}

fn is_hash(pattern: &str) -> bool {
    let digits = pattern.strip_prefix("{hex:").and_then(|rest| rest.split_once('}'));
    digits.and_then(|(digits, _)| digits.parse().ok()).is_some_and(|digits: usize| digits >= HASH)
}

fn push_component(pattern: &mut String, directory: &str, component: &str, place: Place) {
    if is_spelled(component) && (place == Place::Fixed || template::find(component).is_none()) {
        return pattern.push_str(component);
    }
    if let Some(number) = kernel_number(directory, component) {
        return pattern.push_str(number);
    }
    if let Some((kind, number)) = component.strip_suffix(']').and_then(|name| name.split_once(":["))
        && is_number(number)
    {
        // pipe:[4711], socket:[4711], net:[4026531840]
        push_escaped(pattern, kind);
        return pattern.push_str(":[{num}]");
    }
    if component.strip_prefix("..").is_some_and(date::is_projected_volume) {
        return pattern.push_str("..{date}");
    }
    if let Some(compiled) = half_written_bytecode(directory, component) {
        push_escaped(pattern, compiled);
        return pattern.push_str("{num}");
    }
    // A library's version belongs to its identity.
    let is_library = || component.split('.').skip(1).any(|part| part == "so");
    if place == Place::Fixed || is_library() {
        push_escaped(pattern, component);
    } else {
        name::push(pattern, component, place == Place::Temporary, |_, _| false);
    }
}

/// Numbers that the kernel hands out, in places where nothing else is generalised.
fn kernel_number(directory: &str, component: &str) -> Option<&'static str> {
    if !is_number(component) {
        return None;
    }
    if directory == "/dev/pts" {
        return Some("{num}");
    }
    if directory == "/proc" {
        return Some("{pid}");
    }
    let (process, inside) = directory.strip_prefix("/proc/")?.split_once('/')?;
    if !(is_number(process) || process == "self" || process == "thread-self") {
        return None;
    }
    let inside = match inside.strip_prefix("task/").map(|task| task.split_once('/')) {
        Some(Some((thread, inside))) if is_number(thread) => inside,
        _ => inside,
    };
    match inside {
        "task" => Some("{pid}"),
        "fd" | "fdinfo" => Some("{num}"),
        _ => None,
    }
}

/// Python writes compiled modules beside their sources under a name with a number, then renames them. A root-owned image
/// without them does so at each start, under `/usr`; nothing ever imports or runs a file of this name.
fn half_written_bytecode<'a>(directory: &str, component: &'a str) -> Option<&'a str> {
    if !component.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (compiled, number) = component.rsplit_once('.')?;
    let (_, extension) = compiled.rsplit_once('.')?;
    let written = directory.ends_with("/__pycache__")
        && extension == "pyc"
        && number.len() >= 8
        && is_number(number);
    written.then(|| &component[..=compiled.len()])
}

/// As most names are: of small letters, in which no rule but a template sees anything that changes.
pub(super) fn is_spelled(name: &str) -> bool {
    /// Of letters alone, and yet no word.
    const UUID: usize = 36;
    name.len() < UUID && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'.' | b'-'))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
