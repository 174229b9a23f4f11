//! Reading one that somebody else may have made: nothing of it is believed, or written anywhere, before all of it is verified.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::spool::hex;
use super::write::{append, header, padding};
use super::{
    ENVELOPE, Entry, MANIFEST, MANIFEST_MAX, Manifest, PAYLOAD_TYPE, PIECES_MAX, SCHEMA_VERSION,
    SIZE_MAX, is_name,
};
use crate::attest::{Envelope, KeyId, PublicKey};

#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("cannot be unpacked: {0}; it is no bundle, or it is cut off or damaged")]
    Damaged(io::Error),
    #[error("is not to be believed: {0}")]
    Refused(String),
    #[error("cannot be extracted to {to}: {source}; give -o a directory that is not there yet")]
    Output { to: String, source: io::Error },
}

#[derive(Debug)]
pub struct Verified {
    pub manifest: Manifest,
    /// Whose signatures it has.
    pub keys: Vec<KeyId>,
}

type Archive<'a> = zstd::Decoder<'a, BufReader<&'a File>>;
type Sink<'a> = dyn FnMut(&Entry, &[u8]) -> io::Result<()> + 'a;

/// The manifest alone, whoever signed it: for lists. None of the pieces is looked at.
pub fn manifest(path: &Path) -> Result<Manifest, BundleError> {
    let file = open(path)?;
    let mut archive = unpack(&file)?;
    let text = whole(&mut archive, MANIFEST)?;
    parse(&text)
}

/// Everything: the signature, the manifest, each piece, and that there is nothing else.
pub fn verify(path: &Path, trusted: &[PublicKey]) -> Result<Verified, BundleError> {
    pass(&open(path)?, trusted, &mut |_, _| Ok(()))
}

/// Verifies it, then writes its pieces below a directory that is made for them. Nothing that exists is touched.
pub fn extract(path: &Path, trusted: &[PublicKey], to: &Path) -> Result<Verified, BundleError> {
    let mut file = open(path)?;
    let verified = pass(&file, trusted, &mut |_, _| Ok(()))?;
    let failed = |source| BundleError::Output { to: to.display().to_string(), source };
    let make = |path: &Path, all| fs::DirBuilder::new().recursive(all).mode(0o700).create(path);
    make(to, false).map_err(failed)?;
    file.rewind().map_err(BundleError::Unreadable)?;
    let mut current: Option<(String, File)> = None;
    let create = |name: &str| -> io::Result<File> {
        let path = to.join(name);
        path.parent().map_or(Ok(()), |parent| make(parent, true))?;
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    };
    let text = serde_json::to_vec_pretty(&verified.manifest).map_err(io::Error::from);
    text.and_then(|text| create(MANIFEST)?.write_all(&text)).map_err(failed)?;
    // Between the two the file may have been changed: it is verified again as it is written.
    pass(&file, trusted, &mut |entry, bytes| {
        if current.as_ref().is_none_or(|(name, _)| *name != entry.name) {
            current = Some((entry.name.clone(), create(&entry.name)?));
        }
        current.as_mut().map_or(Ok(()), |(_, file)| file.write_all(bytes))
    })
}

/// Verifies it, then writes it as a tar that is not compressed.
pub fn tar(
    path: &Path,
    trusted: &[PublicKey],
    to: &mut dyn Write,
) -> Result<Verified, BundleError> {
    let mut file = open(path)?;
    let verified = pass(&file, trusted, &mut |_, _| Ok(()))?;
    file.rewind().map_err(BundleError::Unreadable)?;
    let failed = |source| BundleError::Output { to: "stdout".to_owned(), source };
    let text = serde_json::to_vec_pretty(&verified.manifest).map_err(io::Error::from);
    text.and_then(|text| append(to, MANIFEST, text.len() as u64, &mut text.as_slice()))
        .map_err(failed)?;
    let mut left = 0;
    pass(&file, trusted, &mut |entry, bytes| {
        if left == 0 {
            to.write_all(header(&entry.name, entry.size).as_bytes())?;
            left = entry.size;
        }
        to.write_all(bytes)?;
        left -= bytes.len() as u64;
        if left == 0 { to.write_all(&[0; 512][..padding(entry.size)]) } else { Ok(()) }
    })?;
    to.write_all(&[0; 1024]).and_then(|()| to.flush()).map_err(failed)?;
    Ok(verified)
}

fn open(path: &Path) -> Result<File, BundleError> {
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc_nonblock())
        .open(path)
        .map_err(BundleError::Unreadable)?;
    if !file.metadata().map_err(BundleError::Unreadable)?.is_file() {
        return Err(BundleError::Unreadable(io::Error::other("it is no file")));
    }
    Ok(file)
}

/// A pipe in its place is not waited for.
fn libc_nonblock() -> i32 {
    nix::fcntl::OFlag::O_NONBLOCK.bits()
}

fn unpack(file: &File) -> Result<Archive<'_>, BundleError> {
    let mut archive =
        zstd::Decoder::with_buffer(BufReader::new(file)).map_err(BundleError::Damaged)?;
    // 8 MiB is what level 3 asks for at most; a frame that asks for more asks for memory.
    archive.window_log_max(23).map_err(BundleError::Damaged)?;
    Ok(archive.single_frame())
}

