use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio::task::JoinSet;

use super::*;
use crate::drift::{Action, Node};
use crate::sink::Spool;
use crate::store::testing::{verified, write};
use crate::store::{HeadNote, Store, Write};

/// Names as somebody who attacks would choose them.
const HOSTILE: [&str; 9] = [
    "/plain",
    "/quote\"back\\slash]bracket[",
    "/new\nline\r\nand more",
    "/nul\0bell\x07escape\x1b[2J\x7f",
    "/%s{{ x }}{% y %}${z}#012",
    "/\\xff\\n",
    "/\u{e4}\u{202e}\u{1f980}\u{feff}",
    "/7 <34>1 - - - - - -",
    "/\u{85}\u{2028}",
];

fn objects() -> Vec<String> {
    let mut objects: Vec<_> = HOSTILE.iter().map(ToString::to_string).collect();
    objects.push("/".to_owned() + &"\u{1}x]".repeat(1365));
    objects
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
    let objects = objects();
    store.commit(objects.iter().map(|object| write(object)).collect()).await.unwrap();
    let events = verified(&store).await;
    assert_eq!(events.len(), objects.len());
    for (event, object) in events.iter().zip(&objects) {
        let frame = String::from_utf8(message::frame(event).unwrap()).unwrap();
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

#[test]
fn addresses_are_checked() {
    assert_eq!(Syslog::new("tcp://[::1]:601").unwrap().name(), "syslog:tcp://[::1]:601");
    for bad in ["logs:601", "tcp://logs", "udp://logs:514", "tcp://logs:601/x", "tcp://a@b:1", ""] {
        assert!(Syslog::new(bad).is_err(), "{bad}");
    }
}

/// Ended with the test, also where that fails.
struct Rsyslog(Child);

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _it_may_have_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

fn rsyslog(dir: &Path, port: u16, received: &Path) -> Rsyslog {
    let config = dir.join("rsyslog.conf");
    let text = format!(
        "global(workDirectory=\"{}\" maxMessageSize=\"256k\" \
         parser.escapeControlCharactersOnReceive=\"off\")\n\
         module(load=\"imtcp\")\n\
         input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
         template(name=\"all\" type=\"string\" \
         string=\"%pri% %app-name% %msgid% %structured-data% %msg%\\n\")\n\
         action(type=\"omfile\" file=\"{}\" template=\"all\")\n",
        dir.display(),
        received.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/sbin/rsyslogd");
    command.arg("-n").arg("-i").arg(dir.join("pid")).arg("-f").arg(&config);
    Rsyslog(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn rsyslog_gets_everything_also_what_happened_while_it_was_down() {
    if !Path::new("/usr/sbin/rsyslogd").exists() {
        eprintln!("SKIPPED: there is no rsyslog; `cargo xtask test` installs it");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = store_of(dir.path()).await;
    let received = dir.path().join("received");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    let sink = Syslog::new(&format!("tcp://127.0.0.1:{port}")).unwrap();
    spool.add(sink, &mut tasks).await.unwrap();
    // It is not there yet.
    let objects = objects();
    store.commit(objects.iter().map(|object| write(object)).collect()).await.unwrap();
    until(|| spool.status()[0].last_error.is_some()).await;
    let running = rsyslog(dir.path(), port, &received);
    until(|| lines(&received).len() >= objects.len()).await;
    until(|| spool.status()[0].queue_length == 0).await;
    // It goes, and comes back.
    drop(running);
    store.commit((0..300).map(|n| write(&format!("/{n}"))).collect()).await.unwrap();
    store.commit(vec![head()]).await.unwrap();
    until(|| spool.status()[0].last_error.is_some()).await;
    assert!(spool.status()[0].queue_length > 0);
    let _running = rsyslog(dir.path(), port, &received);
    let events = verified(&store).await;
    until(|| {
        let lines = lines(&received);
        events.iter().all(|event| lines.iter().any(|line| line.ends_with(&event.line)))
    })
    .await;
    // Of the chain's head it is said what it is, and no more.
    let of_chain =
        |line: &String| line.starts_with("86 driftline driftline.chain [driftline@32473 ");
    let heads = lines(&received).into_iter().filter(of_chain);
    assert!(heads.clone().count() > 0 && heads.clone().all(|line| !line.contains(" object=")));
    for (line, object) in lines(&received).iter().zip(&objects) {
        assert!(line.starts_with("85 driftline file.read [driftline@32473 "), "{line}");
        assert_eq!(object_of(line), *object);
    }
    spool.stop();
    while tasks.join_next().await.is_some() {}
}
