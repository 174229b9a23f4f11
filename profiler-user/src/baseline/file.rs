//! Baselines as files: one for each image, named after it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::layout;
use super::model::{Baseline, Image, SCHEMA};
use super::scope::Scope;
use crate::attest::is_said_once;
use crate::drift::clean;
use crate::generalise::GENERALISER;

/// Longer names than a file system takes are cut and told apart by a hash.
const NAME_MAX: usize = 200;

/// The largest that were recorded have some hundred kilobytes.
const SIZE_MAX: u64 = 64 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("no baseline of image {image:?} in {}: {}", directory.display(), known_images(known))]
    NotFound { image: String, directory: PathBuf, known: Vec<String> },
    #[error("cannot read baseline {}: {source}; restore it, or give --baselines another directory", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(
        "baseline {} breaks off after {bytes} bytes: it was not written or copied to its end; restore it or record again",
        path.display()
    )]
    Truncated { path: PathBuf, bytes: usize },
    #[error("baseline {} is malformed: {reason}; restore it or record again", path.display())]
    Malformed { path: PathBuf, reason: String },
    #[error("baseline {} has {found}, which is newer than this driftline knows ({known}): use a newer driftline", path.display())]
    FutureVersion { path: PathBuf, found: String, known: String },
    #[error("baseline {} is of image {found:?}, not of {expected:?}: put it under its own name", path.display())]
    OtherImage { path: PathBuf, found: String, expected: String },
    #[error("baseline {} is for {found}, not for {expected}: put it under its own name", path.display())]
    OtherScope { path: PathBuf, found: String, expected: String },
    #[error(
        "baseline {} was recorded on {}, this is {expected}: record the image on {expected} into another directory",
        path.display(),
        clean(found)
    )]
    OtherArchitecture { path: PathBuf, found: String, expected: String },
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write baseline {}: {source}; what was there before is untouched", path.display())]
pub struct SaveError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// A baseline in a directory, by its name alone.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Listed {
    /// Cut where the name was too long for a file.
    pub image: String,
    pub path: PathBuf,
}

/// Where the baseline of `image` is, whether there is one or not.
pub fn path_for(directory: &Path, image: &str) -> PathBuf {
    let mut name = String::new();
    for byte in image.bytes() {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-')
            || (byte == b'.' && !name.is_empty());
        if plain {
            name.push(char::from(byte));
        } else {
            name = format!("{name}%{byte:02X}");
        }
        if name.len() > NAME_MAX {
            let hash = Sha256::digest(image);
            let hash =
                hash.iter().take(8).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
            let whole =
                name[..NAME_MAX].rfind('%').filter(|at| at + 3 > NAME_MAX).unwrap_or(NAME_MAX);
            name.truncate(whole);
            // A tilde in an image's name would have been encoded.
            name = format!("{name}~{hash}");
            break;
        }
    }
    directory.join(format!("{name}.json"))
}

/// Where the baseline of an image, or of a command, is: the one for all of its containers.
pub fn path_of(directory: &Path, image: &Image) -> PathBuf {
    path_in(directory, image, &Scope::Image)
}

/// The same for the containers of a scope.
pub fn path_in(directory: &Path, image: &Image, scope: &Scope) -> PathBuf {
    match image.file_stem(scope) {
        // A repository's name may be longer than a file's; what tells images apart comes last.
        Some(stem) => {
            let start = stem.len().saturating_sub(NAME_MAX);
            let stem = stem[start..].trim_start_matches('.');
            directory.join(format!("{stem}.json"))
        }
        None => path_for(directory, &format!("{}{}", image.name, scope.suffix())),
    }
}

/// The baseline of `image`, which must be of that very image and architecture, and for all of its containers.
pub fn load(directory: &Path, image: &Image) -> Result<Baseline, LoadError> {
    load_in(directory, image, &Scope::Image)
}

/// The same for the containers of a scope.
pub fn load_in(directory: &Path, image: &Image, scope: &Scope) -> Result<Baseline, LoadError> {
    read(directory, image, scope).map(|(baseline, _)| baseline)
}

/// The same with the bytes that it was read from.
pub(crate) fn read(
    directory: &Path,
    image: &Image,
    scope: &Scope,
) -> Result<(Baseline, Vec<u8>), LoadError> {
    let path = path_in(directory, image, scope);
    let (baseline, bytes) = match read_file(&path) {
        Err(LoadError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            let known = list(directory)
                .unwrap_or_default()
                .into_iter()
                .map(|listed| listed.image)
                .collect();
            return Err(LoadError::NotFound {
                image: image.label(),
                directory: directory.to_owned(),
                known,
            });
        }
        loaded => loaded?,
    };
    let (found, expected) = (baseline.image.clone(), image.clone());
    if found.label() != expected.label() || found.id != expected.id {
        let (found, expected) = (found.label(), expected.label());
        return Err(LoadError::OtherImage { path, found, expected });
    }
    if baseline.scope != *scope {
        let (found, expected) = (baseline.scope.to_string(), scope.to_string());
        return Err(LoadError::OtherScope { path, found, expected });
    }
    if found.architecture != expected.architecture {
        let (found, expected) = (found.architecture, expected.architecture);
        return Err(LoadError::OtherArchitecture { path, found, expected });
    }
    Ok((baseline, bytes))
}

