//! The published schema is what the code says, and what the code writes is valid by it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;

use super::layout;
use super::model::Baseline;

static VALIDATOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&of_code()).expect("a schema"));

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../baselines")
}

fn of_code() -> Value {
    let mut schema = schemars::schema_for!(Baseline).to_value();
    schema["$id"] = "urn:driftline:baseline:v1".into();
    schema["title"] = "A baseline of Driftline".into();
    schema["properties"]["schema"]["const"] = super::SCHEMA.into();
    schema
}

/// What is wrong with a baseline's text.
pub(super) fn faults(text: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(text).expect("JSON");
    VALIDATOR
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Asserts that `baselines/schema/FILE` is this schema; `DRIFTLINE_WRITE_SCHEMA=1` writes it anew.
pub(crate) fn assert_published(file: &str, schema: &Value) {
    let path = directory().join("schema").join(file);
    let expected = format!("{schema:#}\n");
    if std::env::var_os("DRIFTLINE_WRITE_SCHEMA").is_some() {
        fs::write(&path, &expected).expect("the tree is ours");
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == expected,
        "{} is not what the code says: run this test with DRIFTLINE_WRITE_SCHEMA=1 and look at what changed",
        path.display()
    );
}

#[test]
fn the_published_schema_is_what_the_code_says() {
    assert_published("driftline.baseline.v1.schema.json", &of_code());
}

#[test]
fn every_baseline_in_the_tree_is_valid_and_as_it_would_be_written() {
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(faults(&text), [""; 0], "{}", path.display());
            let baseline = super::load_file(&path).unwrap();
            assert!(layout::render(&baseline) == text, "{}: record it again", path.display());
        }
    }
}

#[test]
fn what_no_baseline_has_is_refused() {
    let good = layout::render(&super::fixtures::baseline());
    assert_eq!(faults(&good), [""; 0]);
    for (one, other) in [
        ("\"host\"", "\"hosts\""),
        ("baseline/v1", "baseline/v9"),
        ("\"generaliser\": 2", "\"generaliser\": \"2\""),
        ("\"syscalls\": {}", "\"syscalls\": {\"read\": 1}"),
    ] {
        assert!(!faults(&good.replace(one, other)).is_empty(), "{one} as {other}");
    }
}
