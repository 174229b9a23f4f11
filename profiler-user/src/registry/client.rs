//! Requests to one registry, and answers no larger than they may be.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use tokio::sync::Mutex;

use super::auth::Credentials;
use super::error::RegistryError;
use super::reference::Reference;
use crate::baseline::read_up_to;
use crate::error::with_causes;

/// Blobs may be elsewhere, and that place may point on; more is a loop.
const REDIRECTS: usize = 5;

/// The certificates of every authority that the web believes have 200 KiB.
const AUTHORITIES: u64 = 4 * 1024 * 1024;

/// Of an answer that refuses, so much is shown.
const SAID: usize = 200;

#[derive(Clone, Debug)]
pub struct Options {
    /// Other hosts than the own may be asked without encryption.
    pub plain_http: bool,
    /// Certificates (PEM) of who else than those of the system may answer for a registry, which is asked by HTTPS then.
    pub authorities: Option<PathBuf>,
    /// For a request and its whole answer.
    pub timeout: Duration,
}

#[derive(Debug)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) base: Url,
    host: String,
    pub(super) repository: String,
    options: Options,
    pub(super) credentials: Option<Credentials>,
    /// The header that the registry took last.
    authorization: Mutex<Option<String>>,
}

/// One request.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    /// As errors name it.
    pub(super) what: String,
    pub(super) accept: Option<String>,
    /// With its media type.
    pub(super) body: Option<(&'static str, Bytes)>,
}

impl Client {
    /// Who asks is read from Docker's configuration.
    pub fn new(reference: &Reference, options: Options) -> Result<Self, RegistryError> {
        let Reference { host, repository, .. } = reference;
        let wrong = |why| RegistryError::Reference { text: reference.to_string(), why };
        let https = format!("https://{host}/v2/{repository}/");
        let mut base = Url::parse(&https).map_err(|_| wrong("its host cannot be one"))?;
        if options.plain_http || options.authorities.is_none() && is_loopback(&base) {
            let http = format!("http://{host}/v2/{repository}/");
            base = Url::parse(&http).map_err(|_| wrong("its host cannot be one"))?;
        }
        // Whichever part of the process comes first; the others find it there.
        let _is_there = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder();
        if base.scheme() == "http" {
            // A container without certificates of its own can do without.
            builder = builder.tls_certs_only([]);
        } else if let Some(path) = &options.authorities {
            builder = builder.tls_certs_merge(authorities(path)?);
        }
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder
            .timeout(options.timeout)
            // Followed here, where it is decided who learns of credentials.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("driftline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| RegistryError::Unreachable {
                host: host.clone(),
                why: reason(error, options.timeout),
            })?;
        Ok(Self {
            http,
            base,
            host: host.clone(),
            repository: repository.clone(),
            options,
            credentials: Credentials::of(host)?,
            authorization: Mutex::new(None),
        })
    }

    /// Something of the repository.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url
    }

    /// Where an answer points to.
    pub(super) fn location(&self, answer: &Response, what: &str) -> Result<Url, RegistryError> {
        let header = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let url = header.and_then(|text| answer.url().join(text).ok());
        let url = url.ok_or_else(|| self.lie(what, "it points nowhere"))?;
        self.may_ask(&url)?;
        Ok(url)
    }

    pub(super) fn lie(&self, what: &str, why: impl Into<String>) -> RegistryError {
        RegistryError::Lie { host: self.host.clone(), what: what.to_owned(), why: why.into() }
    }

    /// The answer, whatever its status, after logging in and following redirections.
    pub(super) async fn send(&self, mut ask: Ask) -> Result<Response, RegistryError> {
        let mut logged_in = false;
        let mut redirects = 0;
        loop {
            let mut request = self.request(&ask);
            let authorization = self.authorization.lock().await.clone();
            // Nobody else learns who asks.
            if let Some(header) = authorization.filter(|_| ask.url.origin() == self.base.origin()) {
                request = request.header(AUTHORIZATION, header);
            }
            let answer = self.answer(request).await?;
            match answer.status() {
                StatusCode::UNAUTHORIZED if !logged_in => {
                    logged_in = true;
                    let Some(header) = self.log_in(&answer, &ask).await? else {
                        return Ok(answer);
                    };
                    *self.authorization.lock().await = Some(header);
                }
                status if status.is_redirection() && ask.method == Method::GET => {
                    redirects += 1;
                    if redirects > REDIRECTS {
                        let why = format!("it was redirected {redirects} times");
                        return Err(self.lie(&ask.what, why));
                    }
                    ask.url = self.location(&answer, &ask.what)?;
                }
                _ => return Ok(answer),
            }
        }
    }

    /// The body, which must not be larger than `limit`.
    pub(super) async fn body(
        &self,
        mut answer: Response,
        what: &str,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let too_large = || self.lie(what, format!("it is larger than {limit} bytes"));
        if answer.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(part)) if bytes.len() as u64 + part.len() as u64 > limit => {
                    return Err(too_large());
                }
                Ok(Some(part)) => bytes.extend_from_slice(&part),
                Ok(None) => return Ok(bytes),
                Err(error) => {
                    let why = reason(error, self.options.timeout);
                    return Err(self.lie(what, format!("its answer breaks off: {why}")));
                }
            }
        }
    }

    /// What an answer that is not the one hoped for means.
    pub(super) async fn refusal(&self, answer: Response, what: &str) -> RegistryError {
        let (host, what) = (self.host.clone(), what.to_owned());
        let status = answer.status().as_u16();
        match status {
            401 | 403 => RegistryError::Denied { host, what, status },
            404 => RegistryError::NotFound { host, what },
            _ => RegistryError::Answer { host, what, status, said: said(answer).await },
        }
    }

    fn request(&self, ask: &Ask) -> RequestBuilder {
        let mut request = self.http.request(ask.method.clone(), ask.url.clone());
        if let Some(accept) = &ask.accept {
            request = request.header(ACCEPT, accept);
        }
        match &ask.body {
            Some((media_type, bytes)) => {
                request.header(CONTENT_TYPE, *media_type).body(bytes.clone())
            }
            None => request,
        }
    }

    pub(super) async fn answer(&self, request: RequestBuilder) -> Result<Response, RegistryError> {
        request.send().await.map_err(|error| RegistryError::Unreachable {
            host: self.host.clone(),
            why: reason(error, self.options.timeout),
        })
    }

    pub(super) fn may_ask(&self, url: &Url) -> Result<(), RegistryError> {
        let plain = || self.options.plain_http || is_loopback(url);
        if url.scheme() == "https" || url.scheme() == "http" && plain() {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        Err(RegistryError::Plain { url: format!("{}://{host}", url.scheme()) })
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, RegistryError> {
    let unusable = |why| RegistryError::Authorities { path: path.display().to_string(), why };
    let pem = read_up_to(path, AUTHORITIES).map_err(|error| unusable(error.to_string()))?;
    let all = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(with_causes(&error)))?;
    if all.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    Ok(all)
}

/// What this machine asks of itself crosses no network.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

async fn said(mut answer: Response) -> String {
    let mut text = Vec::new();
    while text.len() < SAID
        && let Ok(Some(part)) = answer.chunk().await
    {
        text.extend_from_slice(&part);
    }
    String::from_utf8_lossy(&text).trim().chars().take(SAID).collect()
}

fn reason(error: reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        return format!("no whole answer within {} s", timeout.as_secs());
    }
    with_causes(&error.without_url())
}
