//! What an agent knows images by, and what it makes of one.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use jiff::Timestamp;

use super::directory::{Index, Read};
use super::statement::{Claim, Says};
use super::{Approved, Flag, Provenance, Unknown, image};
use crate::attest::{Trust, TrustError};
use crate::container::Identity;

/// Between two looks at the directory.
const LOOK_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    #[error("cannot read the directory of attestations {}: {source}; give --attestations one that is there", directory.display())]
    Directory { directory: PathBuf, source: io::Error },
    #[error(
        "--attestations needs the keys that they are verified with: give --attestation-trust, or --trust, a directory of public keys"
    )]
    NoTrust,
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// What images are looked up in. Cheap to share; a look-up waits for no file.
#[derive(Debug, Default)]
pub struct Sources {
    approved: Vec<Approved>,
    attestations: Option<Mutex<Attestations>>,
    index: RwLock<Arc<Index>>,
}

#[derive(Debug)]
struct Attestations {
    directory: PathBuf,
    trust: Trust,
    read: Read,
    /// It was said that the directory cannot be read.
    told: bool,
}

impl Sources {
    /// Reads what is there.
    ///
    /// # Errors
    /// Where the directory or a key cannot be read: who starts an agent is there to see it.
    pub fn open(
        approved: Vec<Approved>,
        attestations: Option<(PathBuf, Trust)>,
    ) -> Result<Self, SourcesError> {
        let Some((directory, trust)) = attestations else {
            return Ok(Self { approved, ..Self::default() });
        };
        let mut read = Read::default();
        if let Err(source) = read.again(&directory, trust.keys(), true) {
            return Err(SourcesError::Directory { directory, source });
        }
        let index = RwLock::new(Arc::new(read.index()));
        let attestations = Attestations { directory, trust, read, told: false };
        Ok(Self { approved, attestations: Some(Mutex::new(attestations)), index })
    }

    /// Looks at the directories from time to time for as long as somebody asks; needs a Tokio runtime.
    pub(crate) fn follow(self: &Arc<Self>) {
        if self.attestations.is_none() {
            return;
        }
        let sources: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(sources) = sources.upgrade() else { return };
                // Large files take their time, and nothing else is to wait for them.
                let _panics_are_told = tokio::task::spawn_blocking(move || sources.look()).await;
            }
        });
    }

    /// Reads what changed.
    pub(super) fn look(&self) {
        let Some(attestations) = &self.attestations else { return };
        let mut at = attestations.lock().unwrap_or_else(PoisonError::into_inner);
        let Attestations { directory, trust, read, told } = &mut *at;
        let others = trust.refresh();
        let changed = match read.again(directory, trust.keys(), others) {
            Ok(changed) => {
                *told = false;
                changed
            }
            Err(error) => {
                if !std::mem::replace(told, true) {
                    let directory = directory.display();
                    eprintln!(
                        "driftline: cannot read the attestations in {directory}: {error}; until then none is believed"
                    );
                }
                read.forget();
                true
            }
        };
        if changed {
            let index = Arc::new(read.index());
            *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
        }
    }

    /// What is known of a container's image as it was at the container's start, or at `seen` where that is not known; none
    /// where nothing is.
    pub fn of(&self, identity: &Identity, seen: Timestamp) -> Option<Arc<Provenance>> {
        let image = identity.image.as_ref()?;
        let mut provenance = Provenance { flags: image::flags(image), ..Provenance::default() };
        if let Some(name) = image::full_name(image)
            && !self.approved.is_empty()
            && !self.approved.iter().any(|approved| approved.covers(&name))
        {
            provenance.flags.push(Flag::RegistryUnapproved);
        }
        let deployed = identity.started.or(identity.created).unwrap_or(seen);
        let index = Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner));
        let claims = image::digests(image).into_iter().filter_map(|digest| index.get(digest));
        let claims: Vec<&Claim> = claims.flatten().map(|claim| &**claim).collect();
        attested(&mut provenance, &claims, deployed);
        (!provenance.is_empty()).then(|| Arc::new(provenance))
    }
}

fn attested(provenance: &mut Provenance, claims: &[&Claim], deployed: Timestamp) {
    let mut keys = BTreeSet::new();
    let mut sbom = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    let mut latest: Option<&Claim> = None;
    for claim in claims {
        match &claim.says {
            Says::Sbom(format) => {
                sbom.insert(*format);
                keys.extend(claim.keys.iter().cloned());
            }
            Says::Nothing(why) => {
                unknown.insert(*why);
            }
            Says::Scan { finished, .. } if *finished > deployed => {
                unknown.insert(Unknown::ScannedLater);
            }
            Says::Scan { finished, .. } => {
                let is_newer = |best: &Claim| matches!(&best.says, Says::Scan { finished: before, .. } if before < finished);
                if latest.is_none_or(is_newer) {
                    latest = Some(claim);
                }
            }
        }
    }
    if let Some(Claim { keys: by, says: Says::Scan { finished, counts }, .. }) = latest {
        provenance.scanned = Some(*finished);
        provenance.counts = Some(*counts);
        keys.extend(by.iter().cloned());
        // What was found later takes nothing away from what was known then.
        unknown.remove(&Unknown::ScannedLater);
    }
    provenance.verified = (!keys.is_empty()).then_some(true);
    provenance.keys = keys.into_iter().collect();
    provenance.sbom = sbom.into_iter().map(str::to_owned).collect();
    provenance.unknown = unknown.into_iter().collect();
}
