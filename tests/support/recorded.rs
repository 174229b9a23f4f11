//! What a baseline's file says.

use std::sync::LazyLock;

use serde_json::Value;

/// How often an entry was seen in all, where every run saw it: `all` stands for once in each.
pub fn times(seen: &Value) -> u64 {
    let text = seen["runs"].as_str().unwrap_or_else(|| panic!("no sightings: {seen}"));
    let one =
        |run: &str| run.split_once('*').map_or(1, |(_, count)| count.parse().expect("a count"));
    text.split(' ').map(one).sum()
}

/// A baseline, which must be valid by the published schema.
pub fn valid(text: &str) -> Value {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let schema = include_str!("../../baselines/schema/driftline.baseline.v1.schema.json");
        let schema = serde_json::from_str(schema).expect("JSON");
        jsonschema::validator_for(&schema).expect("a schema")
    });
    let baseline = serde_json::from_str(text).expect("JSON");
    if let Err(error) = SCHEMA.validate(&baseline) {
        panic!("{}: {error}: {text}", error.instance_path());
    }
    baseline
}
