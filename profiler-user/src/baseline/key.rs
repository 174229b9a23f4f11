//! The key that secrets are hashed with, beside the baselines that hold the hashes.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::redact::Key;

/// Readable by its owner alone, and not meant for Git: who has it can try passwords against the hashes.
const NAME: &str = ".redaction-key";

/// The key of a directory; none when there is none yet.
pub fn load_key(directory: &Path) -> io::Result<Option<Key>> {
    let path = directory.join(NAME);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(about(&path, "cannot read redaction key", &error)),
        Ok(bytes) => bytes,
    };
    match Key::try_from(bytes) {
        Ok(key) => Ok(Some(key)),
        Err(bytes) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "redaction key {} has {} bytes instead of 32: remove it to have a new one made",
                path.display(),
                bytes.len()
            ),
        )),
    }
}

/// The key of a directory, made at the first recording. Of two that make one at the same time, both use the first.
pub fn load_or_create_key(directory: &Path) -> io::Result<Key> {
    if let Some(key) = load_key(directory)? {
        return Ok(key);
    }
    let path = directory.join(NAME);
    let create = || {
        fs::create_dir_all(directory)?;
        let mut key = Key::default();
        File::open("/dev/urandom")?.read_exact(&mut key)?;
        // Created with mode 0600.
        let mut file = tempfile::Builder::new().prefix(".redaction-key-").tempfile_in(directory)?;
        file.write_all(&key)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(key),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                load_key(directory)?.ok_or(error.error)
            }
            Err(error) => Err(error.error),
        }
    };
    create().map_err(|error| about(&path, "cannot create redaction key", &error))
}

fn about(path: &Path, what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("new");
        assert_eq!(load_key(&inside).unwrap(), None);
        let key = load_or_create_key(&inside).unwrap();
        assert_ne!(key, Key::default());
        assert_eq!(load_or_create_key(&inside).unwrap(), key);
        assert_eq!(load_key(&inside).unwrap(), Some(key));
        let mode = fs::metadata(inside.join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_key_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(NAME), "short").unwrap();
        let error = load_or_create_key(directory.path()).unwrap_err();
        assert!(error.to_string().contains("5 bytes instead of 32"), "{error}");
    }
}