/// Any baseline, whatever it is of.
pub fn load_file(path: &Path) -> Result<Baseline, LoadError> {
    read_file(path).map(|(baseline, _)| baseline)
}

/// The same with the bytes that it was read from.
pub(crate) fn read_file(path: &Path) -> Result<(Baseline, Vec<u8>), LoadError> {
    let path = path.to_owned();
    let bytes = match read_up_to(&path, SIZE_MAX) {
        Ok(bytes) => bytes,
        Err(source) => return Err(LoadError::Unreadable { path, source }),
    };
    Ok((parse(path, &bytes)?, bytes))
}

/// A file that is not larger than it may be: one that somebody else put there must not take all memory.
pub(crate) fn read_up_to(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// What any version of the format will have.
#[derive(Deserialize)]
struct Version {
    schema: String,
    generaliser: u32,
}

pub(crate) fn parse(path: PathBuf, bytes: &[u8]) -> Result<Baseline, LoadError> {
    let refuse = |path: PathBuf, error: &serde_json::Error| {
        if error.is_eof() {
            LoadError::Truncated { path, bytes: bytes.len() }
        } else {
            LoadError::Malformed { path, reason: clean(&error.to_string()) }
        }
    };
    // A list of its values in their order would be taken for one.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(LoadError::Malformed { path, reason: "it is no JSON object".to_owned() });
    }
    let version: Version = match serde_json::from_slice(bytes) {
        Ok(version) => version,
        Err(error) => return Err(refuse(path, &error)),
    };
    if version.schema != SCHEMA {
        let found = format!("schema {:?}", version.schema);
        let is_ours = version.schema.starts_with("driftline.baseline/");
        return Err(if is_ours {
            LoadError::FutureVersion { path, found, known: SCHEMA.to_owned() }
        } else {
            LoadError::Malformed {
                path,
                reason: format!("{found} is not that of a baseline, {SCHEMA:?}"),
            }
        });
    }
    if version.generaliser > GENERALISER {
        let found = format!("generaliser {}", version.generaliser);
        return Err(LoadError::FutureVersion { path, found, known: GENERALISER.to_string() });
    }
    // A person who reviews it may read the other of two equal keys.
    is_said_once(bytes).and_then(|()| layout::read(bytes)).map_err(|error| refuse(path, &error))
}

/// Writes the baseline under the name of its image and scope. A reader sees the old file or the new one, never a part, also after a crash.
pub fn save(directory: &Path, baseline: &Baseline) -> Result<PathBuf, SaveError> {
    let path = path_in(directory, &baseline.image, &baseline.scope);
    match write_whole(directory, &path, layout::render(baseline).as_bytes()) {
        Ok(()) => Ok(path),
        Err(source) => Err(SaveError { path, source }),
    }
}

/// Writes a file that belongs to a baseline, whole or not at all.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), SaveError> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    write_whole(directory, path, bytes)
        .map_err(|source| SaveError { path: path.to_owned(), source })
}

/// The baseline as text, as it is saved.
pub(crate) fn render(baseline: &Baseline) -> String {
    layout::render(baseline)
}

fn write_whole(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    // Removed again when dropped; the leading dot keeps it out of `list`.
    let mut file = tempfile::Builder::new()
        .prefix(".baseline-")
        .suffix(".tmp")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The new name must survive a crash as well.
    File::open(directory)?.sync_all()
}

/// The baselines of a directory, sorted by image; none in one that does not exist.
pub fn list(directory: &Path) -> io::Result<Vec<Listed>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut listed = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().and_then(OsStr::to_str).filter(|name| !name.starts_with('.'));
        if let Some(name) = name.filter(|_| path.extension() == Some(OsStr::new("json"))) {
            listed.push(Listed { image: decoded(name), path });
        }
    }
    listed.sort();
    Ok(listed)
}

/// A name that does not decode is shown as it is.
fn decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let hex = rest.strip_prefix('%').and_then(|rest| rest.get(..2));
        let length = if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            3
        } else {
            bytes.extend_from_slice(&rest.as_bytes()[..c.len_utf8()]);
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    String::from_utf8(bytes).unwrap_or_else(|_| name.to_owned())
}

fn known_images(known: &[String]) -> String {
    if known.is_empty() {
        "there is none of any image, record one first".to_owned()
    } else {
        let names: Vec<_> = known.iter().take(10).map(|name| format!("{name:?}")).collect();
        let more = known.len() - names.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!(
            "there is {}{more}; name one of them with --image, or record this one first",
            names.join(", ")
        )
    }
}

#[cfg(test)]
mod tests;
