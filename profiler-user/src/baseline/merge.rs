//! Two baselines of one image as one. Every part is joined by least or greatest, never added up, so that merging is
//! associative, commutative and idempotent: replicas, nodes and repeated copies may come in any order.

use std::collections::BTreeMap;

use super::model::{Baseline, Executable, Run, Seen};

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum MergeError {
    #[error(
        "a baseline of image {one:?} cannot be merged with one of image {other:?}: baselines are per image"
    )]
    OtherImage { one: String, other: String },
    #[error(
        "a baseline of {image:?} on {one} cannot be merged with one on {other}: \
         system calls and paths differ between architectures, keep both"
    )]
    OtherArchitecture { image: String, one: String, other: String },
    #[error(
        "a baseline of {image:?} made with generaliser {one} cannot be merged with one made with generaliser {other}: \
         their patterns mean different things, record the older one again"
    )]
    OtherGeneraliser { image: String, one: u32, other: u32 },
}

impl Baseline {
    pub fn merge(mut self, other: Self) -> Result<Self, MergeError> {
        let image = self.image.label();
        if image != other.image.label() || self.image.id != other.image.id {
            return Err(MergeError::OtherImage { one: image, other: other.image.label() });
        }
        if self.image.architecture != other.image.architecture {
            return Err(MergeError::OtherArchitecture {
                image,
                one: self.image.architecture,
                other: other.image.architecture,
            });
        }
        if self.generaliser != other.generaliser {
            return Err(MergeError::OtherGeneraliser {
                image,
                one: self.generaliser,
                other: other.generaliser,
            });
        }
        self.image.repo_digests.extend(other.image.repo_digests);
        self.image.references.extend(other.image.references);
        self.redaction_key.extend(other.redaction_key);
        self.runs.join(other.runs);
        self.syscalls.join(other.syscalls);
        self.executables.join(other.executables);
        Ok(self)
    }
}

/// The least that holds both.
trait Join {
    fn join(&mut self, other: Self);
}

impl<K: Ord, V: Join> Join for BTreeMap<K, V> {
    fn join(&mut self, other: Self) {
        for (key, theirs) in other {
            match self.get_mut(&key) {
                Some(ours) => ours.join(theirs),
                None => {
                    self.insert(key, theirs);
                }
            }
        }
    }
}

impl<V: Join> Join for Option<V> {
    fn join(&mut self, other: Self) {
        match (self, other) {
            (Some(ours), Some(theirs)) => ours.join(theirs),
            (ours @ None, theirs) => *ours = theirs,
            (Some(_), None) => {}
        }
    }
}

/// A count of one run: the copy that saw more of it is the later one.
impl Join for u64 {
    fn join(&mut self, other: Self) {
        *self = (*self).max(other);
    }
}

impl Join for Seen {
    fn join(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.runs.join(other.runs);
    }
}

impl Join for Run {
    fn join(&mut self, other: Self) {
        self.started = self.started.min(other.started);
        self.ended = self.ended.max(other.ended);
        self.partial |= other.partial;
        self.lost.join(other.lost);
        // These do not differ between copies of one run; where they do, the order must not matter either.
        let Self { host, tier, command, .. } = other;
        self.host = std::mem::take(&mut self.host).max(host);
        self.tier = std::mem::take(&mut self.tier).max(tier);
        self.command = self.command.take().max(command);
    }
}

