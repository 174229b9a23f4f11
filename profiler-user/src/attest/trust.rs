//! A directory of public keys: whom an agent believes.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::key::{KeyError, PublicKey};

/// Read again whenever it changes, so that a key which was taken out is no longer believed.
#[derive(Debug)]
pub struct Trust {
    directory: PathBuf,
    stamps: Vec<Stamp>,
    keys: Vec<PublicKey>,
}

type Stamp = (PathBuf, Option<(SystemTime, u64)>);

#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("cannot read the directory of trusted keys {}: {source}", directory.display())]
    Directory { directory: PathBuf, source: io::Error },
    #[error("there is no public key in {}: put *.pem or *.pub files there, or nothing signed is believed", directory.display())]
    Empty { directory: PathBuf },
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Trust {
    /// Every key must be good: who starts an agent is there to see what is not.
    pub fn open(directory: &Path) -> Result<Self, TrustError> {
        let stamps = stamps(directory)?;
        let keys =
            stamps.iter().map(|(path, _)| PublicKey::read(path)).collect::<Result<Vec<_>, _>>()?;
        let directory = directory.to_owned();
        if keys.is_empty() {
            return Err(TrustError::Empty { directory });
        }
        Ok(Self { directory, stamps, keys })
    }

    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Reads the keys again where a file changed; whether they are others now. What cannot be read is said and not
    /// believed, whatever was there before.
    pub fn refresh(&mut self) -> bool {
        let stamps = match stamps(&self.directory) {
            Ok(stamps) => stamps,
            // It was said when it became so.
            Err(_) if self.stamps.is_empty() => return false,
            Err(error) => {
                eprintln!("driftline: {error}; until then nobody is trusted");
                Vec::new()
            }
        };
        if stamps == self.stamps {
            return false;
        }
        let mut keys = Vec::new();
        for (path, _) in &stamps {
            match PublicKey::read(path) {
                Ok(key) => keys.push(key),
                Err(error) => eprintln!("driftline: {error}; it is not trusted"),
            }
        }
        self.stamps = stamps;
        let others = keys != self.keys;
        self.keys = keys;
        others
    }
}

/// The files that hold keys; sorted, as they are now. A `ConfigMap`'s own names begin with a dot.
fn stamps(directory: &Path) -> Result<Vec<Stamp>, TrustError> {
    let failed = |source| TrustError::Directory { directory: directory.to_owned(), source };
    let mut stamps = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_key = [Some(OsStr::new("pem")), Some(OsStr::new("pub"))].contains(&path.extension());
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if is_key && !is_hidden {
            let stamp =
                fs::metadata(&path).and_then(|file| Ok((file.modified()?, file.len()))).ok();
            stamps.push((path, stamp));
        }
    }
    stamps.sort();
    Ok(stamps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::openssl::{Algorithm, Pair};

    #[test]
    fn every_key_of_the_directory_is_trusted_and_nothing_else_is_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let said = || Trust::open(directory.path()).unwrap_err().to_string();
        assert!(said().contains("there is no public key in"), "{}", said());
        let [one, two] = [Algorithm::Ed25519, Algorithm::P256].map(Pair::new);
        fs::copy(one.path("pub.pem"), directory.path().join("one.pem")).unwrap();
        fs::copy(two.path("pub.pem"), directory.path().join("two.pub")).unwrap();
        fs::write(directory.path().join("README"), "whom we trust").unwrap();
        fs::write(directory.path().join("..hidden.pem"), "half-written").unwrap();
        let mut trust = Trust::open(directory.path()).unwrap();
        assert_eq!(trust.keys(), [one.public(), two.public()]);
        assert!(!trust.refresh());
        fs::write(directory.path().join("two.pub"), "broken").unwrap();
        assert!(trust.refresh());
        assert_eq!(trust.keys(), [one.public()]);
        fs::copy(one.path("key.pem"), directory.path().join("two.pub")).unwrap();
        assert!(said().contains("two.pub holds no key: it is a private key"), "{}", said());
        fs::remove_dir_all(directory.path()).unwrap();
        assert!(trust.refresh() && trust.keys().is_empty() && !trust.refresh());
    }
}
