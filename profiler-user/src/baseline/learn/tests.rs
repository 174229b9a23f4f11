use super::super::fixtures::{baseline, exec, observation, read, run};
use super::super::layout;
use super::super::model::ENTRYPOINT;
use super::*;
use crate::behaviour::{Exec, Syscall};

#[test]
fn an_exec_is_its_parent_and_its_arguments() {
    let mut baseline = baseline();
    let dash = exec("/usr/bin/dash", &["sh", "-c", "sleep 17"], None);
    assert_eq!(baseline.learn(&run(), &dash), 2);
    assert_eq!(baseline.learn(&run(), &dash), 0);
    let entry = &baseline.executables["/usr/bin/dash"];
    assert_eq!(entry.parents[ENTRYPOINT].count(), 2);
    assert_eq!(entry.args["sh -c 'sleep {num}'"].runs(), 1);
    let fileless = Exec {
        given: String::new(),
        parent: None,
        fileless: true,
        not_in_image: true,
        cwd: "/".to_owned(),
    };
    let fileless = observation("/memfd:x (deleted)", &["x"], Behaviour::Exec(fileless));
    assert_eq!(baseline.learn(&run(), &fileless), 4);
    assert_eq!(baseline.learn(&run(), &fileless), 0);
}

#[test]
fn a_random_name_that_looks_like_a_word_is_counted_with_its_pattern() {
    let mut baseline = baseline();
    assert_eq!(baseline.learn(&run(), &read("/usr/bin/bash", "/tmp/job.aB3xY9")), 1);
    assert_eq!(baseline.learn(&run(), &read("/usr/bin/bash", "/tmp/job.secret")), 0);
    assert_eq!(baseline.learn(&run(), &read("/usr/bin/bash", "/tmp/job.secrets")), 1);
    let read = &baseline.executables["/usr/bin/bash"].read;
    assert_eq!(read["/tmp/job.{rand:6}"].count(), 2);
}

#[test]
fn ways_of_a_system_call_are_entries_of_their_own() {
    let mut baseline = baseline();
    for (denied, foreign) in [(false, false), (true, false), (false, true), (true, true)] {
        let call = Syscall { name: "unshare".to_owned(), denied, foreign };
        assert_eq!(baseline.learn(&run(), &observation("/x", &[], Behaviour::Syscall(call))), 1);
    }
    let names: Vec<_> = baseline.syscalls.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["unshare", "unshare (denied)", "unshare (foreign)", "unshare (foreign, denied)"]
    );
    assert!(baseline.executables.is_empty());
}

#[test]
fn the_file_is_readable_and_an_entry_is_a_line() {
    let mut baseline = baseline();
    baseline.image.architecture = "x86_64".to_owned();
    baseline.learn(&run(), &exec("/usr/sbin/nginx", &["nginx", "-g", "daemon off;"], None));
    baseline.learn(&run(), &read("/usr/sbin/nginx", "first"));
    baseline.learn(&run(), &read("/usr/sbin/nginx", "/etc/nginx/nginx.conf"));
    let lost = BTreeMap::from([("file".to_owned(), 3), ("exec".to_owned(), 0)]);
    baseline.end_run(&run(), "2026-01-02T15:05:00Z".parse().unwrap(), &lost);
    let seen = r#"{"first": "2026-01-02T15:04:05Z", "last": "2026-01-02T15:04:05Z", "phase": "start", "runs": "all"}"#;
    let expected = r#"{
  "schema": "driftline.baseline/v1",
  "image": {
    "name": "x",
    "architecture": "x86_64"
  },
  "generaliser": 2,
  "redaction_key": [
    "0011aabb"
  ],
  "runs": {
    "01K0000000000000000000000A": {
      "started": "2026-01-02T15:04:00Z",
      "ended": "2026-01-02T15:05:00Z",
      "host": "h",
      "tier": "full",
      "lost": {
        "file": 3
      },
      "command": [
        "nginx"
      ]
    }
  },
  "syscalls": {},
  "executables": {
    "/usr/sbin/nginx": {
      "parents": {
        "(entrypoint)": SEEN
      },
      "args": {
        "nginx -g 'daemon off;'": SEEN
      },
      "read": {
        "/etc/nginx/nginx.conf": SEEN,
        "first": SEEN
      }
    }
  }
}
"#;
    assert_eq!(layout::render(&baseline), expected.replace("SEEN", seen));
    assert_eq!((baseline.entries(), baseline.lost()), (4, 3));
    assert!(baseline.id().starts_with("sha256:"));
}
