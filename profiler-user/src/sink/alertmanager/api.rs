//! The wire: one request, and what can become of it.

use std::collections::HashMap;
use std::fmt;

use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;

use super::alert::Body;
use crate::sink::SinkError;
use crate::sink::http::{self, reason};

pub(super) struct Api {
    client: Client,
    /// May hold a user and a password: never shown.
    url: Url,
    /// The same without them.
    shown: String,
}

/// What is wrong with an address; it shows no password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    #[error("the Alertmanager's URL cannot be read: {0}; it looks like http://alertmanager:9093")]
    Malformed(String),
    #[error("the Alertmanager's URL begins with neither http:// nor https://")]
    Scheme,
    #[error("cannot prepare requests to {shown}: {why}")]
    Client { shown: String, why: String },
}

/// Each tells what was refused by whom.
#[derive(Debug)]
pub(super) enum PostError {
    /// 400: at least one of the alerts is not to its liking; it kept the others.
    Malformed(String),
    Failed(String),
}

impl Api {
    pub(super) fn new(base: &str) -> Result<Self, UrlError> {
        let mut url =
            Url::parse(base.trim()).map_err(|error| UrlError::Malformed(error.to_string()))?;
        let shown = http::shown(&url);
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlError::Scheme);
        }
        let path = format!("{}/api/v2/alerts", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_fragment(None);
        let client = http::client(&url)
            .map_err(|error| UrlError::Client { shown: shown.clone(), why: reason(error) })?;
        Ok(Self { client, url, shown })
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Asks how it does, which changes nothing there.
    pub(super) async fn try_out(&self) -> Result<(), SinkError> {
        let mut url = self.url.clone();
        url.set_path(&url.path().replace("/api/v2/alerts", "/api/v2/status"));
        let answer = self.client.get(url).send().await;
        let mut answer = answer.map_err(|error| http::unreachable(&self.shown, error))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(SinkError::new(http::refusal(&self.shown, &mut answer).await))
    }

    /// Whether an alert of this name is there that names the event.
    pub(super) async fn shows(&self, alertname: &str, event: &str) -> Result<(), SinkError> {
        #[derive(Deserialize)]
        struct Shown {
            annotations: HashMap<String, String>,
        }
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("filter", &format!("alertname=\"{alertname}\""));
        let answer = self.client.get(url).send().await;
        let mut answer = answer.map_err(|error| http::unreachable(&self.shown, error))?;
        if !answer.status().is_success() {
            return Err(SinkError::new(http::refusal(&self.shown, &mut answer).await));
        }
        let alerts: Vec<Shown> =
            answer.json().await.map_err(|error| http::unreachable(&self.shown, error))?;
        let names = |alert: &Shown| {
            let ids = alert.annotations.get("event_ids").map(String::as_str).unwrap_or_default();
            ids.split(' ').any(|id| id == event)
        };
        if alerts.iter().any(names) {
            return Ok(());
        }
        let shown = &self.shown;
        Err(SinkError::new(format!("{shown} took the alert and does not show it among its alerts")))
    }

    pub(super) async fn post(&self, alerts: &[Body<'_>]) -> Result<(), PostError> {
        let answer = self.client.post(self.url.clone()).json(alerts).send().await;
        let mut answer = answer.map_err(|error| {
            PostError::Failed(http::unreachable(&self.shown, error).to_string())
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let why = http::refusal(&self.shown, &mut answer).await;
        Err(match status {
            StatusCode::BAD_REQUEST => PostError::Malformed(why),
            _ => PostError::Failed(why),
        })
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("url", &self.shown).finish_non_exhaustive()
    }
}
