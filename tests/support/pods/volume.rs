//! A projected volume, written the way a kubelet writes one.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// Where pods find their token.
pub(super) const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A volume whose files all change at once: each is a link through `..data`, a link to a directory of one point in
/// time that a rename replaces.
pub struct Projected {
    path: PathBuf,
    namespace: String,
    version: u32,
}

impl Projected {
    pub(super) fn new(path: &Path, namespace: &str) -> Self {
        fs::create_dir_all(path).expect("the node's directory is writable");
        let mut volume = Self { path: path.to_owned(), namespace: namespace.into(), version: 0 };
        volume.swap();
        for (name, _) in volume.content() {
            symlink(Path::new("..data").join(name), path.join(name)).expect("a new directory");
        }
        volume
    }

    /// Where it is, seen from outside.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that `..data` leads to: `..2026_11_21_23_07_12.1234567890`.
    pub fn current(&self) -> PathBuf {
        self.path.join(fs::read_link(self.path.join("..data")).expect("it was written"))
    }

    /// Writes everything anew, as when the token is renewed.
    pub fn swap(&mut self) {
        let old = fs::read_link(self.path.join("..data")).ok();
        self.version += 1;
        let stamp = jiff::Zoned::now().strftime("..%Y_%m_%d_%H_%M_%S.").to_string();
        let directory = tempfile::Builder::new()
            .prefix(&stamp)
            .rand_bytes(0)
            .suffix(&format!("{:09}", jiff::Timestamp::now().subsec_nanosecond()))
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir_in(&self.path)
            .expect("the node's directory is writable")
            .keep();
        for (name, content) in self.content() {
            fs::write(directory.join(name), content).expect("the node's directory is writable");
        }
        let target = directory.file_name().expect("it has a name");
        symlink(target, self.path.join("..data_tmp")).expect("no swap is under way");
        fs::rename(self.path.join("..data_tmp"), self.path.join("..data")).expect("same directory");
        if let Some(old) = old {
            fs::remove_dir_all(self.path.join(old)).expect("nobody else removes it");
        }
    }

    fn content(&self) -> [(&'static str, String); 3] {
        [
            ("ca.crt", "not a certificate\n".to_owned()),
            ("namespace", self.namespace.clone()),
            ("token", format!("header.payload{}.signature", self.version)),
        ]
    }
}
