//! What can go wrong with a registry.

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("{text:?} names no image: {why}; write HOST/NAME:TAG or HOST/NAME@sha256:…")]
    Reference { text: String, why: &'static str },
    #[error(
        "{url} is not encrypted; use a registry with HTTPS, or say --plain-http if its network can be trusted"
    )]
    Plain { url: String },
    #[error("cannot read the credentials in {path}: {why}; restore the file or log in again")]
    Credentials { path: String, why: String },
    #[error(
        "cannot use the certificates in {path}: {why}; give a file of certificates as PEM with --ca"
    )]
    Authorities { path: String, why: String },
    #[error("registry {host} cannot be reached: {why}; see whether it is up, and try again")]
    Unreachable { host: String, why: String },
    #[error(
        "registry {host} refuses access to {what} ({status}); log in with docker login, or set DOCKER_CONFIG"
    )]
    Denied { host: String, what: String, status: u16 },
    #[error("registry {host} has no {what}; see whether the name is right")]
    NotFound { host: String, what: String },
    #[error("registry {host} answers {status} for {what}: {said:?}; try again, or ask who runs it")]
    Answer { host: String, what: String, status: u16, said: String },
    #[error(
        "registry {host} cannot be believed: {what}: {why}; nothing was written, ask who runs it"
    )]
    Lie { host: String, what: String, why: String },
}