/// Reads all of it once; each piece's bytes go to `sink` as they come, an empty one's as none.
fn pass(file: &File, trusted: &[PublicKey], sink: &mut Sink<'_>) -> Result<Verified, BundleError> {
    let mut archive = unpack(file)?;
    let text = whole(&mut archive, MANIFEST)?;
    let envelope: Envelope = serde_json::from_slice(&whole(&mut archive, ENVELOPE)?)
        .map_err(|error| BundleError::Refused(format!("its signature is no envelope: {error}")))?;
    let opened = envelope.open(trusted).map_err(|error| BundleError::Refused(error.to_string()))?;
    if opened.payload_type != PAYLOAD_TYPE || opened.payload != text {
        return refuse("what is signed is not its manifest");
    }
    let manifest = parse(&text)?;
    for entry in &manifest.pieces {
        piece(&mut archive, entry, sink)?;
    }
    let mut end = Vec::new();
    archive.by_ref().take(2048).read_to_end(&mut end).map_err(BundleError::Damaged)?;
    if end != [0; 1024] {
        return refuse("it holds more than its manifest lists");
    }
    let mut rest = archive.finish();
    if rest.read(&mut [0]).map_err(BundleError::Unreadable)? != 0 {
        return refuse("something follows its end");
    }
    Ok(Verified { manifest, keys: opened.keys })
}

fn parse(text: &[u8]) -> Result<Manifest, BundleError> {
    let refused = |error| BundleError::Refused(format!("its manifest cannot be read: {error}"));
    let value: serde_json::Value = serde_json::from_slice(text).map_err(refused)?;
    match value.get("schema_version").and_then(|version| version.as_str()) {
        Some(SCHEMA_VERSION) => {}
        other => {
            let other = other.unwrap_or("none");
            return refuse(format!(
                "its schema version is {other:?}, and {SCHEMA_VERSION} is what this driftline reads"
            ));
        }
    }
    let manifest: Manifest = serde_json::from_slice(text).map_err(refused)?;
    let mut names: Vec<_> = manifest.pieces.iter().map(|entry| entry.name.as_str()).collect();
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        return refuse(format!("no piece may be called {name:?}"));
    }
    names.sort_unstable();
    if let Some(twice) = names.iter().zip(names.iter().skip(1)).find(|(one, next)| one == next) {
        return refuse(format!("two pieces are called {}", twice.0));
    }
    let mut sizes = manifest.pieces.iter().map(|entry| entry.size);
    let all = sizes.try_fold(0u64, u64::checked_add);
    if manifest.pieces.len() > PIECES_MAX || all.is_none_or(|all| all > SIZE_MAX) {
        return refuse(format!("it would be larger than {SIZE_MAX} bytes or {PIECES_MAX} pieces"));
    }
    Ok(manifest)
}

/// Manifest or envelope, whose size only its header tells.
fn whole(archive: &mut Archive<'_>, name: &str) -> Result<Vec<u8>, BundleError> {
    let mut block = tar::Header::new_ustar();
    archive.read_exact(block.as_mut_bytes()).map_err(BundleError::Damaged)?;
    let size = block.size().unwrap_or(u64::MAX);
    if size > MANIFEST_MAX * 2 {
        return refuse(format!("its {name} is larger than {} bytes", MANIFEST_MAX * 2));
    }
    let entry = Entry { name: name.to_owned(), size, sha256: String::new() };
    check(&block, &entry)?;
    let mut bytes = Vec::new();
    body(archive, &entry, &mut |_, more| {
        bytes.extend_from_slice(more);
        Ok(())
    })?;
    Ok(bytes)
}

fn piece(archive: &mut Archive<'_>, entry: &Entry, sink: &mut Sink<'_>) -> Result<(), BundleError> {
    let mut block = tar::Header::new_ustar();
    archive.read_exact(block.as_mut_bytes()).map_err(BundleError::Damaged)?;
    check(&block, entry)?;
    let hash = body(archive, entry, sink)?;
    if hash != entry.sha256 {
        return refuse(format!("{} is not what its manifest says", entry.name));
    }
    Ok(())
}

/// A header has one form: links, devices, long names and other sizes are none of it.
fn check(block: &tar::Header, entry: &Entry) -> Result<(), BundleError> {
    let expected = header(&entry.name, entry.size);
    if block.as_bytes() == expected.as_bytes() {
        return Ok(());
    }
    refuse(format!("where {} is due, something else is", entry.name))
}

fn body(
    archive: &mut Archive<'_>,
    entry: &Entry,
    sink: &mut Sink<'_>,
) -> Result<String, BundleError> {
    let failed = |source| BundleError::Output { to: entry.name.clone(), source };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut left = entry.size;
    if left == 0 {
        sink(entry, &[]).map_err(failed)?;
    }
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = match archive.read(&mut buffer[..most]) {
            Ok(0) => return Err(BundleError::Damaged(io::ErrorKind::UnexpectedEof.into())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(BundleError::Damaged)?,
        };
        hash.update(&buffer[..read]);
        sink(entry, &buffer[..read]).map_err(failed)?;
        left -= read as u64;
    }
    let mut rest = [0; 512];
    let rest = &mut rest[..padding(entry.size)];
    archive.read_exact(rest).map_err(BundleError::Damaged)?;
    if rest.iter().any(|byte| *byte != 0) {
        return refuse(format!("behind {} there is something", entry.name));
    }
    Ok(hex(&hash.finalize()))
}

fn refuse<T>(why: impl Into<String>) -> Result<T, BundleError> {
    Err(BundleError::Refused(why.into()))
}
