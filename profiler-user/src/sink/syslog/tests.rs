use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::*;
use crate::drift::{Action, Node};
use crate::sink::{Spool, hostile};
use crate::store::testing::{verified, write};
use crate::store::{HeadNote, Store, Write};

mod rsyslog;
mod slow;

/// Those who sign `server.pem`, the certificate of 127.0.0.1.
fn make_authorities(dir: &Path) -> PathBuf {
    let sign = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
         -subj /CN=authority -keyout ca.key -out ca.pem \
         -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign && \
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=logs \
         -keyout server.key -out server.csr && \
         printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > ext && \
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
         -extfile ext -out server.pem";
    let output = Command::new("sh").args(["-c", sign]).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    dir.join("ca.pem")
}

async fn store_of(dir: &Path) -> Store {
    Store::open(&dir.join("store")).await.unwrap()
}

async fn until(mut condition: impl FnMut() -> bool) {
    timeout(Duration::from_secs(20), async {
        while !condition() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
}

/// What stands between the brackets, with both kinds of escapes undone.
fn object_of(message: &str) -> String {
    let (_, rest) = message.split_once(" object=\"").unwrap();
    let mut inside = String::new();
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => inside.push(characters.next().unwrap()),
            '"' => break,
            other => inside.push(other),
        }
    }
    serde_json::from_str(&format!("\"{inside}\"")).unwrap()
}

fn head() -> Write {
    let machine = Node { host_name: "node-1".to_owned(), name: None, cluster: None };
    let id = ulid::Ulid::new();
    Write::Head(Box::new(HeadNote { id, action: Action::Created, machine }))
}

#[tokio::test]
async fn hostile_names_are_unambiguous_in_the_structured_data_and_in_the_message() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_of(dir.path()).await;
    let objects = hostile::names();
    store.commit(objects.iter().map(|object| write(object)).collect()).await.unwrap();
    let events = verified(&store).await;
    assert_eq!(events.len(), objects.len());
    for (event, object) in events.iter().zip(&objects) {
        let frame = String::from_utf8(message::frame(event)).unwrap();
        let (length, message) = frame.split_once(' ').unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), message.len());
        assert!(
            message.starts_with("<85>1 2026-11-21T20:59:01.123456Z node-1 driftline - file.read ["),
            "{message}"
        );
        assert_eq!(object_of(message), *object);
        let mark = if event.line.is_ascii() { "" } else { "\u{feff}" };
        assert!(message.ends_with(&format!("] {mark}{}", event.line)), "{message}");
        // Nothing in it ends a line or begins a sequence of a terminal; DEL and C1 are text, as JSON has them.
        assert!(!message.chars().any(|character| character < ' '), "{message}");
    }
}

#[tokio::test]
async fn trying_it_out_connects_and_sends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sink = Syslog::new(&format!("tcp://{}", listener.local_addr().unwrap()), None).unwrap();
    sink.try_out().await.unwrap().unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    drop((sink, listener));
    assert_eq!(std::io::Read::read(&mut peer, &mut [0; 9]).unwrap(), 0);
}

#[test]
fn addresses_are_checked() {
    assert_eq!(Syslog::new("tcp://[::1]:601", None).unwrap().name(), "syslog:tcp://[::1]:601");
    let here = tempfile::tempdir().unwrap();
    let authorities = make_authorities(here.path());
    for (url, name) in [
        ("tls://logs.example", "syslog:tls://logs.example:6514"),
        ("tls://[::1]:10514", "syslog:tls://[::1]:10514"),
    ] {
        assert_eq!(Syslog::new(url, Some(&authorities)).unwrap().name(), name);
    }
    std::fs::write(here.path().join("empty"), "no certificate").unwrap();
    for (file, why) in [("empty", "empty holds no certificate"), ("absent", "absent: ")] {
        let error = Syslog::new("tls://logs", Some(&here.path().join(file))).err().unwrap();
        assert!(error.to_string().contains(why), "{error}");
    }
    for bad in [
        "tls://a_b c",
        "tls://logs/x",
        "logs:601",
        "tcp://logs",
        "udp://logs:514",
        "tcp://logs:601/x",
        "tcp://a@b:1",
        "",
    ] {
        assert!(Syslog::new(bad, None).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_line_that_is_none_of_ours_goes_out_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_of(dir.path()).await;
    store.commit(vec![write("/a")]).await.unwrap();
    let event = verified(&store).await.remove(0);
    for line in ["{\"event.id\":5}", "not\nJSON", ""] {
        let event = StoredEvent { line: line.to_owned(), ..event.clone() };
        let frame = String::from_utf8(message::frame(&event)).unwrap();
        assert!(frame.contains(" severity=\"low\" kind=\"file.read\"] "), "{frame}");
        assert!(frame.ends_with(&format!("] {line}")), "{frame}");
    }
}
