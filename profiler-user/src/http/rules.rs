//! The rules that are shipped speak of metrics that are there, and say what they promise.

use std::path::PathBuf;
use std::process::Command;

use super::Metrics;

fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "deploy", "prometheus"].iter().collect()
}

/// Runs a tool beside the rules; says loudly where it is not installed.
fn run(tool: &str, args: &[&str]) {
    match Command::new(tool).args(args).current_dir(directory()).output() {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
        }
        Err(error) => eprintln!("SKIPPED: {tool} cannot be run: {error}"),
    }
}

#[test]
fn the_rules_fire_when_they_should_and_only_then() {
    run("promtool", &["check", "rules", "driftline.rules.yaml"]);
    run("promtool", &["test", "rules", "driftline.rules.test.yaml"]);
    run("amtool", &["check-config", "alertmanager.example.yaml"]);
}

#[test]
fn the_rules_speak_of_metrics_that_exist() {
    let metrics = Metrics::new(jiff::Timestamp::UNIX_EPOCH).unwrap();
    metrics.lost("exec", 0);
    metrics.blind("exec", false);
    metrics.sinks(&[crate::sink::SinkStatus {
        name: "file".to_owned(),
        up: Some(true),
        queue_length: 0,
        failures: 0,
        refused: 0,
        last_success: None,
        last_error: None,
        canary: None,
    }]);
    let text = metrics.text().unwrap();
    let rules = std::fs::read_to_string(directory().join("driftline.rules.yaml")).unwrap();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut named: Vec<_> =
        rules.split(|c| !is_name(c)).filter(|word| word.starts_with("driftline_")).collect();
    named.sort_unstable();
    named.dedup();
    assert!(named.len() > 7, "{named:?}");
    for name in named {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} is not a metric");
    }
}
