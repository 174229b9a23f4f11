//! What a baseline's file says.

use serde_json::Value;

/// How often an entry was seen in all, where every run saw it: `all` stands for once in each.
pub fn times(seen: &Value) -> u64 {
    let text = seen["runs"].as_str().unwrap_or_else(|| panic!("no sightings: {seen}"));
    let one =
        |run: &str| run.split_once('*').map_or(1, |(_, count)| count.parse().expect("a count"));
    text.split(' ').map(one).sum()
}
