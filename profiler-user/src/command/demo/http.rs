//! As much HTTP as the demo's visitors speak.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The break-in's request takes the longest: all of its steps.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Answer {
    pub(super) status: u16,
}

pub(super) fn get(port: u16, path: &str) -> Result<Answer> {
    let mut stream =
        TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    // Not until the connection is closed: a program that the intruder leaves behind has inherited it.
    while !is_whole(&answer) {
        match stream.read(&mut buffer)? {
            0 => break,
            length => answer.extend_from_slice(&buffer[..length]),
        }
    }
    let status = parse_status(&answer).context("the demo's server did not answer in HTTP")?;
    Ok(Answer { status })
}

fn parse_status(answer: &[u8]) -> Option<u16> {
    let line = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    std::str::from_utf8(line).ok()?.parse().ok()
}

/// As nginx answers: with a length, or in chunks of which the last is empty.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    match length.and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None => body.ends_with("0\r\n\r\n"),
    }
}

/// As it may stand in a query.
pub(super) fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;

    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_it_says() {
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"));
        assert!(is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"));
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(!is_whole(format!("{head}2\r\n42\r\n").as_bytes()));
        assert!(is_whole(format!("{head}2\r\n42\r\n0\r\n\r\n").as_bytes()));
        assert_eq!(parse_status(head.as_bytes()), Some(200));
    }

    #[test]
    fn a_query_is_encoded() {
        assert_eq!(percent_encode("a 1;/"), "a%201%3B%2F");
    }
}
