//! Volumes that a kubelet writes: projected ones and those of `ConfigMap`s.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

/// Where pods find their token.
pub(super) const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A volume whose files all change at once: each is a link through `..data`, a link to a directory of one point in
/// time that a rename replaces.
pub struct Volume {
    path: PathBuf,
    /// What [`Self::swap`] writes.
    pub files: BTreeMap<String, String>,
}

impl Volume {
    /// Writes a volume to a directory, which is made.
    pub fn new(path: &Path, files: BTreeMap<String, String>) -> Self {
        fs::create_dir_all(path).expect("the node's directory is writable");
        let volume = Self { path: path.to_owned(), files };
        volume.swap();
        volume
    }

    /// A volume as every pod with a service account has it.
    pub(super) fn service_account(path: &Path, namespace: &str) -> Self {
        let files = [
            ("ca.crt", "not a certificate\n"),
            ("namespace", namespace),
            ("token", "header.payload.signature"),
        ];
        Self::new(path, files.map(|(name, text)| (name.to_owned(), text.to_owned())).into())
    }

    /// Where it is, seen from outside.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that `..data` leads to, such as `..2026_11_21_23_07_12.1234567890`.
    pub fn current(&self) -> PathBuf {
        self.path.join(fs::read_link(self.path.join("..data")).expect("it was written"))
    }

    /// Writes the files anew, as when a token is renewed.
    pub fn swap(&self) {
        let data = self.path.join("..data");
        let old = fs::read_link(&data).ok();
        let directory = tempfile::Builder::new()
            .prefix(&jiff::Zoned::now().strftime("..%Y_%m_%d_%H_%M_%S.").to_string())
            .rand_bytes(0)
            .suffix(&digits())
            .permissions(Permissions::from_mode(0o755))
            .tempdir_in(&self.path)
            .expect("the node's directory is writable")
            .keep();
        for (name, content) in &self.files {
            fs::write(directory.join(name), content).expect("the node's directory is writable");
        }
        let target = directory.file_name().expect("it has a name");
        symlink(target, self.path.join("..data_tmp")).expect("no swap is under way");
        fs::rename(self.path.join("..data_tmp"), data).expect("same directory");
        for name in self.files.keys().map(|name| self.path.join(name)) {
            if name.symlink_metadata().is_err() {
                let target = Path::new("..data").join(name.file_name().expect("it has a name"));
                symlink(target, name).expect("nothing is there");
            }
        }
        if let Some(old) = old {
            fs::remove_dir_all(self.path.join(old)).expect("nobody else removes it");
        }
    }
}

/// What makes the name of a directory unique: up to ten digits, as Go writes a random number.
fn digits() -> String {
    let mut bytes = [0; 4];
    super::spec::random(&mut bytes);
    u32::from_le_bytes(bytes).to_string()
}
