//! A runtime that speaks Docker's API: HTTP/1.1 by hand.

use std::{collections::HashMap, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::broadcast,
};

use super::{Place, Serving};

/// Answers by path; `/events` is kept open and told what is sent to `events`.
pub(super) fn serve(
    place: &Place,
    pages: HashMap<String, String>,
    events: &broadcast::Sender<String>,
) -> Serving {
    let (pages, events) = (Arc::new(pages), events.clone());
    place.serve(move |stream| connection(stream, Arc::clone(&pages), events.subscribe()))
}

async fn connection(
    mut stream: UnixStream,
    pages: Arc<HashMap<String, String>>,
    mut events: broadcast::Receiver<String>,
) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).await {
            Ok(length) if length > 0 => request.extend_from_slice(&buffer[..length]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match pages.get(path) {
        // HTTP/2's greeting is answered like this by servers that do not speak it.
        _ if request.starts_with("PRI ") => ("400 Bad Request", String::new()),
        Some(body) => ("200 OK", body.clone()),
        None if path.starts_with("/events?") => {
            let _gone =
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            while let Ok(event) = events.recv().await {
                let chunk = format!("{:x}\r\n{event}\n\r\n", event.len() + 1);
                if stream.write_all(chunk.as_bytes()).await.is_err() {
                    break;
                }
            }
            return;
        }
        None => ("404 Not Found", r#"{"message":"no such thing"}"#.to_owned()),
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _gone = stream.write_all(format!("{head}{body}").as_bytes()).await;
}
