//! Debian's rsyslog, where it is installed.

use std::process::{Child, Stdio};

use super::*;

/// Ended with the test, also where that fails.
struct Rsyslog(Child);

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _it_may_have_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// `tls`: with the certificate that [`make_authorities`] left in `dir`.
fn rsyslog(dir: &Path, port: u16, received: &Path, tls: bool) -> Rsyslog {
    let config = dir.join("rsyslog.conf");
    let here = dir.display();
    let (files, mode) = if tls {
        let files = format!(
            "defaultNetstreamDriver=\"ossl\" defaultNetstreamDriverCAFile=\"{here}/ca.pem\" \
             defaultNetstreamDriverCertFile=\"{here}/server.pem\" \
             defaultNetstreamDriverKeyFile=\"{here}/server.key\" "
        );
        let mode =
            "streamDriver.name=\"ossl\" streamDriver.mode=\"1\" streamDriver.authMode=\"anon\"";
        (files, mode)
    } else {
        (String::new(), "")
    };
    let text = format!(
        "global({files}workDirectory=\"{}\" maxMessageSize=\"256k\" \
         parser.escapeControlCharactersOnReceive=\"off\")\n\
         module(load=\"imtcp\" {mode})\n\
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
    everything_comes(false).await;
}

#[tokio::test]
async fn rsyslog_gets_everything_over_tls_too() {
    let mut libraries = std::fs::read_dir("/usr/lib").unwrap().flatten();
    if libraries.any(|one| one.path().join("rsyslog/lmnsd_ossl.so").exists()) {
        everything_comes(true).await;
    } else {
        eprintln!("SKIPPED: rsyslog has no OpenSSL; `cargo xtask test` installs it");
    }
}

async fn everything_comes(tls: bool) {
    if !Path::new("/usr/sbin/rsyslogd").exists() {
        eprintln!("SKIPPED: there is no rsyslog; `cargo xtask test` installs it");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = store_of(dir.path()).await;
    let received = dir.path().join("received");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (mut spool, mut tasks) = (Spool::new(store.clone()), JoinSet::new());
    let (scheme, authorities) =
        if tls { ("tls", Some(make_authorities(dir.path()))) } else { ("tcp", None) };
    let url = format!("{scheme}://127.0.0.1:{port}");
    let sink = Syslog::new(&url, authorities.as_deref()).unwrap();
    spool.add(sink, &mut tasks).await.unwrap();
    // It is not there yet.
    let objects = hostile::names();
    store.commit(objects.iter().map(|object| write(object)).collect()).await.unwrap();
    until(|| spool.status()[0].last_error.is_some()).await;
    let running = rsyslog(dir.path(), port, &received, tls);
    until(|| lines(&received).len() >= objects.len()).await;
    until(|| spool.status()[0].queue_length == 0).await;
    // It goes, and comes back.
    drop(running);
    store.commit((0..300).map(|n| write(&format!("/{n}"))).collect()).await.unwrap();
    store.commit(vec![head()]).await.unwrap();
    until(|| spool.status()[0].last_error.is_some()).await;
    assert!(spool.status()[0].queue_length > 0);
    let _running = rsyslog(dir.path(), port, &received, tls);
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
    if tls {
        a_stranger_is_refused(&url).await;
    }
    for (line, object) in lines(&received).iter().zip(&objects) {
        assert!(line.starts_with("85 driftline file.read [driftline@32473 "), "{line}");
        assert_eq!(object_of(line), *object);
    }
    spool.stop();
    while tasks.join_next().await.is_some() {}
}

/// Somebody else's authority did not sign it, and its name is not what it was called.
async fn a_stranger_is_refused(url: &str) {
    let elsewhere = tempfile::tempdir().unwrap();
    let others = make_authorities(elsewhere.path());
    let mut sink = Syslog::new(url, Some(&others)).unwrap();
    let error = sink.try_out().await.unwrap().unwrap_err().to_string();
    assert!(error.contains(" fails: its certificate is not to be believed: "), "{error}");
    assert!(error.contains("look at --syslog-ca"), "{error}");
}