impl Join for Executable {
    fn join(&mut self, other: Self) {
        let Self {
            parents,
            args,
            fileless,
            not_in_image,
            read,
            read_denied,
            write,
            write_denied,
            delete,
            link,
            meta,
            map_exec,
            connect,
            listen,
            accept,
            socket,
            unix,
            identity,
            escape,
            dns,
            capability,
        } = other;
        self.parents.join(parents);
        self.args.join(args);
        self.fileless.join(fileless);
        self.not_in_image.join(not_in_image);
        self.read.join(read);
        self.read_denied.join(read_denied);
        self.write.join(write);
        self.write_denied.join(write_denied);
        self.delete.join(delete);
        self.link.join(link);
        self.meta.join(meta);
        self.map_exec.join(map_exec);
        self.connect.join(connect);
        self.listen.join(listen);
        self.accept.join(accept);
        self.socket.join(socket);
        self.unix.join(unix);
        self.identity.join(identity);
        self.escape.join(escape);
        self.dns.join(dns);
        self.capability.join(capability);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::super::model::{Image, RunId};
    use super::*;

    fn time() -> impl Strategy<Value = Timestamp> {
        (0..100_i64).prop_map(|second| Timestamp::from_second(1_767_312_000 + second).unwrap())
    }

    fn map<V: std::fmt::Debug>(
        value: impl Strategy<Value = V>,
    ) -> impl Strategy<Value = BTreeMap<String, V>> {
        prop::collection::btree_map("[a-d]", value, 0..4)
    }

    fn run_id() -> impl Strategy<Value = RunId> {
        "[1-4]".prop_map(RunId::new)
    }

    fn seen() -> impl Strategy<Value = Seen> {
        let runs = prop::collection::btree_map(run_id(), 1..9_u64, 1..4);
        (time(), time(), runs).prop_map(|(one, other, runs)| Seen {
            first: one.min(other),
            last: one.max(other),
            runs,
        })
    }

    fn run() -> impl Strategy<Value = Run> {
        let command = prop::option::of(prop::collection::vec("[a-c]", 0..2));
        (time(), prop::option::of(time()), "[ab]", "[ab]", any::<bool>(), map(0..9_u64), command)
            .prop_map(|(started, ended, host, tier, partial, lost, command)| Run {
                started,
                ended,
                host,
                tier,
                partial,
                lost,
                command,
            })
    }

    fn executable() -> impl Strategy<Value = Executable> {
        let sets = (map(seen()), map(seen()), map(seen()), map(seen()), map(seen()));
        let changes = (map(seen()), map(seen()), map(seen()), map(seen()));
        let more = (map(seen()), map(seen()), map(seen()), map(seen()), map(seen()));
        let one = || prop::option::of(seen());
        (sets, changes, more, one(), one()).prop_map(
            |(
                (parents, args, read, write_denied, connect),
                (delete, link, meta, map_exec),
                (socket, unix, identity, escape, dns),
                fileless,
                not_in_image,
            )| Executable {
                parents,
                args,
                fileless,
                not_in_image,
                read,
                write_denied,
                delete,
                link,
                meta,
                map_exec,
                connect,
                socket,
                unix,
                identity,
                escape,
                dns,
                ..Executable::default()
            },
        )
    }

    fn baseline() -> impl Strategy<Value = Baseline> {
        let keys = prop::collection::btree_set("[a-c]", 0..3);
        let runs = prop::collection::btree_map(run_id(), run(), 0..4);
        (keys, runs, map(seen()), map(executable())).prop_map(
            |(redaction_key, runs, syscalls, executables)| Baseline {
                redaction_key,
                runs,
                syscalls,
                executables,
                ..Baseline::new(Image::here("x"))
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn merge_is_commutative(a in baseline(), b in baseline()) {
            prop_assert_eq!(a.clone().merge(b.clone()), b.merge(a));
        }

        #[test]
        fn merge_is_associative(a in baseline(), b in baseline(), c in baseline()) {
            let left = a.clone().merge(b.clone()).unwrap().merge(c.clone());
            prop_assert_eq!(left, a.merge(b.merge(c).unwrap()));
        }

        #[test]
        fn merge_is_idempotent(a in baseline(), b in baseline()) {
            let once = a.clone().merge(b.clone()).unwrap();
            prop_assert_eq!(once.clone().merge(b).unwrap(), once.clone());
            prop_assert_eq!(a.clone().merge(a.clone()).unwrap(), a);
        }

        #[test]
        fn a_baseline_survives_its_file(a in baseline()) {
            let text = super::super::layout::render(&a);
            prop_assert_eq!(serde_json::from_str::<Baseline>(&text).unwrap(), a);
        }
    }

    #[test]
    fn baselines_of_different_things_stay_apart() {
        let one = Baseline::new(Image::here("one"));
        let two = Baseline::new(Image::here("two"));
        assert!(matches!(one.clone().merge(two), Err(MergeError::OtherImage { .. })));
        let newer = Baseline { generaliser: 99, ..one.clone() };
        assert!(matches!(one.clone().merge(newer), Err(MergeError::OtherGeneraliser { .. })));
        let mut other = one.clone();
        other.image.architecture = "pdp11".into();
        let error = one.merge(other).unwrap_err();
        assert!(error.to_string().contains("on pdp11"), "{error}");
    }
}
