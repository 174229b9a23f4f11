//! The files of an image, and their archive.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tar::{EntryType, Header};

use crate::libraries;

/// Files by their path without the leading slash, so in the order in which they are archived.
#[derive(Default)]
pub(super) struct Tree(BTreeMap<PathBuf, Entry>);

enum Entry {
    File { mode: u32, content: Vec<u8> },
    Directory { mode: u32, user: u32 },
    Link { target: PathBuf },
    HardLink { target: PathBuf },
}

impl Tree {
    pub(super) fn file(&mut self, path: &Path, mode: u32, content: Vec<u8>) {
        self.add(path, Entry::File { mode, content });
    }

    pub(super) fn directory(&mut self, path: &Path, mode: u32) {
        self.owned_directory(path, mode, 0);
    }

    pub(super) fn owned_directory(&mut self, path: &Path, mode: u32, user: u32) {
        self.add(path, Entry::Directory { mode, user });
    }

    pub(super) fn link(&mut self, path: &Path, target: &Path) {
        self.add(path, Entry::Link { target: target.to_owned() });
    }

    pub(super) fn hard_link(&mut self, path: &Path, target: &Path) {
        let target = target.strip_prefix("/").unwrap_or(target);
        self.add(path, Entry::HardLink { target: target.to_owned() });
    }

    pub(super) fn program(&mut self, path: &Path, source: &Path) -> Result<()> {
        self.copy(path, source)?;
        for library in libraries::of(&[source.to_owned()])? {
            self.library(&library)?;
        }
        Ok(())
    }

    /// Puts a library where the loader found it, behind the links to directories that this machine has on the way.
    pub(super) fn library(&mut self, path: &Path) -> Result<()> {
        let first: PathBuf = path.components().take(2).collect();
        let inside = match fs::read_link(&first) {
            Ok(target) => {
                self.link(&first, &target);
                Path::new("/").join(&target).join(path.strip_prefix(&first)?)
            }
            Err(_) => path.to_owned(),
        };
        self.copy(&inside, path)
    }

    pub(super) fn copy(&mut self, path: &Path, source: &Path) -> Result<()> {
        let unread = || format!("{} cannot be read", source.display());
        let mode = mode(&fs::metadata(source).with_context(unread)?) & 0o777;
        self.file(path, mode, fs::read(source).with_context(unread)?);
        Ok(())
    }

    fn add(&mut self, path: &Path, entry: Entry) {
        let path = path.strip_prefix("/").unwrap_or(path);
        let directories = path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
        for directory in directories {
            self.0.entry(directory.to_owned()).or_insert(Entry::Directory { mode: 0o755, user: 0 });
        }
        self.0.insert(path.to_owned(), entry);
    }

    /// Everything by its absolute path.
    pub(super) fn paths(&self) -> BTreeSet<String> {
        self.0.keys().map(|path| format!("/{}", path.display())).collect()
    }

    /// The archive: everything is root's, unless a directory was given to somebody, and of the epoch.
    pub(super) fn pack(&self) -> Result<Vec<u8>> {
        let mut archive = tar::Builder::new(Vec::new());
        // What a hard link leads to must be there before it.
        let is_link = |entry: &Entry| matches!(entry, Entry::HardLink { .. });
        let (links, others): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(_, entry)| is_link(entry));
        for (path, entry) in others.into_iter().chain(links) {
            let mut header = Header::new_gnu();
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(0);
            let archived = match entry {
                Entry::File { mode, content } => {
                    header.set_entry_type(EntryType::Regular);
                    header.set_mode(*mode);
                    header.set_size(content.len() as u64);
                    archive.append_data(&mut header, path, content.as_slice())
                }
                Entry::Directory { mode, user } => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_uid((*user).into());
                    header.set_gid((*user).into());
                    header.set_mode(*mode);
                    archive.append_data(&mut header, path, [].as_slice())
                }
                Entry::Link { target } => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_mode(0o777);
                    archive.append_link(&mut header, path, target)
                }
                Entry::HardLink { target } => {
                    header.set_entry_type(EntryType::Link);
                    header.set_mode(0o755);
                    archive.append_link(&mut header, path, target)
                }
            };
            archived.with_context(|| format!("/{} cannot be archived", path.display()))?;
        }
        let mut bytes = archive.into_inner()?;
        bytes.flush()?;
        Ok(bytes)
    }
}

/// The permissions of a file, with the bits for other users' rights.
pub(super) fn mode(meta: &fs::Metadata) -> u32 {
    meta.permissions().mode() & 0o7777
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_give_the_same_bytes_in_whatever_order_they_come() {
        let mut one = Tree::default();
        one.file(Path::new("/etc/a"), 0o644, b"a".to_vec());
        one.link(Path::new("/bin"), Path::new("usr/bin"));
        let mut other = Tree::default();
        other.link(Path::new("/bin"), Path::new("usr/bin"));
        other.file(Path::new("/etc/a"), 0o644, b"a".to_vec());
        assert_eq!(one.pack().unwrap(), other.pack().unwrap());
    }

    #[test]
    fn a_directory_comes_before_what_is_in_it() {
        let mut tree = Tree::default();
        tree.file(Path::new("/a/b/c"), 0o600, Vec::new());
        tree.directory(Path::new("/a"), 0o700);
        let archive = tree.pack().unwrap();
        let mut archive = tar::Archive::new(archive.as_slice());
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().into_owned(), entry.header().mode().unwrap())
        });
        let expected = [("a", 0o700), ("a/b", 0o755), ("a/b/c", 0o600)];
        assert!(entries.eq(expected.map(|(path, mode)| (PathBuf::from(path), mode))));
    }
}
