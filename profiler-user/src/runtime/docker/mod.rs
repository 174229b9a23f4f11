//! Docker's API over its socket; Podman speaks it too.

mod describe;
mod messages;
mod tell;

use std::{sync::Arc, time::Duration};

use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use tokio::{sync::mpsc, time::timeout};

use self::messages::{Container, Event, Image, Listed, Version};
use super::{Description, Endpoint, Error, cache::Cache};
use crate::container::ContainerId;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 16 << 20;
const REMEMBERED: usize = 512;
const MEMORY: Duration = Duration::from_mins(5);
/// `{"event":["die"],"type":["container"]}`, encoded.
const EVENTS: &str =
    "/events?filters=%7B%22event%22%3A%5B%22die%22%5D%2C%22type%22%3A%5B%22container%22%5D%7D";

/// One connection. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    /// For messages.
    endpoint: Arc<str>,
    timeout: Duration,
    /// `docker` or `podman`.
    runtime: &'static str,
    images: Arc<Cache<Image>>,
}

impl Client {
    /// Connects and asks for the version: the client and the runtime's version.
    pub(super) async fn connect(
        endpoint: &Endpoint,
        limit: Duration,
    ) -> Result<(Self, String), Error> {
        // The HTTP client wants TLS to be there, though nothing here uses it. Another part may have put it there.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .unix_socket(endpoint.path())
            .tls_certs_only([])
            .build()
            .map_err(|error| Error::Lost {
                endpoint: endpoint.to_string(),
                call: "/version",
                why: innermost(&error),
            })?;
        let images = Arc::new(Cache::new(REMEMBERED, MEMORY));
        let endpoint = endpoint.to_string().into();
        let mut client = Self { http, endpoint, timeout: limit, runtime: "docker", images };
        let version = client.version().await?;
        if version.components.iter().any(|component| component.name.starts_with("Podman")) {
            client.runtime = "podman";
        }
        Ok((client, version.version))
    }

    pub(super) fn runtime(&self) -> &str {
        self.runtime
    }

    pub(super) async fn version(&self) -> Result<Version, Error> {
        let version = self.get("/version", "/version").await?;
        version.ok_or_else(|| self.refused("/version", "there is no such page".to_owned()))
    }

    /// What is known of a container; none if the runtime does not know it.
    pub(super) async fn describe(&self, id: &ContainerId) -> Result<Option<Description>, Error> {
        let path = format!("/containers/{id}/json");
        let found: Option<Container> = self.get("/containers/{id}/json", &path).await?;
        // An id is looked up as a name and a prefix too: only what has the very id is meant.
        let Some(container) = found.filter(|container| container.id == id.as_str()) else {
            return Ok(None);
        };
        let image = match super::image::digest(&container.image) {
            // A container is still known without its image.
            Some(digest) => match self.image(&digest).await {
                Err(error) if !error.is_of_connection() => None,
                image => image?,
            },
            None => None,
        };
        Ok(Some(describe::container(id, self.runtime, &container, image)))
    }

    /// The ids of all containers, ended ones too.
    pub(super) async fn ids(&self) -> Result<Vec<ContainerId>, Error> {
        let path = "/containers/json?all=1";
        let listed: Option<Vec<Listed>> = self.get("/containers/json", path).await?;
        let all = listed.unwrap_or_default();
        Ok(all.iter().filter_map(|container| ContainerId::parse(&container.id)).collect())
    }

    /// Tells of every container that stops, until the connection ends.
    pub(super) async fn follow(&self, stopped: &mpsc::Sender<ContainerId>) -> Error {
        let mut response = match self.http.get(url(EVENTS)).send().await {
            Ok(response) if response.status().is_success() => response,
            Ok(response) if response.status() == StatusCode::NOT_FOUND => {
                let (endpoint, why) =
                    (self.endpoint.to_string(), "there is no such page".to_owned());
                return Error::Unimplemented { endpoint, call: "/events", why };
            }
            Ok(response) => return self.refused("/events", response.status().to_string()),
            Err(error) => return self.lost("/events", innermost(&error)),
        };
        let mut text = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => text.extend_from_slice(&chunk),
                Ok(None) => return self.lost("/events", "the runtime ended the stream".to_owned()),
                Err(error) => return self.lost("/events", innermost(&error)),
            }
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<_> = text.drain(..=end).collect();
                let Ok(event) = serde_json::from_slice::<Event>(&line) else { continue };
                if let Some(id) = ContainerId::parse(event.id())
                    && stopped.send(id).await.is_err()
                {
                    return self.lost("/events", "nobody listens any more".to_owned());
                }
            }
            if text.len() > LARGEST {
                return self.refused("/events", "an event has no end".to_owned());
            }
        }
    }

    async fn image(&self, digest: &str) -> Result<Option<Image>, Error> {
        if let Some(image) = self.images.get(digest) {
            return Ok(Some(image));
        }
        let image: Option<Image> =
            self.get("/images/{name}/json", &format!("/images/{digest}/json")).await?;
        if let Some(image) = &image {
            self.images.put(digest, image.clone());
        }
        Ok(image)
    }

    /// One answer; none for 404.
    async fn get<A: DeserializeOwned>(
        &self,
        call: &'static str,
        path: &str,
    ) -> Result<Option<A>, Error> {
        match timeout(self.timeout, self.read(call, path)).await {
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some(body))) => serde_json::from_slice(&body)
                .map(Some)
                .map_err(|error| self.refused(call, format!("the answer cannot be read: {error}"))),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::Timeout {
                endpoint: self.endpoint.to_string(),
                call,
                timeout: self.timeout,
            }),
        }
    }

    async fn read(&self, call: &'static str, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let lost = |error: reqwest::Error| self.lost(call, innermost(&error));
        let mut response = self.http.get(url(path)).send().await.map_err(lost)?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(
                    self.refused(call, format!("the answer has more than {} MiB", LARGEST >> 20))
                );
            }
        }
        if status.is_success() {
            return Ok(Some(body));
        }
        let said: String = String::from_utf8_lossy(&body).chars().take(200).collect();
        Err(self.refused(call, format!("{status} {}", said.trim())))
    }

    fn lost(&self, call: &'static str, why: String) -> Error {
        Error::Lost { endpoint: self.endpoint.to_string(), call, why }
    }

    fn refused(&self, call: &'static str, why: String) -> Error {
        Error::Refused { endpoint: self.endpoint.to_string(), call, why }
    }
}

/// The host is of no meaning on a Unix socket.
fn url(path: &str) -> String {
    format!("http://docker{path}")
}

/// The error that the others were made from: it says what happened.
fn innermost(error: &reqwest::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
