//! The published schema is what the code says, and what is no bind file for the one is none for the other.

use serde_json::Value;

use super::BindFile;
use crate::baseline::schema::assert_published;

fn of_code() -> Value {
    let mut schema = schemars::schema_for!(BindFile).to_value();
    schema["$id"] = "urn:driftline:bind:v1".into();
    schema["title"] = "Where a baseline of Driftline is judged by".into();
    schema["properties"]["schema_version"]["const"] = super::SCHEMA.into();
    schema
}

#[test]
fn the_published_schema_of_bind_files_is_what_the_code_says() {
    assert_published("driftline.bind.v1.schema.json", &of_code());
}

#[test]
fn code_and_schema_agree_on_what_is_a_bind_file() {
    let validator = jsonschema::validator_for(&of_code()).unwrap();
    let version = r#""schema_version":"driftline.bind/v1""#;
    for (text, is_one) in [
        (format!("{{{version}}}"), true),
        (format!(r#"{{{version},"map":[{{"from":"a","to":"b"}}],"relearn":["peers"]}}"#), true),
        (
            format!(r#"{{{version},"accept":[{{"executable":"/a","list":"names","entry":"x"}}]}}"#),
            true,
        ),
        ("{}".to_owned(), false),
        (r#"{"schema_version":"driftline.bind/v2"}"#.to_owned(), false),
        (format!(r#"{{{version},"maps":[]}}"#), false),
        (format!(r#"{{{version},"relearn":["files"]}}"#), false),
        (format!(r#"{{{version},"map":[{{"from":"a"}}]}}"#), false),
        (format!(r#"{{{version},"map":[{{"from":"a","to":"b","too":1}}]}}"#), false),
        (format!(r#"{{{version},"map":{{"a":"b"}}}}"#), false),
    ] {
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(validator.is_valid(&value), is_one, "{text}");
        assert_eq!(BindFile::parse(text.as_bytes()).is_ok(), is_one, "{text}");
    }
}
