use std::time::Duration;

use super::super::namespaces::{KEPT, MAX, OTHER};
use super::*;

fn metrics() -> Metrics {
    Metrics::new("2026-11-21T20:59:01.5Z".parse().unwrap()).unwrap()
}

#[track_caller]
fn assert_line(text: &str, line: &str) {
    assert!(text.lines().any(|other| other == line), "{line} is missing in\n{text}");
}

fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

#[test]
fn every_series_of_drift_is_there_from_the_start() {
    let text = metrics().text().unwrap();
    for kind in DriftKind::ALL {
        for severity in ["info", "low", "medium", "high", "critical"] {
            let line = format!(
                "driftline_drift_events_total{{kind=\"{kind}\",severity=\"{severity}\"}} 0"
            );
            assert_line(&text, &line);
        }
    }
    assert_line(&text, "driftline_start_time_seconds 1795294741.5");
    assert_line(&text, "driftline_containers{state=\"watched\"} 0");
    assert_line(
        &text,
        &format!("driftline_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")),
    );
}

#[test]
fn what_is_told_is_shown() {
    let metrics = metrics();
    let time = "2026-11-21T21:00:00Z".parse().unwrap();
    metrics.namespace_seen("shop");
    metrics.drift(DriftKind::Exec, Severity::High, Some("shop"), time);
    metrics.lost("exec", 3);
    metrics.containers(Containers { watched: 7, ..Containers::default() });
    metrics.blind("dns", true);
    let mut sink = SinkStatus {
        name: "file".to_owned(),
        up: Some(true),
        queue_length: 5,
        failures: 2,
        refused: 0,
        last_success: None,
        last_error: None,
        canary: None,
    };
    metrics.sinks(std::slice::from_ref(&sink));
    sink.failures = 4;
    sink.last_success = Some(time);
    metrics.sinks(&[sink]);
    metrics.store_failures(2);
    metrics.store_failures(2);
    let text = metrics.text().unwrap();
    for line in [
        "driftline_drift_events_total{kind=\"exec\",severity=\"high\"} 1",
        "driftline_namespace_drift_events_total{namespace=\"shop\",severity=\"high\"} 1",
        "driftline_namespace_drift_events_total{namespace=\"shop\",severity=\"low\"} 0",
        "driftline_last_event_timestamp_seconds 1795294800",
        "driftline_lost_events_total{kind=\"exec\"} 3",
        "driftline_containers{state=\"watched\"} 7",
        "driftline_blind_behaviours{behaviour=\"dns\"} 1",
        "driftline_sink_up{sink=\"file\"} 1",
        "driftline_sink_queue_length{sink=\"file\"} 5",
        "driftline_sink_failures_total{sink=\"file\"} 4",
        "driftline_sink_last_success_timestamp_seconds{sink=\"file\"} 1795294800",
        "driftline_store_failures_total 2",
    ] {
        assert_line(&text, line);
    }
}

#[test]
fn a_namespace_more_than_fits_is_counted_with_the_others_and_one_that_is_gone_makes_room() {
    let metrics = metrics();
    for number in 0..MAX {
        metrics.namespace_seen(&format!("ns-{number}"));
    }
    metrics.namespace_seen("late");
    metrics.drift(DriftKind::Exec, Severity::Low, Some("late"), Timestamp::UNIX_EPOCH);
    let name = "driftline_namespace_drift_events_total";
    let text = metrics.text().unwrap();
    assert_line(&text, &format!("{name}{{namespace=\"{OTHER}\",severity=\"low\"}} 1"));
    assert!(!text.contains("\"late\""));
    // With as many kinds of losses, behaviours and sinks as there will ever be.
    for number in 0..20 {
        metrics.lost(&number.to_string(), 0);
        metrics.blind(&number.to_string(), false);
    }
    let series = series(&metrics.text().unwrap());
    assert!(series <= 1_000, "{series} series");

    let before = Instant::now() + KEPT;
    let later = before + Duration::from_secs(1);
    let mut namespaces = metrics.namespaces.lock().unwrap();
    namespaces.seen("ns-0", before);
    namespaces.seen("late", later);
    drop(namespaces);
    let text = metrics.text().unwrap();
    assert!(text.contains("\"ns-0\"") && text.contains("\"late\"") && !text.contains("\"ns-1\""));
}

/// A node with as much of everything as there may be: nothing that a container is called by is a label.
#[test]
fn two_hundred_containers_are_a_thousand_series_at_most_and_those_that_are_gone_have_none() {
    let metrics = metrics();
    let now = Timestamp::UNIX_EPOCH;
    metrics.canary_every(Some(Duration::from_mins(10)));
    for number in 0..200 {
        let namespace = format!("ns-{number}");
        metrics.namespace_seen(&namespace);
        for kind in DriftKind::ALL {
            metrics.drift(kind, Severity::High, Some(&namespace), now);
        }
        metrics.silenced_drift(Severity::High, now);
    }
    for kind in profiler_common::event::Kind::ALL {
        metrics.lost(kind.name(), 0);
    }
    for number in 0..24 {
        metrics.blind(&number.to_string(), false);
    }
    let sink = |name: &str| SinkStatus {
        name: name.to_owned(),
        up: Some(true),
        queue_length: 0,
        failures: 0,
        refused: 0,
        last_success: None,
        last_error: None,
        canary: None,
    };
    // Every sort of sink, two of each.
    metrics.sinks(&(0..12).map(|number| sink(&number.to_string())).collect::<Vec<_>>());
    metrics.containers(Containers { watched: 200, ..Containers::default() });
    let text = metrics.text().unwrap();
    assert!(series(&text) <= 1_000, "{} series", series(&text));
    for label in ["container=", "pod=", "pid=", "path=", "digest=", "image="] {
        assert!(!text.contains(label), "{label}");
    }

    // All but one namespace are gone for an hour.
    let later = Instant::now() + KEPT + Duration::from_secs(1);
    let mut namespaces = metrics.namespaces.lock().unwrap();
    namespaces.seen("ns-7", later);
    namespaces.expire(later);
    drop(namespaces);
    let text = metrics.text().unwrap();
    let left = text.lines().filter(|line| line.contains("namespace=\"ns-"));
    assert_eq!(left.filter(|line| !line.contains("\"ns-7\"")).count(), 0);
    assert_line(&text, "driftline_containers{state=\"watched\"} 200");
}
