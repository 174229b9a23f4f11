//! `--http ADDR`: `/metrics`, `/healthz`, `/readyz`.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::{Health, Metrics};

/// Listens, and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(
        "cannot listen on {address}: {source}; give --http an address of this machine and a port \
         that is free, as in 0.0.0.0:9465"
    )]
    Bind { address: String, source: io::Error },
    #[error("the HTTP server on {address} ended: {source}")]
    Serve { address: SocketAddr, source: io::Error },
}

impl Server {
    /// `address`: a host or an address, and a port; port 0 is any that is free.
    pub async fn bind(address: &str) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Bind { address: address.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`. `refresh` is called before each look at the metrics, for what nobody pushes.
    pub async fn serve<R>(
        self,
        metrics: Metrics,
        health: Health,
        refresh: R,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServerError>
    where
        R: Fn(&Metrics) + Clone + Send + Sync + 'static,
    {
        let told = (metrics, refresh);
        let router =
            Router::new()
                .route("/metrics", get(show::<R>))
                .with_state(told)
                .route(
                    "/healthz",
                    get(|State(health): State<Health>| async move {
                        word(health.alive(Instant::now()))
                    }),
                )
                .route(
                    "/readyz",
                    get(|State(health): State<Health>| async move { word(health.ready()) }),
                )
                .with_state(health);
        axum::serve(self.listener, router)
            .with_graceful_shutdown(stop)
            .await
            .map_err(|source| ServerError::Serve { address: self.address, source })
    }
}

async fn show<R: Fn(&Metrics)>(State((metrics, refresh)): State<(Metrics, R)>) -> Response {
    refresh(&metrics);
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn word(answer: Result<String, String>) -> (StatusCode, String) {
    match answer {
        Ok(text) => (StatusCode::OK, text),
        Err(text) => (StatusCode::SERVICE_UNAVAILABLE, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(address: SocketAddr, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    #[tokio::test]
    async fn all_three_pages_answer() {
        let _is_there = rustls::crypto::ring::default_provider().install_default();
        let server = Server::bind("127.0.0.1:0").await.unwrap();
        let address = server.address();
        let health = Health::default();
        let metrics = Metrics::new(jiff::Timestamp::now()).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let refresh = |metrics: &Metrics| metrics.baselines(3);
        let answering = server.serve(metrics, health.clone(), refresh, async {
            let _gone_is_as_good = stopped.await;
        });
        let answering = tokio::spawn(answering);
        let (status, text) = get(address, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("\ndriftline_baselines 3\n"), "{text}");
        assert_eq!(get(address, "/healthz").await, (200, "alive\n".to_owned()));
        assert_eq!(get(address, "/readyz").await.0, 503);
        health.probes_loaded();
        health.store_open();
        assert_eq!(get(address, "/readyz").await, (200, "ready\n".to_owned()));
        assert_eq!(get(address, "/").await.0, 404);
        stop.send(()).unwrap();
        answering.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let first = Server::bind("127.0.0.1:0").await.unwrap();
        let error = Server::bind(&first.address().to_string()).await.unwrap_err().to_string();
        let address = first.address();
        assert!(error.starts_with(&format!("cannot listen on {address}: Address")), "{error}");
        assert!(error.contains("--http"), "{error}");
    }
}
