//! What is shipped for Prometheus, Alertmanager and Grafana speaks of metrics that are there, and does what it promises.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::Metrics;

fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "deploy", "prometheus"].iter().collect()
}

fn rules() -> String {
    std::fs::read_to_string(directory().join("driftline.rules.yaml")).unwrap()
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

/// A rule without a case, or without a page of the runbook, is one that nobody ever saw fire.
#[test]
fn every_rule_has_a_case_and_a_section_in_the_runbook() {
    let read = |name| std::fs::read_to_string(directory().join(name)).unwrap();
    let (cases, runbook) = (read("driftline.rules.test.yaml"), read("RUNBOOK.md"));
    let text = rules();
    let names: Vec<_> =
        text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        let fires = format!("alertname: {name}\n        exp_alerts:\n");
        assert!(cases.contains(&fires), "{name} fires in no case");
        assert!(runbook.contains(&format!("## Alert name: {name}\n")), "{name}");
        let anchor = format!("runbook_url: RUNBOOK.md#alert-name-{}\n", name.to_lowercase());
        assert!(text.contains(&anchor), "{anchor}");
    }
}

/// With every series that an agent may have: what is pushed to it only where there is something is pushed here.
fn exposed() -> String {
    let metrics = Metrics::new(jiff::Timestamp::UNIX_EPOCH).unwrap();
    metrics.lost("exec", 0);
    metrics.blind("exec", false);
    metrics.canary_every(Some(Duration::from_mins(10)));
    metrics.namespace_seen("shop");
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
    metrics.text().unwrap()
}

fn assert_all_exposed(text: &str) -> usize {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named: BTreeSet<_> =
        text.split(|c| !is_name(c)).filter(|word| word.starts_with("driftline_")).collect();
    let metrics = exposed();
    for name in &named {
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{name} is not a metric");
    }
    named.len()
}

#[test]
fn the_rules_speak_of_metrics_that_exist() {
    assert!(assert_all_exposed(&rules()) > 14);
}

#[test]
fn the_operators_manifest_holds_the_same_rules() {
    let path = directory().join("prometheusrule.yaml");
    let manifest = std::fs::read_to_string(&path).unwrap();
    let head = &manifest[..manifest.find("spec:\n").unwrap() + "spec:\n".len()];
    let text = rules();
    let groups = &text[text.find("groups:\n").unwrap()..];
    let indented =
        |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") };
    let expected = groups.lines().map(indented).collect::<String>();
    let expected = format!("{head}{expected}");
    if std::env::var_os("DRIFTLINE_WRITE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let manifest = std::fs::read_to_string(&path).unwrap();
    assert_eq!(manifest, expected, "write it anew with DRIFTLINE_WRITE=1");
}

fn dashboard() -> Value {
    let path = directory().join("../grafana/driftline.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Every query of the dashboard, with Grafana's variables in place.
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let expr = |target: &Value| {
        let text = target["expr"].as_str().unwrap();
        text.replace("$__rate_interval", "5m").replace("$__range", "6h").replace("$node", ".*")
    };
    targets.map(expr).collect()
}

#[test]
fn every_query_of_the_dashboard_can_be_asked_and_speaks_of_metrics_that_exist() {
    let dashboard = dashboard();
    let queries = queries(&dashboard);
    assert!(queries.len() > 20 && queries.iter().all(|query| !query.contains('$')), "{queries:?}");
    assert!(assert_all_exposed(&queries.join("\n")) > 20);
    assert_all_exposed(&dashboard.to_string().replace("\"uid\":\"driftline\"", ""));
    // To promtool they are rules that record.
    let rules: Vec<_> =
        queries.iter().map(|query| serde_json::json!({"record": "x", "expr": query})).collect();
    let rules = serde_json::json!({"groups": [{"name": "queries", "rules": rules}]});
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), rules.to_string()).unwrap();
    run("promtool", &["check", "rules", "--lint=none", file.path().to_str().unwrap()]);
}

#[test]
fn the_panels_of_the_dashboard_do_not_lie_on_each_other() {
    let dashboard = dashboard();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{panel:#}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{} overlaps", panel["title"]);
            }
        }
    }
}
