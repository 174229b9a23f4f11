//! Who may be a receiver over TLS.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_rustls::TlsConnector;

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    #[error("{}: {why}; give a file of certificates in PEM", path.display())]
    Read { path: PathBuf, why: pem::Error },
    #[error("{} holds no certificate; give a file of certificates in PEM", .0.display())]
    Empty(PathBuf),
    #[error("{} holds a certificate that cannot be used: {why}", path.display())]
    Unusable { path: PathBuf, why: rustls::Error },
    #[error(
        "this machine has no authorities of its own ({0}); give --syslog-ca a file of those who sign the receivers' certificates"
    )]
    NoneHere(rustls::Error),
}

/// By those of a file of certificates in PEM and no others; without one by those that the machine, or the container's image, has.
pub(super) fn connector(authorities: Option<&Path>) -> Result<TlsConnector, AuthoritiesError> {
    // Whichever part of the process comes first; the others find it there.
    let _is_there = rustls::crypto::ring::default_provider().install_default();
    let builder = ClientConfig::builder();
    let builder = match authorities {
        Some(path) => builder.with_root_certificates(read(path)?),
        None => builder.with_platform_verifier().map_err(AuthoritiesError::NoneHere)?,
    };
    Ok(TlsConnector::from(Arc::new(builder.with_no_client_auth())))
}

fn read(path: &Path) -> Result<RootCertStore, AuthoritiesError> {
    let failed = |why| AuthoritiesError::Read { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
        roots
            .add(certificate.map_err(failed)?)
            .map_err(|why| AuthoritiesError::Unusable { path: path.to_owned(), why })?;
    }
    if roots.is_empty() { Err(AuthoritiesError::Empty(path.to_owned())) } else { Ok(roots) }
}

/// What a handshake failed of, as somebody understands who set up the receiver.
pub(super) fn refusal(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => {
            format!(
                "its certificate is not to be believed: {why}; look at --syslog-ca and at the name in the address"
            )
        }
        _ => format!("no TLS: {error}"),
    }
}
