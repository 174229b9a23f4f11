use super::super::show::sample_for_tests as sample;
use super::*;

/// With a shell that nobody ran before, who reads the passwords and talks to the metadata service.
fn deviated() -> Baseline {
    let mut held = sample();
    let seen = held.syscalls["read"].clone();
    let mut bash = held.executables["/usr/bin/dash"].clone();
    bash.read.insert("/etc/shadow".to_owned(), seen.clone());
    bash.connect.insert("tcp 169.254.169.254:80".to_owned(), seen.clone());
    held.executables.insert("/usr/bin/bash".to_owned(), bash);
    held.syscalls.insert("bpf".to_owned(), seen);
    held.executables.get_mut("/usr/sbin/nginx").unwrap().read.remove("/etc/nginx/a");
    held
}

#[test]
fn what_is_new_is_graded_by_the_table_and_the_gravest_comes_first() {
    let (one, other) = (sample(), deviated());
    let differences = compare((Path::new("a.json"), &one), (Path::new("b.json"), &other));
    let grade = |object: &str| {
        let found = differences.new.iter().find(|it| it.object == object);
        found.unwrap_or_else(|| panic!("{object} in {differences:#?}")).severity
    };
    assert!(grade("/etc/shadow") >= Severity::High);
    assert!(grade("tcp 169.254.169.254:80") >= Severity::High);
    assert!(grade("bpf") >= Severity::Medium);
    assert!(differences.new.iter().any(|it| it.kind == DriftKind::Exec));
    assert!(differences.new.is_sorted_by_key(|it| std::cmp::Reverse(it.severity)));
    assert_eq!(differences.gone.iter().map(|it| it.object).collect::<Vec<_>>(), ["/etc/nginx/a"]);
    assert!(differences.changed.is_empty());
    let page = page(&differences, false);
    assert!(page.contains("/usr/bin/bash: read /etc/shadow: "), "{page}");
}

#[test]
fn what_a_pattern_holds_is_not_new() {
    let (mut one, mut other) = (sample(), sample());
    let seen = one.syscalls["read"].clone();
    let add = |held: &mut Baseline, key: &str| {
        let nginx = held.executables.get_mut("/usr/sbin/nginx").unwrap();
        nginx.write.insert(key.to_owned(), seen.clone());
    };
    add(&mut one, "/tmp/tmp{rand:8}");
    add(&mut other, "/tmp/tmpabcdefgh");
    let differences = compare((Path::new("a.json"), &one), (Path::new("b.json"), &other));
    assert!(differences.new.is_empty(), "{differences:#?}");
}

#[test]
fn a_moved_phase_is_a_change_and_nothing_new() {
    let (one, mut other) = (sample(), sample());
    other.syscalls.get_mut("read").unwrap().phase = baseline::Phases::STEADY;
    let differences = compare((Path::new("a.json"), &one), (Path::new("b.json"), &other));
    assert!(differences.new.is_empty() && differences.gone.is_empty());
    assert_eq!(differences.changed[0].phase_before.as_deref(), Some("start"));
    assert!(page(&differences, false).contains("read (was start, is steady)"));
}

#[test]
fn the_log_is_valid_by_the_published_schema_and_names_the_line() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (sample(), deviated());
    let path = baseline::save(directory.path(), &other).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let differences = compare((Path::new("a b.json"), &one), (&path, &other));
    let log = sarif::log(&differences, &text);
    // As OASIS published it, one pattern has a bracket too many. It is of fields that are not written.
    let schema = include_str!("sarif-2.1.0.schema.json").replace("{2}]?$", "{2}$");
    let schema = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<_> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
    assert_eq!(faults, [""; 0]);
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), differences.new.len());
    for (result, it) in results.iter().zip(&differences.new) {
        let region = &result["locations"][0]["physicalLocation"]["region"];
        let line = usize::try_from(region["startLine"].as_u64().unwrap()).unwrap();
        let line = text.lines().nth(line - 1).unwrap();
        assert!(line.contains(it.object), "{line}: {it:?}");
    }
}
