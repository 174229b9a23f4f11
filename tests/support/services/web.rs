//! A Python web application under gunicorn: forms, sessions, uploads, templates, SQLite, a call to another service.

use std::{io, sync::OnceLock, thread, time::Duration};

use xtask::oci::Built;

use super::{
    Service,
    base::{self, User},
    client::{Answer, Client},
    life::{Life, Plan},
};
use crate::pods::ContainerSpec;

const PORT: u16 = 8000;
const WEB: u32 = 1000;

const PACKAGES: &[&str] = &[
    "libpython3-stdlib",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "media-types",
    "python3",
    "python3-click",
    "python3-flask",
    "python3-gunicorn",
    "python3-itsdangerous",
    "python3-jinja2",
    "python3-markupsafe",
    "python3-minimal",
    "python3-pkg-resources",
    "python3-werkzeug",
    "python3.11",
    "python3.11-minimal",
];

pub(super) struct Web;

impl Service for Web {
    fn name(&self) -> &'static str {
        "web"
    }

    fn image(&self) -> &'static Built {
        static IMAGE: OnceLock<Built> = OnceLock::new();
        IMAGE.get_or_init(|| {
            let mut image = base::image("web", "gunicorn", PACKAGES, &[], &[User("web", WEB)]);
            for template in ["index.html", "layout.html", "login.html"] {
                let text = base::asset(&format!("web/templates/{template}"));
                image = image.file(&format!("/srv/app/templates/{template}"), 0o644, text);
            }
            for place in ["/var/cache/web", "/var/log/web", "/run/web"] {
                image = image.owned_directory(place, 0o755, WEB);
            }
            base::built(
                image
                    .file("/srv/app/app.py", 0o644, base::asset("web/app.py"))
                    .file("/srv/app/gunicorn.conf.py", 0o644, base::asset("web/gunicorn.conf.py"))
                    .file("/usr/local/bin/rotate-logs", 0o755, base::asset("web/rotate-logs"))
                    // Without it Python writes compiled modules beside the sources, which are root's.
                    .env("PYTHONDONTWRITEBYTECODE", "1")
                    .user(WEB)
                    .entrypoint(&[
                        "/usr/bin/gunicorn",
                        "--config",
                        "/srv/app/gunicorn.conf.py",
                        "--chdir",
                        "/srv/app",
                        "app:app",
                    ]),
            )
        })
    }

    fn container(&self, container: ContainerSpec, plan: &mut Plan<'_>) -> ContainerSpec {
        let state = plan.empty_dir("state", WEB);
        plan.empty_dir("state/sessions", WEB);
        container
            .env("UPSTREAM", plan.surroundings.upstream)
            .mount(&state, "/var/lib/web", false)
            .mount(&plan.empty_dir("uploads", WEB), "/srv/uploads", false)
    }

    fn ready(&self, life: &mut Life<'_>) {
        life.wait_for(PORT, "the application answers", |client| {
            client.http("GET", "/healthz", &[], b"").is_ok_and(|answer| answer.status == 200)
        });
    }

    fn live(&self, life: &mut Life<'_>) {
        for round in 0..life.random.between(2, 3) {
            let clients = life.random.between(3, 5);
            life.clients(clients, PORT, |client| {
                visit(client).unwrap_or_else(|error| panic!("the application: {error}"));
            });
            life.exec(&["/usr/local/bin/rotate-logs"]);
            if round == 0 {
                life.exec(&["/bin/sh", "-c", "kill -HUP $(cat /run/web/gunicorn.pid)"]);
                thread::sleep(Duration::from_secs(1));
            }
            self.ready(life);
        }
    }

    /// Statements of Python, at the console that was left open.
    fn misuse(&self, life: &mut Life<'_>, words: &str) {
        life.clients(1, PORT, |client| {
            let _whatever_it_answers = client.http("POST", "/debug/console", &[], words.as_bytes());
        });
    }
}

/// A visitor who logs in, looks around, leaves something behind and, mostly, logs out.
fn visit(client: &mut Client) -> io::Result<()> {
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    client.http("GET", "/", &[], b"")?;
    expect(&client.http("POST", "/notes", &form, b"text=too+early")?, 403)?;
    let name = client.random.word();
    expect(&client.http("POST", "/login", &form, b"name=4711")?, 400)?;
    let answer = client.http("POST", "/login", &form, format!("name={name}").as_bytes())?;
    expect(&answer, 302)?;
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    let cookie = cookie.ok_or_else(|| io::Error::other("no session"))?.to_owned();
    let session = [("Cookie", cookie.as_str())];
    for _ in 0..client.random.between(6, 14) {
        let word = client.random.word();
        match client.random.below(8) {
            0 => {
                let headers = [session[0], form[0]];
                let text = format!("text={word}");
                expect(&client.http("POST", "/notes", &headers, text.as_bytes())?, 302)?;
            }
            1 => expect(&upload(client, &cookie, &word)?, 201)?,
            2 => expect(&client.http("GET", "/report", &session, b"")?, 200)?,
            3 => expect(&client.http("GET", &format!("/thumb/{word}"), &session, b"")?, 200)?,
            4 => expect(&client.http("GET", &format!("/stock/{word}"), &session, b"")?, 200)?,
            5 => expect(&client.http("GET", "/broken", &session, b"")?, 500)?,
            6 => expect(&client.http("GET", &format!("/uploads/{word}"), &session, b"")?, 404)?,
            _ => expect(&client.http("GET", "/", &session, b"")?, 200)?,
        }
    }
    if client.random.percent(80) {
        expect(&client.http("POST", "/logout", &session, b"")?, 302)?;
    }
    Ok(())
}

fn upload(client: &mut Client, cookie: &str, word: &str) -> io::Result<Answer> {
    let boundary = format!("----{}", client.random.hex(16));
    // Beyond half a megabyte it goes through a temporary file.
    let size = if client.random.percent(50) { 700_000 } else { client.random.between(1, 9000) };
    let kind = client.random.pick(&["png", "txt", "pdf"]).to_owned();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{word}.{kind}\"\r\n\r\n"
    );
    let end = format!("\r\n--{boundary}--\r\n");
    let body = [head.as_bytes(), &client.random.bytes(size), end.as_bytes()].concat();
    let kind = format!("multipart/form-data; boundary={boundary}");
    client.http("POST", "/uploads", &[("Cookie", cookie), ("Content-Type", &kind)], &body)
}

fn expect(answer: &Answer, status: u16) -> io::Result<()> {
    if answer.status == status {
        return Ok(());
    }
    Err(io::Error::other(format!("{status} expected: {}", answer.head)))
}
