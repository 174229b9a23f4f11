//! `--otlp http://HOST:4318`: every event as a log record, by OTLP over HTTP (`POST /v1/logs`, protobuf).
//!
//! **Delivered** is what was answered with 2xx, except what the answer says was rejected: those records the receiver will never take, they are told
//! and counted. Where a request is refused for what it holds (400, 413), its halves are tried, down to the event that is let go.
//! Anything else is wrong with the receiver or the address, and the events wait: OTLP would have a sender throw them away.

mod record;

use std::fmt;

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message as _;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url};
use tokio::time::{Instant, sleep_until};

use super::http::{self, reason};
use super::{Sink, SinkError};
use crate::store::StoredEvent;

const PATH: &str = "/v1/logs";

/// One receiver: a collector, or something that takes logs as one.
pub struct Otlp {
    name: String,
    client: Client,
    /// May hold a user and a password: never shown.
    url: Url,
    /// The same without them.
    shown: String,
    /// Up to which event it has taken all.
    done: i64,
    refused: u64,
    /// It asked to be left alone until then.
    pause: Option<Instant>,
}

/// What is wrong with a receiver's address; it shows no password.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    #[error("the URL cannot be read: {0}; it looks like http://collector:4318")]
    Malformed(String),
    #[error(
        "the URL begins with neither http:// nor https://; it looks like http://collector:4318"
    )]
    Scheme,
    #[error("cannot prepare requests to {shown}: {why}")]
    Client { shown: String, why: String },
}

enum Answer {
    Taken,
    /// Something in it is not to the receiver's liking.
    Refused(String),
}

impl Otlp {
    /// `url`: where the receiver is; `/v1/logs` is added where it does not end so.
    pub fn new(url: &str) -> Result<Self, OtlpError> {
        let mut url =
            Url::parse(url.trim()).map_err(|error| OtlpError::Malformed(error.to_string()))?;
        let ("http" | "https", Some(_)) = (url.scheme(), url.host_str()) else {
            return Err(OtlpError::Scheme);
        };
        let path = url.path().trim_end_matches('/');
        let path = format!("{}{PATH}", path.strip_suffix(PATH).unwrap_or(path));
        url.set_path(&path);
        url.set_fragment(None);
        let shown = http::shown(&url);
        let client = http::client(&url)
            .map_err(|error| OtlpError::Client { shown: shown.clone(), why: reason(error) })?;
        let name = format!("otlp:{shown}");
        Ok(Self { name, client, url, shown, done: 0, refused: 0, pause: None })
    }

    /// One request; what was rejected of it is counted.
    async fn post(&mut self, request: &ExportLogsServiceRequest) -> Result<Answer, SinkError> {
        let post = self.client.post(self.url.clone());
        let post = post.header(CONTENT_TYPE, "application/x-protobuf");
        let answer = post.body(request.encode_to_vec()).send().await;
        let mut answer = answer.map_err(|error| http::unreachable(&self.shown, error))?;
        let status = answer.status();
        if status.is_success() {
            let bytes =
                answer.bytes().await.map_err(|error| http::unreachable(&self.shown, error))?;
            self.note_rejected(&bytes);
            return Ok(Answer::Taken);
        }
        self.pause = http::pause(answer.headers()).map(|pause| Instant::now() + pause);
        let why = http::refusal(&self.shown, &mut answer).await;
        match status {
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Ok(Answer::Refused(why)),
            _ => Err(SinkError::new(why)),
        }
    }

    /// Receivers need not say anything; what they say else than OTLP has it says nothing.
    fn note_rejected(&mut self, answer: &[u8]) {
        let answer = ExportLogsServiceResponse::decode(answer).unwrap_or_default();
        let Some(partial) = answer.partial_success else { return };
        let rejected = u64::try_from(partial.rejected_log_records).unwrap_or(0);
        self.refused += rejected;
        if rejected > 0 || !partial.error_message.is_empty() {
            let said: String = partial.error_message.chars().take(200).collect();
            let shown = &self.shown;
            eprintln!("driftline: {shown} rejects {rejected} events: {}", said.escape_debug());
        }
    }
}

impl Sink for Otlp {
    fn name(&self) -> &str {
        &self.name
    }

    fn refused(&self) -> u64 {
        self.refused
    }

    /// A request without a record: address and path are right where it is taken.
    async fn try_out(&mut self) -> Option<Result<(), SinkError>> {
        Some(match self.post(&ExportLogsServiceRequest::default()).await {
            Ok(Answer::Taken) => Ok(()),
            Ok(Answer::Refused(why)) => Err(SinkError::new(why)),
            Err(error) => Err(error),
        })
    }

    async fn deliver(&mut self, events: &[StoredEvent]) -> Result<(), SinkError> {
        if let Some(pause) = self.pause {
            sleep_until(pause).await;
            self.pause = None;
        }
        let first = events.partition_point(|event| event.seq <= self.done);
        let mut parts = vec![events.get(first..).unwrap_or_default()];
        while let Some(part) = parts.pop() {
            let Some(last) = part.last() else { continue };
            match self.post(&record::request(part)).await? {
                Answer::Refused(_) if part.len() > 1 => {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([right, left]);
                    continue;
                }
                Answer::Refused(why) => {
                    self.refused += 1;
                    self.pause = None;
                    eprintln!("driftline: event {} is let go: {why}", last.seq);
                }
                Answer::Taken => {}
            }
            self.done = last.seq;
        }
        Ok(())
    }
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Otlp").field("url", &self.shown).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
