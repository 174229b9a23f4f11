use std::collections::BTreeMap;

use super::*;
use crate::baseline::{Image, Phases, Run, RunId, Seen, Sighting};

pub(in super::super) fn sample() -> Baseline {
    let now: Timestamp = "2026-01-02T15:04:05Z".parse().unwrap();
    let run = RunId::new("01K0000000000000000000000A");
    let (first, last, phase) = (now, now, Phases::START);
    let runs = BTreeMap::from([(run.clone(), Sighting::ONCE)]);
    let seen = Seen { first, last, phase, runs, ..Seen::default() };
    let keys = |keys: &[&str]| -> BTreeMap<String, Seen> {
        keys.iter().map(|key| ((*key).to_owned(), seen.clone())).collect()
    };
    let mut held = Baseline::new(Image::here("web"));
    held.runs.insert(run, Run { observer: None, ..Run::new(now, "node-1", "full") });
    held.syscalls = keys(&["read", "write", "unshare (denied)"]);
    let nginx = held.executables.entry("/usr/sbin/nginx".to_owned()).or_default();
    nginx.parents = keys(&[baseline::ENTRYPOINT]);
    nginx.args = keys(&["nginx -g 'daemon off;'"]);
    nginx.read =
        keys(&["/etc/hosts", "/etc/nginx/a", "/etc/nginx/b", "/etc/nginx/c", "/etc/nginx/d"]);
    nginx.connect = keys(&["tcp 10.0.0.7:5432"]);
    nginx.listen = keys(&["tcp 0.0.0.0:80"]);
    let dash = held.executables.entry("/usr/bin/dash".to_owned()).or_default();
    dash.parents = keys(&["/usr/sbin/nginx"]);
    dash.args = keys(&["sh -c a", "sh -c b"]);
    held
}

#[test]
fn a_page_tells_who_runs_whom_and_what_each_does() {
    let held = sample();
    let told = page(&held, &held.completeness(Timestamp::UNIX_EPOCH), false, Timestamp::UNIX_EPOCH);
    let expected = "
Programs
  (entrypoint)
  └─ /usr/sbin/nginx: nginx -g 'daemon off;'
     └─ /usr/bin/dash
             sh -c a
             sh -c b

/usr/bin/dash

/usr/sbin/nginx
  read         /etc/hosts ~
               /etc/nginx/ (4 names)
  connect      tcp 10.0.0.7:5432 ~
  listen       tcp 0.0.0.0:80

System calls (3)
  unshare\u{a0}(denied) read write

~ belongs to where it was recorded, not to the image
";
    assert!(told.ends_with(expected), "{told}");
    assert!(told.contains("seen       unknown: one run does not tell"), "{told}");
    assert!(told.contains("recorded   1 run, 2026-01-02 15:04Z to 2026-01-02 15:04Z"), "{told}");
}

#[test]
fn an_entry_for_many_is_shown_with_examples() {
    let mut held = sample();
    let nginx = held.executables.get_mut("/usr/sbin/nginx").unwrap();
    let some = nginx.read["/etc/hosts"].clone();
    let many = |names: &[&str]| Seen {
        siblings: names.iter().map(ToString::to_string).collect(),
        ..some.clone()
    };
    let pages = many(&["a.html", "b.html", "c.html"]);
    nginx.read.insert("/srv/{word:3-8}.html".to_owned(), pages);
    for name in ["a", "b", "c", "d"] {
        nginx.args.insert(format!("nginx -s {name}"), some.clone());
    }
    nginx.args.insert("nginx -t {arg:name}".to_owned(), many(&["nginx -t a.conf"]));
    let told = page(&held, &held.completeness(Timestamp::UNIX_EPOCH), false, Timestamp::UNIX_EPOCH);
    for line in [
        "  read         /srv/{word:3-8}.html (many: a.html, b.html, …)\n",
        "  └─ /usr/sbin/nginx\n     │    nginx -t {arg:name} (many: nginx -t a.conf, …)\n",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
}
