//! `--webhook URL`: each event as a request of its own, signed, `POST` with the line as its body, native or as
//! `--events-format` or a template says.
//!
//! **Delivered** is what was answered with 2xx. What the receiver finds wrong with an event itself (400, 413, 422) it would find wrong
//! again: that event is let go, told and counted. Anything else is wrong with the receiver or with the address, and the event waits.
//! A batch that comes again is gone on with where it was; an agent that was killed may send one event twice,
//! with the same `Idempotency-Key`.

mod headers;
mod signature;
mod template;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep_until};

use super::http::{self, reason};
use super::{Format, Sink, SinkError};
use crate::store::StoredEvent;

pub use self::headers::{HeaderError, Headers};
pub use self::signature::Key;
pub use self::template::{Template, TemplateError};

/// One receiver.
pub struct Webhook {
    name: String,
    /// Whoever knows it may send there: never shown.
    url: Url,
    /// Scheme, host and port.
    shown: String,
    client: Client,
    key: Option<Key>,
    format: Format,
    /// In the place of the format.
    template: Option<Arc<Template>>,
    /// Besides our own.
    headers: HeaderMap,
    /// The newest event that the template leaves out.
    left_out: Option<i64>,
    /// Up to which event it has taken all.
    done: i64,
    refused: u64,
    /// It asked to be left alone until then.
    pause: Option<Instant>,
}

/// What is wrong with a receiver's address; it shows nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("the URL cannot be read: {0}; it looks like https://hooks.example/driftline")]
    Malformed(String),
    #[error("the URL begins with neither http:// nor https://")]
    Scheme,
    #[error("cannot prepare requests to {shown}: {why}")]
    Client { shown: String, why: String },
}

#[derive(Default, Deserialize)]
struct Named {
    #[serde(rename = "event.id", default)]
    id: String,
}

enum Answer {
    Taken,
    /// Of this event.
    Refused(String),
}

impl Webhook {
    /// Without a `key` nothing is signed.
    pub fn new(url: &str, key: Option<Key>, format: Format) -> Result<Self, WebhookError> {
        let url =
            Url::parse(url.trim()).map_err(|error| WebhookError::Malformed(error.to_string()))?;
        let ("http" | "https", Some(host)) = (url.scheme(), url.host_str()) else {
            return Err(WebhookError::Scheme);
        };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{}://{host}{port}", url.scheme());
        let client = http::client(&url)
            .map_err(|error| WebhookError::Client { shown: shown.clone(), why: reason(error) })?;
        // Two of one host are told apart, and the rest of the address stays unknown.
        let hash = Sha256::digest(url.as_str());
        let name = format!("webhook:{shown}#{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2]);
        Ok(Self {
            name,
            url,
            shown,
            client,
            key,
            format,
            template: None,
            headers: HeaderMap::new(),
            left_out: None,
            done: 0,
            refused: 0,
            pause: None,
        })
    }

    /// What is sent is what the template makes of an event.
    #[must_use]
    pub fn with_template(self, template: Option<Arc<Template>>) -> Self {
        Self { template, ..self }
    }

    /// These go with each request.
    #[must_use]
    pub fn with_headers(self, headers: &Headers) -> Self {
        Self { headers: headers.as_map().clone(), ..self }
    }

    /// None where the template leaves the event out. The error is about this event.
    fn body(&self, event: &StoredEvent) -> Result<Option<String>, String> {
        match &self.template {
            Some(template) => template.render(&event.line),
            None => Ok(Some(self.format.render(&event.line).into_owned())),
        }
    }

    async fn post(&mut self, event: &StoredEvent) -> Result<Answer, SinkError> {
        let Named { id } = serde_json::from_str(&event.line).unwrap_or_default();
        let body = match self.body(event) {
            Ok(Some(body)) => body,
            Ok(None) => {
                self.left_out = Some(event.seq);
                return Ok(Answer::Taken);
            }
            Err(why) => return Ok(Answer::Refused(why)),
        };
        let mut request = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", format!("{id}-{}", event.seq));
        if let Some(key) = &self.key {
            let signature = key.sign(Timestamp::now(), body.as_bytes());
            request = request.header("Driftline-Signature", signature);
        }
        let answer = request.body(body).send().await;
        let mut answer = answer.map_err(|error| http::unreachable(&self.shown, error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(Answer::Taken);
        }
        self.pause = http::pause(answer.headers()).map(|pause| Instant::now() + pause);
        let why = http::refusal(&self.shown, &mut answer).await;
        match status {
            StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => Ok(Answer::Refused(why)),
            _ => Err(SinkError::new(why)),
        }
    }
}

impl Sink for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn refused(&self) -> u64 {
        self.refused
    }

    async fn try_out(&mut self) -> Option<Result<(), SinkError>> {
        let request = self.client.request(Method::OPTIONS, self.url.clone());
        let request = request.headers(self.headers.clone());
        Some(http::is_there(request, &self.shown).await)
    }

    /// What was answered with 2xx has arrived. Of what its template leaves out, that the receiver answers has to do.
    async fn confirm(&mut self, event: &StoredEvent) -> Result<(), SinkError> {
        if self.left_out != Some(event.seq) {
            return Ok(());
        }
        self.try_out().await.unwrap_or(Ok(()))
    }

    async fn deliver(&mut self, events: &[StoredEvent]) -> Result<(), SinkError> {
        if let Some(pause) = self.pause {
            sleep_until(pause).await;
            self.pause = None;
        }
        for event in events {
            if event.seq <= self.done {
                continue;
            }
            if let Answer::Refused(why) = self.post(event).await? {
                self.refused += 1;
                self.pause = None;
                eprintln!("driftline: event {} is let go: {why}", event.seq);
            }
            self.done = event.seq;
        }
        Ok(())
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("url", &self.shown).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
