//! Writing one: to a name that nobody looks for, synced, then renamed.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ulid::Ulid;

use super::{ENVELOPE, Entry, MANIFEST, Manifest, PAYLOAD_TYPE, SCHEMA_VERSION, Spool, Why};
use crate::attest::{Envelope, SigningKey};
use crate::container::Identity;

/// Writes `DIRECTORY/ID.tar.zst`, and says where.
pub fn write(
    directory: &Path,
    mut spool: Spool,
    why: Why,
    node: &str,
    container: Option<Identity>,
    key: &SigningKey,
) -> io::Result<PathBuf> {
    let id = Ulid::new().to_string();
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION.to_owned(),
        id: id.clone(),
        time: Timestamp::now(),
        why,
        node: node.to_owned(),
        container,
        observer_version: env!("CARGO_PKG_VERSION").to_owned(),
        pieces: std::mem::take(&mut spool.entries),
        missing: std::mem::take(&mut spool.missing),
    };
    let temporary = directory.join(format!(".{id}.tmp"));
    let path = directory.join(format!("{id}.tar.zst"));
    let written = pack(&temporary, &mut spool.file, &manifest, key)
        .and_then(|()| fs::rename(&temporary, &path))
        .and_then(|()| File::open(directory)?.sync_all());
    if written.is_err() {
        let _may_not_be_there = fs::remove_file(&temporary);
    }
    written.map(|()| path)
}

fn pack(path: &Path, from: &mut File, manifest: &Manifest, key: &SigningKey) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut packed = zstd::Encoder::new(file, 3)?;
    packed.include_checksum(true)?;
    let text = serde_json::to_vec_pretty(manifest)?;
    let mut envelope = Envelope::new(PAYLOAD_TYPE, &text);
    envelope.sign(key).map_err(io::Error::other)?;
    let envelope = serde_json::to_vec(&envelope)?;
    append(&mut packed, MANIFEST, text.len() as u64, &mut text.as_slice())?;
    append(&mut packed, ENVELOPE, envelope.len() as u64, &mut envelope.as_slice())?;
    from.rewind()?;
    for Entry { name, size, .. } in &manifest.pieces {
        append(&mut packed, name, *size, &mut from.take(*size))?;
    }
    packed.write_all(&[0; 1024])?;
    packed.finish()?.sync_all()
}

pub(super) fn append(
    to: &mut dyn Write,
    name: &str,
    size: u64,
    from: &mut dyn Read,
) -> io::Result<()> {
    to.write_all(header(name, size).as_bytes())?;
    let copied = io::copy(from, to)?;
    if copied != size {
        return Err(io::Error::other(format!("{name} has {copied} bytes of {size}")));
    }
    to.write_all(&[0; 512][..padding(size)])
}

/// The only one that a piece of this name and size can have.
pub(super) fn header(name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    let field = header.as_old_mut();
    field.name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    header
}

pub(super) fn padding(size: u64) -> usize {
    (512 - usize::try_from(size % 512).expect("below 512")) % 512
}
