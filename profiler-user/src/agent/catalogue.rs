//! The baselines of a directory, and which of them is a container's.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::saver::{Stamp, stamp};
use crate::{
    baseline::{self, Baseline, Image, Judge},
    container::Identity,
    drift::BaselineStatus,
    memory,
};

/// Read again whenever a file there changes.
pub(super) struct Catalogue {
    directory: PathBuf,
    key_id: String,
    entries: BTreeMap<PathBuf, Entry>,
    /// Grows with every change, so that whoever has chosen can see that the choice is stale.
    generation: u64,
}

struct Entry {
    stamp: Option<Stamp>,
    /// None where the file cannot be used; it was said why.
    loaded: Option<Loaded>,
}

struct Loaded {
    image: Image,
    id: String,
    runs: u64,
    coverage: Option<f64>,
    judge: Arc<Judge>,
}

/// What a container is judged by.
#[derive(Clone)]
pub(super) struct Choice {
    pub(super) judge: Arc<Judge>,
    pub(super) id: String,
    pub(super) runs: u64,
    pub(super) coverage: Option<f64>,
    pub(super) status: BaselineStatus,
}

impl Catalogue {
    pub(super) fn new(directory: &Path, key_id: String) -> Self {
        let directory = directory.to_owned();
        Self { directory, key_id, entries: BTreeMap::new(), generation: 0 }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Baselines that can be used.
    pub(super) fn len(&self) -> usize {
        self.entries.values().filter(|entry| entry.loaded.is_some()).count()
    }

    /// Reads what is new or has changed. What cannot be used is said once per change, and the rest goes on.
    pub(super) fn refresh(&mut self) {
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
        let before = self.entries.len();
        self.entries.retain(|path, _| listed.iter().any(|listed| listed.path == *path));
        let mut changed = self.entries.len() != before || self.generation == 0;
        for path in listed.into_iter().map(|listed| listed.path) {
            let stamp = stamp(&path);
            if self.entries.get(&path).is_some_and(|entry| entry.stamp == stamp) {
                continue;
            }
            changed = true;
            let loaded = match baseline::load_file(&path) {
                Ok(baseline) => Some(Loaded::new(&baseline, &self.key_id)),
                Err(error) => {
                    eprintln!("driftline: {error}; until then its image is judged without it");
                    // What it held before is better than nothing.
                    self.entries.remove(&path).and_then(|entry| entry.loaded)
                }
            };
            self.entries.insert(path, Entry { stamp, loaded });
        }
        self.generation += u64::from(changed);
        if changed {
            memory::give_back();
        }
    }

    /// The baseline of a container: its image in its role; else, as provisional, the same image in another role or
    /// another image of the same repository. The error says why there is none although there is one.
    pub(super) fn choose(&self, container: &Identity) -> Result<Option<Choice>, String> {
        let Some(image) = Image::of_container(container) else { return Ok(None) };
        let all = || self.entries.values().filter_map(|entry| entry.loaded.as_ref());
        let here = || all().filter(|loaded| loaded.image.architecture == image.architecture);
        let rank = |loaded: &&Loaded| (loaded.likeness(&image), loaded.runs);
        let best =
            here().filter(|loaded| loaded.likeness(&image) > Likeness::None).max_by_key(rank);
        if let Some(best) = best {
            let status = match best.likeness(&image) {
                Likeness::Exact => BaselineStatus::Exact,
                _ => BaselineStatus::Provisional,
            };
            return Ok(Some(best.choice(status)));
        }
        match all().find(|loaded| loaded.likeness(&image) >= Likeness::Image) {
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
}

/// How near a baseline's image is to a container's; greater is nearer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Likeness {
    None,
    Repository,
    RepositoryAndRole,
    Image,
    /// The image, in this role.
    Exact,
}

impl Loaded {
    fn new(baseline: &Baseline, key_id: &str) -> Self {
        Self {
            image: baseline.image.clone(),
            id: baseline.id(),
            runs: baseline.runs.len() as u64,
            coverage: baseline.told_coverage(jiff::Timestamp::now()),
            judge: Arc::new(Judge::new(baseline, key_id)),
        }
    }

    fn choice(&self, status: BaselineStatus) -> Choice {
        Choice {
            judge: Arc::clone(&self.judge),
            id: self.id.clone(),
            runs: self.runs,
            coverage: self.coverage,
            status,
        }
    }

    fn likeness(&self, image: &Image) -> Likeness {
        let own = &self.image;
        let same_id = own.id.is_some() && own.id == image.id;
        let same_image = same_id || !own.repo_digests.is_disjoint(&image.repo_digests);
        let same_role = own.container == image.container;
        // A baseline of a command may be named after the image as the user writes it.
        let same_repository =
            own.name == image.name || (own.id.is_none() && image.references.contains(&own.name));
        match (same_image, same_repository, same_role) {
            (true, _, true) => Likeness::Exact,
            (true, _, false) => Likeness::Image,
            (false, true, true) => Likeness::RepositoryAndRole,
            (false, true, false) => Likeness::Repository,
            (false, false, _) => Likeness::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::container::{ContainerId, ImageIdentity};

    fn container(id: &str, name: &str, role: &str) -> Identity {
        let mut identity =
            Identity::of_path(ContainerId::parse(&"ab".repeat(32)).unwrap(), None, None);
        identity.name = Some(role.to_owned());
        identity.image = Some(ImageIdentity {
            id: Some(format!("sha256:{id}")),
            name: name.to_owned(),
            repo_digests: vec![format!("{name}@sha256:d{id}")],
            ..ImageIdentity::default()
        });
        identity
    }

    fn save(directory: &Path, identity: &Identity, architecture: &str) {
        let image = Image {
            architecture: architecture.to_owned(),
            ..Image::of_container(identity).unwrap()
        };
        baseline::save(directory, &Baseline::new(image)).unwrap();
    }

    #[test]
    fn the_nearest_baseline_is_chosen_and_says_how_near_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let here = std::env::consts::ARCH;
        let web = container("1111", "registry/shop/web", "web");
        save(directory.path(), &web, here);
        save(directory.path(), &container("2222", "registry/shop/api", "api"), "other");
        let mut catalogue = Catalogue::new(directory.path(), "k".to_owned());
        catalogue.refresh();
        assert_eq!((catalogue.len(), catalogue.generation()), (2, 1));
        let status = |id, name, role| {
            catalogue.choose(&container(id, name, role)).map(|choice| choice.map(|c| c.status))
        };
        assert_eq!(status("1111", "registry/shop/web", "web"), Ok(Some(BaselineStatus::Exact)));
        assert_eq!(
            status("1111", "registry/shop/web", "debug"),
            Ok(Some(BaselineStatus::Provisional))
        );
        assert_eq!(
            status("3333", "registry/shop/web", "web"),
            Ok(Some(BaselineStatus::Provisional))
        );
        assert_eq!(status("3333", "registry/shop/db", "db"), Ok(None));
        let why = status("2222", "registry/shop/api", "api").unwrap_err();
        assert!(why.contains("recorded on other"), "{why}");
        // Pulled through a mirror: another name, the same image.
        assert_eq!(status("1111", "mirror/web", "web"), Ok(Some(BaselineStatus::Exact)));
    }

    #[test]
    fn a_changed_directory_is_seen_and_a_broken_file_keeps_what_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let web = container("1111", "registry/shop/web", "web");
        let mut catalogue = Catalogue::new(directory.path(), "k".to_owned());
        catalogue.refresh();
        assert!(catalogue.choose(&web).unwrap().is_none());
        save(directory.path(), &web, std::env::consts::ARCH);
        catalogue.refresh();
        let generation = catalogue.generation();
        assert!(catalogue.choose(&web).unwrap().is_some());
        catalogue.refresh();
        assert_eq!(catalogue.generation(), generation);
        let path = baseline::path_of(directory.path(), &Image::of_container(&web).unwrap());
        fs::write(&path, "{").unwrap();
        catalogue.refresh();
        assert!(catalogue.choose(&web).unwrap().is_some());
        fs::remove_file(&path).unwrap();
        catalogue.refresh();
        assert!(catalogue.choose(&web).unwrap().is_none());
    }
}
