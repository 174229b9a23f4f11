//! The store that nodes share, asked by the command line: away, silent, encrypted, and asked for what would harm it.

use std::{
    ffi::OsString,
    fs,
    io::Write as _,
    net::TcpListener,
    os::unix::ffi::OsStringExt as _,
    path::Path,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use support::{
    fleet::{command, filled, said, ship},
    postgres::{PASSWORD, Postgres},
};

/// Where the server with a certificate listens: no other test uses this address.
const HOST: &str = "127.0.1.201";

/// Ten seconds for a silent one, and a machine with other work.
const BOUND: Duration = Duration::from_secs(30);

/// One sentence that has all of `words`, and nothing on standard output.
fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(output.stdout.is_empty(), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

/// Every question, about whatever this is.
fn questions(id: &str) -> Vec<Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let mut all: Vec<Vec<String>> =
        ["timeline", "scope", "lateral", "report"].map(|question| words(&[question])).into();
    all.extend(
        ["seen", "scope", "before", "members", "container"].map(|question| words(&[question, id])),
    );
    all
}

#[test]
fn a_database_that_is_not_there_is_told_of_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_port = silent.local_addr().expect("bound").port();
    // Something else that answers whoever comes.
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let other_port = other.local_addr().expect("bound").port();
    thread::spawn(move || {
        for mut stream in other.incoming().flatten() {
            let _whoever_it_was = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n");
        }
    });
    let directory = tempfile::tempdir().expect("a directory");
    let nothing = directory.path().display().to_string().replace('/', "%2F");
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let begun = Instant::now();
    let mut asked = Vec::new();
    for (host, words) in [
        (format!("127.0.0.1:{silent_port}"), "it does not answer"),
        (format!("127.0.0.1:{other_port}"), "the fleet's store"),
        ("127.0.0.1:1".to_owned(), "Connection refused"),
        (nothing, "No such file"),
        ("no-such-host.invalid".to_owned(), "cannot reach"),
    ] {
        let url = format!("postgres://driftline:{PASSWORD}@{host}/driftline");
        for question in questions(id) {
            let child = command(["investigate"]).args(&question).args(["--store", &url]).spawn();
            asked.push((words, child.expect("driftline runs")));
        }
    }
    for (words, child) in asked {
        let output = child.wait_with_output().expect("a child");
        assert_refused(&output, 124, &["driftline: ", words]);
    }
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    drop(silent);
}

/// What only a node's directory has is not looked for in a directory that is called like a database.
#[test]
fn what_is_asked_of_a_node_is_not_asked_of_the_shared_store() {
    let place = tempfile::tempdir().expect("a directory");
    let (home, away) = (place.path().join("home"), place.path().join("away"));
    fs::create_dir(&away).expect("a directory");
    let id = filled(&home);
    let url = format!("postgres://driftline:{PASSWORD}@127.0.0.1:1/driftline");
    let verify = ["investigate", "verify-log", "--json"];
    let silences = ["silence", "list"];
    for words in [
        &verify[..],
        &silences,
        &["check", "--json"],
        &["canary"],
        &["replay"],
        &["evidence", "list"],
        &["evidence", "collect", "--node"],
        &["baseline", "approve", &id, "--reason", "it is known"],
        &["silence", "add", "--for", "1h", "--reason", "it is known", "--kind", "exec"],
    ] {
        for by_environment in [false, true] {
            let mut command = command(words);
            if by_environment {
                command.env("DRIFTLINE_STORE", &url);
            } else {
                command.args(["--store", &url]);
            }
            let output = command.current_dir(&away).output().expect("driftline runs");
            let said = said(&output);
            assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
            assert!(said.contains("give --store that node's --spool"), "{words:?}: {said}");
            assert!(said.contains("postgres://127.0.0.1:1/driftline"), "{words:?}: {said}");
        }
        let mut help = command(&words[..words.len().min(2)]);
        help.arg("--help").env("DRIFTLINE_STORE", &url);
        said(&help.output().expect("driftline runs"));
    }
    assert_eq!(fs::read_dir(&away).expect("readable").count(), 0);
    // As in the agent's own pod.
    for words in [&verify[..], &silences] {
        let mut command = command(words);
        command.env("DRIFTLINE_STORE", &url).env("DRIFTLINE_SPOOL", &home);
        let output = command.output().expect("driftline runs");
        assert!(output.status.success(), "{words:?}: {}", said(&output));
    }
    for bad in ["postgres://driftline:right-secret@h:99999999/db", "postgres://right-secret@[::"] {
        let output = command(["investigate", "timeline", "--store", bad]).output();
        let output = output.expect("driftline runs");
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("it looks like postgres://"), "{said}");
    }
}

