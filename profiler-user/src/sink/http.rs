//! What sinks have in common that speak HTTP: a client that nobody leads elsewhere, and words for what went wrong.

use std::time::Duration;

use reqwest::{Client, Response, Url, redirect};

use crate::error::with_causes;

/// For a request and its answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

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

/// What somebody says who refuses, in one line.
pub(super) async fn said(answer: &mut Response) -> String {
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

/// Without the URL, which may hold a password.
pub(super) fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    with_causes(&error.without_url())
}
