//! Who writes a file under a name that changes and then gives it its own may as well throw it away unfinished: `PostgreSQL` does
//! when what it caches has changed meanwhile, once in a hundred starts. Redis opens it before that, so that removing the name takes no
//! time. No recording is that long.

use std::collections::BTreeSet;

use super::model::Executable;
use super::seen::Seen;
use crate::generalise::{Pattern, split_args};

impl Executable {
    /// Holds the opening and the deletion of such names. What is known of them is what is known of their renaming.
    pub(super) fn may_throw_away(&mut self) {
        let half_written = |line: &String| match split_args(line)?.as_slice() {
            [deed, from, to] if deed == "rename" && from != to => Some(from.clone()),
            _ => None,
        };
        let changes = |name: &String| !Pattern::parse(name).is_literal();
        let names = self.link.iter().filter_map(|(line, seen)| Some((half_written(line)?, seen)));
        let names: Vec<_> = names
            .filter(|(name, _)| changes(name) && self.write.contains_key(name))
            .map(|(name, seen)| (name, Seen { siblings: BTreeSet::new(), ..seen.clone() }))
            .collect();
        for (name, seen) in names {
            self.read.entry(name.clone()).or_insert_with(|| seen.clone());
            self.delete.entry(name).or_insert(seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{baseline, observation, run};
    use super::super::judge::Judge;
    use crate::behaviour::{Behaviour, Change, File, Observation, Operation};

    fn changed(by: &str, path: &str, operation: Operation) -> Observation {
        observation(by, &[], Behaviour::Change(Change { path: path.to_owned(), operation }))
    }

    fn opened(by: &str, path: &str) -> Observation {
        let file = File { path: path.to_owned(), read: true, write: false, denied: false };
        observation(by, &[], Behaviour::File(file))
    }

    fn written(by: &str, path: &str) -> Observation {
        let file = File { path: path.to_owned(), read: false, write: true, denied: false };
        observation(by, &[], Behaviour::File(file))
    }

    #[test]
    fn what_is_renamed_once_it_is_written_may_be_thrown_away_before() {
        let mut baseline = baseline();
        let rename = |from: &str, to: &str| changed("/db", to, Operation::Rename(from.to_owned()));
        for done in [
            written("/db", "/data/cache.108"),
            rename("/data/cache.108", "/data/cache"),
            // The same name each time, and one that somebody else wrote.
            written("/db", "/data/list.new"),
            rename("/data/list.new", "/data/list"),
            written("/client", "/data/upload.108"),
            rename("/data/upload.108", "/data/upload"),
        ] {
            baseline.learn(&run(), &done);
        }
        baseline.join_siblings(|_| false);
        let judge = Judge::new(&baseline, "0011aabb");
        let may_delete =
            |by: &str, path: &str| judge.is_known(&changed(by, path, Operation::Delete));
        let may_open = |by: &str, path: &str| judge.is_known(&opened(by, path));
        assert!(may_delete("/db", "/data/cache.116"));
        assert!(may_open("/db", "/data/cache.116"));
        for path in ["/data/cache", "/data/list.new", "/data/list", "/data/upload.116"] {
            assert!(!may_delete("/db", path), "{path}");
            assert!(!may_open("/db", path), "{path}");
        }
        assert!(!may_delete("/client", "/data/cache.116"));
        assert!(!may_open("/client", "/data/cache.116"));
    }
}