fn openssl(directory: &Path, words: &str) {
    let mut openssl = Command::new("openssl");
    let made = openssl.args(words.split_whitespace()).current_dir(directory).output();
    let made = made.expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn the_way_there_is_encrypted_and_the_server_is_who_it_says() {
    const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2";
    let server = Postgres::start_with(|directory| {
        for name in ["ca", "other"] {
            let files = format!("-keyout {name}.key -out {name}.pem");
            openssl(directory, &format!("req -x509 {KEY} -subj /CN={name} {files}"));
        }
        let host = format!("-subj /CN=db -addext subjectAltName=IP:{HOST}");
        let usage = "-addext extendedKeyUsage=serverAuth -addext basicConstraints=CA:FALSE";
        let by = "-CA ca.pem -CAkey ca.key -keyout own.key -out own.crt";
        openssl(directory, &format!("req -x509 {KEY} {host} {usage} {by}"));
        let file = |name: &str| directory.join(name).display().to_string();
        vec![
            format!("listen_addresses={HOST},127.0.1.202"),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", file("own.crt")),
            format!("ssl_key_file={}", file("own.key")),
        ]
    });
    let url = |host: &str, ca: &str| {
        let ca = server.directory().join(ca).display().to_string();
        format!(
            "postgres://driftline:{PASSWORD}@{host}/postgres?sslmode=verify-full&sslrootcert={ca}"
        )
    };
    let home = tempfile::tempdir().expect("a directory");
    let id = filled(home.path());
    let (right, wrong) = (url(HOST, "ca.pem"), url(HOST, "other.pem"));
    // By the other address it is somebody else.
    let elsewhere = url("127.0.1.202", "ca.pem");
    for bad in [&wrong, &elsewhere] {
        let error = ship(home.path(), bad).expect_err("it is not to be believed").to_string();
        assert!(error.contains("no encrypted connection"), "{error}");
        assert!(error.contains("PGSSLROOTCERT") && !error.contains(PASSWORD), "{error}");
    }
    let tables = "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'events'";
    assert_eq!(server.ask(tables), "0");
    ship(home.path(), &right).expect("it is who it says");
    assert_eq!(server.ask("SELECT COUNT(*) FROM events WHERE id <> ''"), "1");
    for (url, code) in [(&right, 0), (&wrong, 124), (&elsewhere, 124)] {
        let output = command(["investigate", "timeline", "--json", "--store", url]).output();
        let output = output.expect("driftline runs");
        if code == 0 {
            assert!(output.status.success(), "{}", said(&output));
            assert!(String::from_utf8_lossy(&output.stdout).contains(&id));
        } else {
            assert_refused(&output, code, &["no encrypted connection"]);
        }
    }
    // As the environment of a pod has it.
    let bare = format!("postgres://driftline@{HOST}/postgres?sslmode=verify-full");
    let output = command(["investigate", "timeline", "--json"])
        .env("DRIFTLINE_STORE", bare)
        .env("PGPASSWORD", PASSWORD)
        .env("PGSSLROOTCERT", server.directory().join("ca.pem"))
        .output()
        .expect("driftline runs");
    assert!(output.status.success(), "{}", said(&output));
}

/// Both stores, asked with the same words, hold afterwards what they held before.
#[test]
fn no_flag_is_part_of_a_statement() {
    let server = Postgres::start();
    let home = tempfile::tempdir().expect("a directory");
    let id = filled(home.path());
    ship(home.path(), &server.url()).expect("it takes it");
    let held = || {
        ["events", "containers", "drifts", "evidence", "gaps", "losses", "histories"].map(|table| {
            server.ask(&format!(
                "SELECT COUNT(*), MD5(STRING_AGG(t::text, '' ORDER BY t::text)) FROM {table} t"
            ))
        })
    };
    let before = held();
    let mut texts: Vec<OsString> =
        ["'; DROP TABLE events; --", "' OR '1'='1", "%", "_", "\\", "\\'", "$1", "\u{1b}[2J", ""]
            .map(OsString::from)
            .into();
    texts.push("'".repeat(4096).into());
    texts.push(OsString::from_vec(b"\xff\xfe'".to_vec()));
    let flags = [
        "--namespace",
        "--pod",
        "--workload",
        "--container",
        "--image",
        "--digest",
        "--node",
        "--kind",
        "--severity",
        "--technique",
        "--fingerprint",
        "--from",
        "--until",
    ];
    let stores = [home.path().display().to_string(), server.url()];
    for text in &texts {
        for store in &stores {
            let children: Vec<_> = flags
                .iter()
                .map(|flag| {
                    let mut asked =
                        command(["investigate", "timeline", "--json", "--store", store]);
                    let mut value = OsString::from(format!("{flag}="));
                    value.push(text);
                    (flag, asked.arg(value).spawn().expect("driftline runs"))
                })
                .collect();
            for (flag, child) in children {
                let output = child.wait_with_output().expect("a child");
                let said = said(&output);
                let code = output.status.code();
                let told = String::from_utf8_lossy(&output.stdout);
                // Nothing fits, or what was given is no such thing.
                assert!(matches!(code, Some(0 | 2 | 124)), "{flag} {text:?}: {code:?} {said}");
                assert_eq!(
                    code == Some(0),
                    said == "driftline: the history holds nothing of that\n",
                    "{flag} {text:?}: {code:?} {said}"
                );
                assert!(!told.contains(&id), "{flag} {text:?}: {told}");
                assert!(
                    !said.contains("syntax") && !said.contains("panicked"),
                    "{flag} {text:?}: {said}"
                );
            }
        }
    }
    for question in ["seen", "scope", "before", "members", "container"] {
        for text in &texts {
            for store in &stores {
                let output = command(["investigate", question, "--store", store])
                    .arg("--")
                    .arg(text)
                    .output()
                    .expect("driftline runs");
                let said = said(&output);
                assert!(
                    matches!(output.status.code(), Some(2 | 124)),
                    "{question} {text:?}: {said}"
                );
                assert!(!said.contains("syntax"), "{question} {text:?}: {said}");
            }
        }
    }
    assert_eq!(held(), before);
    let proof = command(["investigate", "verify-log", "--json", "--store", &stores[0]]).output();
    let proof = proof.expect("driftline runs");
    assert!(proof.status.success(), "{}", said(&proof));
}

/// What README says that agents and those who ask have to be allowed, and no more.
#[test]
fn an_agent_writes_rows_and_whoever_asks_reads_them() {
    let server = Postgres::start();
    let home = tempfile::tempdir().expect("a directory");
    let id = filled(home.path());
    let url = |user: &str| server.url().replace("driftline:", &format!("{user}:"));
    for user in ["agent", "reader"] {
        server.ask(&format!("CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'"));
    }
    let error = ship(home.path(), &url("agent")).expect_err("it may not make tables").to_string();
    assert!(error.contains("permission denied") && error.contains("may do there"), "{error}");
    // Whoever owns the database prepares it.
    ship(home.path(), &server.url()).expect("it may do all");
    let tables = "ON ALL TABLES IN SCHEMA public TO";
    server.ask(&format!("GRANT SELECT, INSERT, UPDATE, DELETE {tables} agent"));
    server.ask(&format!("GRANT SELECT {tables} reader"));
    let second = filled(home.path());
    ship(home.path(), &url("agent")).expect("it may write rows");
    let error = ship(home.path(), &url("reader")).expect_err("it may only read").to_string();
    assert!(error.contains("permission denied"), "{error}");
    let asked = command(["investigate", "timeline", "--json", "--store", &url("reader")]).output();
    let asked = asked.expect("driftline runs");
    let told = String::from_utf8_lossy(&asked.stdout);
    assert!(told.contains(&id) && told.contains(&second), "{told}{}", said(&asked));
}
