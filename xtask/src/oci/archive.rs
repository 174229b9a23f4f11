//! The layout of images that the Open Container Initiative specifies, as one archive.

use std::fmt::Write as _;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, Header};

use super::{Built, architecture};

/// The media type of a manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Bytes, and the digest that names them.
pub(super) struct Blob {
    pub(super) digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let mut digest = String::from("sha256:");
        for byte in Sha256::digest(&bytes) {
            write!(digest, "{byte:02x}").expect("a string takes everything");
        }
        Self { digest, bytes }
    }

    pub(super) fn json(value: &Value) -> Self {
        Self::new(value.to_string().into_bytes())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How other files of the layout refer to it.
    pub(super) fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.digest, "size": self.bytes.len() })
    }

    fn path(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }
}

/// Writes images to an archive that `ctr image import`, `podman load` and `kind load image-archive` take.
pub fn write_archive(path: &Path, images: &[Built]) -> Result<()> {
    let file = File::create(path).with_context(|| format!("{} not written", path.display()))?;
    let mut archive = Builder::new(BufWriter::new(file));
    let manifests = images.iter().map(|image| {
        let mut manifest = image.manifest.descriptor(MANIFEST);
        let tag = image.reference.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        manifest["platform"] = json!({ "architecture": architecture(), "os": "linux" });
        manifest["annotations"] = json!({
            "io.containerd.image.name": image.reference,
            "org.opencontainers.image.ref.name": tag,
        });
        manifest
    });
    let index = json!({ "schemaVersion": 2, "manifests": manifests.collect::<Vec<_>>() });
    add(&mut archive, "oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
    add(&mut archive, "index.json", index.to_string())?;
    for blob in images.iter().flat_map(|image| [&image.config, &image.manifest, &image.layer]) {
        add(&mut archive, &blob.path(), &blob.bytes)?;
    }
    archive.into_inner()?.into_inner()?;
    Ok(())
}

fn add<W: std::io::Write>(
    archive: &mut Builder<W>,
    path: &str,
    content: impl AsRef<[u8]>,
) -> Result<()> {
    let content = content.as_ref();
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    Ok(archive.append_data(&mut header, path, content)?)
}
