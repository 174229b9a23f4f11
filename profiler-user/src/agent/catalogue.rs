//! The baselines of a directory, which of them are believed, and which is a container's.

mod loaded;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use self::loaded::Loaded;
pub(super) use self::loaded::{Choice, Inheritance};
use super::{
    binding::Binding,
    likeness::{Likeness, Nearness},
    saver::{Stamp, stamp},
};
use crate::{
    attest::{self, Reason, Trust},
    baseline::{self, Image, Scope, Whereabouts},
    container::Identity,
    drift::BaselineSignature,
    memory,
};

/// Read again whenever a file there changes.
pub(super) struct Catalogue {
    directory: PathBuf,
    key_id: String,
    /// Whose signature a baseline must have; none where any is believed.
    trust: Option<Trust>,
    /// What takes the place of entries that are bound to another environment.
    binding: Option<Binding>,
    entries: BTreeMap<PathBuf, Entry>,
    /// Grows with every change, so that whoever has chosen can see that the choice is stale.
    generation: u64,
}

struct Entry {
    /// Of the baseline and of its signature.
    stamps: [Option<Stamp>; 2],
    /// None where the file cannot be used; it was said why.
    loaded: Option<Loaded>,
    /// Where it is not believed.
    refused: Option<Refused>,
}

/// A baseline that is there and not believed.
pub(super) struct Refused {
    /// As it says; none where not even that can be read.
    of: Option<(Image, Scope)>,
    pub(super) reason: Reason,
    /// Which file, and what to do.
    pub(super) why: String,
}

impl Catalogue {
    pub(super) fn new(directory: &Path, key_id: String, trust: Option<Trust>) -> Self {
        let directory = directory.to_owned();
        let (binding, entries) = (None, BTreeMap::new());
        Self { directory, key_id, trust, binding, entries, generation: 0 }
    }

