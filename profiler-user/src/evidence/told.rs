//! What bundles say, for a report: which there are, and what a container left behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bundle::{self, Manifest, Why};
use super::{DIRECTORY, key};
use crate::attest::PublicKey;

/// Bundles that one report opens, the newest.
const BUNDLES_MAX: usize = 100;
/// Files told of, of each.
const FILES_MAX: usize = 200;
/// A text that is told whole, in bytes.
const TEXT_MAX: u64 = 2 << 10;

/// One bundle, believed.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    pub id: String,
    pub time: jiff::Timestamp,
    pub container: Option<String>,
    /// `drift`, `end`, `demand`.
    pub why: &'static str,
    pub pieces: usize,
    pub missing: usize,
    /// Why it is not to be believed: then nothing of it is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    pub files: Vec<File>,
    pub more_files: usize,
    pub programs: Vec<Program>,
}

/// A file that a container changed, as the bundle lists it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct File {
    pub path: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub size: i64,
    pub sha256: Option<String>,
    #[serde(default, skip_serializing)]
    piece: Option<String>,
    pub not_kept: Option<String>,
    /// Its content, where it is a short text.
    #[serde(default)]
    pub text: Option<String>,
}

/// A program that ran.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Program {
    pub path: String,
    pub size: u64,
    pub sha256: String,
}

/// Whether there is evidence to be looked through.
///
/// # Errors
/// One sentence that says why not.
pub fn is_place(store: &Path) -> Result<(), String> {
    let directory = store.join(DIRECTORY);
    fs::read_dir(&directory).map(drop).map_err(|error| {
        format!(
            "cannot read the evidence in {}: {error}; give the directory that has it",
            directory.display()
        )
    })
}

/// Bundles of these containers in the store, the oldest first. None of them where the directory cannot be read.
pub fn told(store: &Path, containers: &BTreeSet<String>) -> Vec<Told> {
    let trusted: Vec<PublicKey> = PublicKey::read(&store.join(key::PUBLIC)).into_iter().collect();
    let Ok(entries) = fs::read_dir(store.join(DIRECTORY)) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.to_string_lossy().ends_with(".tar.zst")).collect();
    paths.sort();
    let is_of = |manifest: &Manifest| {
        let container = manifest.container.as_ref();
        container.is_some_and(|identity| containers.contains(identity.id.as_str()))
    };
    let mut known: Vec<_> = paths
        .into_iter()
        .filter_map(|path| Some((bundle::manifest(&path).ok().filter(is_of)?, path)))
        .collect();
    let more = known.len().saturating_sub(BUNDLES_MAX);
    known.drain(..more);
    known.iter().map(|(manifest, path)| one(manifest, path, &trusted)).collect()
}

fn one(manifest: &Manifest, path: &Path, trusted: &[PublicKey]) -> Told {
    let mut told = Told {
        id: manifest.id.clone(),
        time: manifest.time,
        container: manifest.container.as_ref().map(|identity| identity.id.to_string()),
        why: match manifest.why {
            Why::Drift { .. } => "drift",
            Why::End { .. } => "end",
            Why::Demand {} => "demand",
        },
        pieces: manifest.pieces.len(),
        missing: manifest.missing.len(),
        refused: None,
        files: Vec::new(),
        more_files: 0,
        programs: Vec::new(),
    };
    if let Err(error) = open(&mut told, path, trusted) {
        told.refused = Some(error);
    }
    told
}

fn open(told: &mut Told, path: &Path, trusted: &[PublicKey]) -> Result<(), String> {
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let to = scratch.path().join("bundle");
    bundle::extract(path, trusted, &to).map_err(|error| format!("it {error}"))?;
    told.programs = list(&to.join("executables.json"));
    let mut files: Vec<File> = list(&to.join("changed.json"));
    files.retain(|file| file.kind != "directory");
    told.more_files = files.len().saturating_sub(FILES_MAX);
    files.truncate(FILES_MAX);
    for file in &mut files {
        // A piece's name is one of our own, or the bundle would have been refused.
        let Some(piece) = &file.piece else { continue };
        let piece = to.join(piece);
        if fs::metadata(&piece).is_ok_and(|about| about.len() <= TEXT_MAX) {
            let is_text = |text: &String| !text.contains('\0');
            file.text = fs::read_to_string(piece).ok().filter(is_text);
        }
    }
    told.files = files;
    Ok(())
}

fn list<T: serde::de::DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = fs::read(path).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}
