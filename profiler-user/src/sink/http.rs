//! What sinks have in common that speak HTTP: a client that nobody leads elsewhere, and words for what went wrong.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};

use super::SinkError;
use crate::error::with_causes;

/// For a request and its answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// As long as a receiver may ask to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// Of an answer that refuses, so many characters are shown.
const ANSWER: usize = 200;

pub(super) fn client(url: &Url) -> reqwest::Result<Client> {
    // Whichever part of the process comes first; the others find it there.
    let _is_there = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder();
    if url.scheme() == "http" {
        // A container without certificates of its own can do without.
        builder = builder.tls_certs_only([]);
    }
    builder
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("driftline/", env!("CARGO_PKG_VERSION")))
        .pool_max_idle_per_host(1)
        .build()
}

/// Whether there is somebody who answers: asks for nothing, and takes any answer but that nobody is behind it.
///
/// `OPTIONS` changes nothing and is no event. Many receivers do not know it and refuse; that they do is answer enough.
pub(super) async fn is_there(request: RequestBuilder, shown: &str) -> Result<(), SinkError> {
    let mut answer = request.send().await.map_err(|error| unreachable(shown, error))?;
    match answer.status() {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Err(SinkError::new(refusal(shown, &mut answer).await))
        }
        _ => Ok(()),
    }
}

/// `… cannot be reached: …`
pub(super) fn unreachable(shown: &str, error: reqwest::Error) -> SinkError {
    SinkError::new(format!("{shown} cannot be reached: {}", reason(error)))
}

/// `… answers 401 Unauthorized: …`
pub(super) async fn refusal(shown: &str, answer: &mut Response) -> String {
    let status = answer.status();
    format!("{shown} answers {status}: {}", said(answer).await)
}

/// What somebody says who refuses, in one line.
async fn said(answer: &mut Response) -> String {
    let mut text = Vec::new();
    while let Ok(Some(part)) = answer.chunk().await {
        text.extend_from_slice(&part);
        if text.len() >= ANSWER {
            break;
        }
    }
    let text: String = String::from_utf8_lossy(&text).trim().chars().take(ANSWER).collect();
    text.escape_debug().to_string()
}

/// How long it asks to be left alone (`Retry-After` in seconds), ten minutes at most. A date is not looked at: the next try comes by itself.
pub(super) fn pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// Without user, password and query.
pub(super) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path().trim_end_matches('/'))
}

/// Without the URL, which may hold a password.
pub(super) fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    with_causes(&error.without_url())
}
