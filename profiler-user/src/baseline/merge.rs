//! Two baselines of one image as one. Every part is joined by least or greatest, never added up, so that merging is
//! associative, commutative and idempotent: replicas, nodes and repeated copies may come in any order.

use std::collections::BTreeMap;

use super::approval::Approval;
use super::frames::examples;
use super::model::{Baseline, Executable};
use super::run::Run;
use super::seen::{Seen, Sighting};
use crate::drift::clean;
use crate::generalise::GENERALISER;

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum MergeError {
    #[error(
        "a baseline of image {one:?} cannot be merged with one of image {other:?}: baselines are per image"
    )]
    OtherImage { one: String, other: String },
    #[error(
        "a baseline of {image:?} on {} cannot be merged with one on {}: \
         system calls and paths differ between architectures, keep both",
        clean(one),
        clean(other)
    )]
    OtherArchitecture { image: String, one: String, other: String },
    #[error(
        "a baseline of {image:?} made with generaliser {one} cannot be merged with one made with generaliser {other}: \
         their patterns mean different things, record the older one again"
    )]
    OtherGeneraliser { image: String, one: u32, other: u32 },
    #[error(
        "a baseline of {image:?} for {} cannot be merged with one for {}: \
         what one may do would be allowed to the other, keep both",
        clean(one),
        clean(other)
    )]
    OtherScope { image: String, one: String, other: String },
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
        if self.scope != other.scope {
            let (one, other) = (self.scope.to_string(), other.scope.to_string());
            return Err(MergeError::OtherScope { image, one, other });
        }
        self.image.repo_digests.extend(other.image.repo_digests);
        self.image.references.extend(other.image.references);
        self.redaction_key.extend(other.redaction_key);
        self.ancestors.extend(other.ancestors);
        self.runs.join(other.runs);
        self.syscalls.join(other.syscalls);
        self.executables.join(other.executables);
        self.approvals.join(other.approvals);
        // Older rules know neither.
        if self.generaliser == GENERALISER {
            for (path, executable) in &mut self.executables {
                executable.take_in_peers();
                executable.take_in_siblings(path);
            }
        }
        Ok(self)
    }
}

/// The least that holds both.
pub(super) trait Join {
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

/// Whoever approved the same drift later has the last word.
impl Join for Approval {
    fn join(&mut self, other: Self) {
        if other > *self {
            *self = other;
        }
    }
}

impl Join for Seen {
    fn join(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.phase = self.phase.and(other.phase);
        self.siblings = examples(std::mem::take(&mut self.siblings), other.siblings);
        self.runs.join(other.runs);
    }
}

impl Join for Sighting {
    fn join(&mut self, other: Self) {
        self.count.join(other.count);
        self.windows = self.windows.and(other.windows);
    }
}

impl Join for Run {
    fn join(&mut self, other: Self) {
        self.started = self.started.min(other.started);
        self.ended = self.ended.max(other.ended);
        self.partial |= other.partial;
        self.blind.extend(other.blind);
        self.lost.join(other.lost);
        // These do not differ between copies of one run; where they do, the order must not matter either.
        let Self { host, observer, tier, command, .. } = other;
        self.host = std::mem::take(&mut self.host).max(host);
        self.observer = self.observer.take().max(observer);
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
mod tests;