    pub(super) fn with_binding(self, binding: Option<Binding>) -> Self {
        Self { binding, ..self }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Baselines that can be used.
    pub(super) fn len(&self) -> usize {
        self.entries.values().filter(|entry| entry.loaded.is_some()).count()
    }

    /// Why, for each baseline that is not believed.
    pub(super) fn reasons(&self) -> Vec<Reason> {
        let refused = self.entries.values().filter_map(|entry| entry.refused.as_ref());
        refused.map(|refused| refused.reason).collect()
    }

    /// Reads what is new or has changed, is signed otherwise, or has expired. What cannot be used is said once per change,
    /// and the rest goes on.
    pub(super) fn refresh(&mut self, now: Timestamp) {
        let listed = match baseline::list(&self.directory) {
            Ok(listed) => listed,
            Err(error) => {
                if self.generation == 0 {
                    eprintln!(
                        "driftline: cannot read the baselines directory {}: {error}; it is tried again",
                        self.directory.display()
                    );
                    self.generation = 1;
                }
                return;
            }
        };
        let others_are_trusted = self.trust.as_mut().is_some_and(Trust::refresh);
        let is_bound_anew = self.binding.as_mut().is_some_and(Binding::refresh);
        let before = self.entries.len();
        self.entries.retain(|path, _| listed.iter().any(|listed| listed.path == *path));
        let mut changed = self.entries.len() != before || self.generation == 0;
        for path in listed.into_iter().map(|listed| listed.path) {
            let stamps = [stamp(&path), stamp(&attest::envelope_path(&path))];
            let is_current = |entry: &Entry| entry.stamps == stamps && !entry.has_expired(now);
            let all_anew = others_are_trusted || is_bound_anew;
            if !all_anew && self.entries.get(&path).is_some_and(is_current) {
                continue;
            }
            changed = true;
            let before = self.entries.remove(&path);
            let entry = self.read(&path, stamps, before, now);
            self.entries.insert(path, entry);
        }
        self.generation += u64::from(changed);
        if changed {
            memory::give_back();
        }
    }

    fn read(
        &self,
        path: &Path,
        stamps: [Option<Stamp>; 2],
        before: Option<Entry>,
        now: Timestamp,
    ) -> Entry {
        let refused = |of, reason, why: String| {
            eprintln!("driftline: {why}; it is not judged by");
            Entry { stamps, loaded: None, refused: Some(Refused { of, reason, why }) }
        };
        let (baseline, bytes) = match baseline::read_file(path) {
            Ok(read) => read,
            Err(error) if self.trust.is_some() => {
                // Nobody answers for what was there before any more.
                return refused(before.and_then(Entry::of), Reason::Malformed, error.to_string());
            }
            Err(error) => {
                eprintln!("driftline: {error}; until then its image is judged without it");
                // What it held before is better than nothing.
                let loaded = before.and_then(|entry| entry.loaded);
                return Entry { stamps, loaded, refused: None };
            }
        };
        let (signature, expires) = match &self.trust {
            None => (attest::unchecked(path), None),
            Some(trust) => match attest::check(path, &bytes, &baseline, trust.keys(), now) {
                Ok(verified) => (BaselineSignature::Verified, verified.expires()),
                Err(refusal) => {
                    let why = format!("baseline {} is refused: {refusal}", path.display());
                    let of = Some((baseline.image, baseline.scope));
                    return refused(of, refusal.reason(), why);
                }
            },
        };
        let bind = self.binding.as_ref().map(Binding::bind);
        let loaded = Loaded::new(&baseline, &self.key_id, signature, expires, bind, now);
        Entry { stamps, loaded: Some(loaded), refused: None }
    }

    /// Of those that are judged by, how many no trusted key answers for.
    pub(super) fn unsigned(&self) -> usize {
        let loaded = self.entries.values().filter_map(|entry| entry.loaded.as_ref());
        loaded.filter(|loaded| !loaded.is_verified()).count()
    }

    /// The baseline of a container: its image in its role, for the narrowest scope that it is in; else, as provisional, the same
    /// image in another role or another image of the same repository. The error says why there is none although there is one.
    pub(super) fn choose(&self, container: &Identity) -> Result<Option<Choice>, String> {
        let Some(image) = Image::of_container(container) else { return Ok(None) };
        let (namespace, workload) = (container.namespace(), container.workload());
        let at = Whereabouts { namespace, workload: workload.as_deref() };
        let all = || self.entries.values().filter_map(|entry| entry.loaded.as_ref());
        let here = || all().filter(|loaded| loaded.image.architecture == image.architecture);
        let nearness =
            |loaded: &&Loaded| Nearness::between(&loaded.image, &loaded.scope, &image, at);
        let best = here()
            .filter_map(|loaded| Some((nearness(&loaded)?, loaded)))
            .max_by_key(|(nearness, loaded)| (nearness.clone(), loaded.runs));
        if let Some((nearness, best)) = best {
            return Ok(Some(best.choice(nearness, at)));
        }
        let likeness = |loaded: &Loaded| Likeness::between(&loaded.image, &image);
        let elsewhere = |loaded: &&Loaded| {
            loaded.image.architecture != image.architecture && likeness(loaded) >= Likeness::Image
        };
        match all().find(elsewhere) {
            Some(other) => Err(format!(
                "the baseline of {} was recorded on {}, this container runs on {}: record the image on {} as well",
                other.image.label(),
                other.image.architecture,
                image.architecture,
                image.architecture
            )),
            None => Ok(None),
        }
    }

    /// A baseline that would have been nearer than what was chosen, were it believed.
    pub(super) fn refused(
        &self,
        container: &Identity,
        chosen: Option<&Choice>,
    ) -> Option<&Refused> {
        let image = Image::of_container(container)?;
        let (namespace, workload) = (container.namespace(), container.workload());
        let at = Whereabouts { namespace, workload: workload.as_deref() };
        let chosen = chosen.map(|choice| &choice.nearness);
        let nearness = |refused: &Refused| {
            let (own, scope) = refused.of.as_ref()?;
            let is_here = own.architecture == image.architecture;
            is_here.then(|| Nearness::between(own, scope, &image, at))?
        };
        let all = self.entries.values().filter_map(|entry| entry.refused.as_ref());
        let all = all.filter_map(|refused| Some((nearness(refused)?, refused)));
        let nearer = all.filter(|(nearness, _)| chosen.is_none_or(|chosen| nearness > chosen));
        nearer.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, refused)| refused)
    }
}

impl Entry {
    fn has_expired(&self, now: Timestamp) -> bool {
        let expires = self.loaded.as_ref().and_then(|loaded| loaded.expires);
        expires.is_some_and(|expires| expires <= now)
    }

    fn of(self) -> Option<(Image, Scope)> {
        let of_refused = self.refused.and_then(|refused| refused.of);
        self.loaded.map(|loaded| (loaded.image, loaded.scope)).or(of_refused)
    }
}

impl Refused {
    pub(super) fn signature(&self) -> BaselineSignature {
        match self.reason {
            Reason::Unsigned => BaselineSignature::Unsigned,
            _ => BaselineSignature::Untrusted,
        }
    }
}

#[cfg(test)]
mod tests;
