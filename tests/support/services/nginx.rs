//! nginx: static files, uploads by `PUT`, a cached way to an upstream, rotated logs, a configuration that changes.

use std::{collections::BTreeMap, sync::OnceLock, thread, time::Duration};

use xtask::oci::Built;

use super::{
    Service,
    base::{self, User},
    client::Client,
    life::{Life, Plan},
};
use crate::pods::ContainerSpec;

const PORT: u16 = 80;
const WWW_DATA: u32 = 33;

/// Static pages, so many.
const PAGES: usize = 40;

pub(super) struct Nginx;

impl Service for Nginx {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn image(&self) -> &'static Built {
        static IMAGE: OnceLock<Built> = OnceLock::new();
        IMAGE.get_or_init(|| {
            let users = [User("www-data", WWW_DATA)];
            let mut image = base::image("nginx", "nginx", &["nginx-common"], &[], &users)
                .file("/etc/nginx/nginx.conf", 0o644, base::asset("nginx/nginx.conf"))
                .file("/usr/local/bin/rotate-logs", 0o755, base::asset("nginx/rotate-logs"))
                .file("/srv/www/index.html", 0o644, "<h1>A shop</h1>\n")
                .file("/srv/www/private/key.txt", 0o600, "nobody's\n")
                .directory("/etc/nginx/conf.d", 0o755)
                .directory("/var/log/nginx", 0o755)
                .directory("/var/lib/nginx", 0o755)
                .owned_directory("/var/cache/nginx", 0o700, WWW_DATA)
                .entrypoint(&["/usr/sbin/nginx"]);
            for page in 0..PAGES {
                let text = format!("<p>Article {page}</p>\n").repeat(page * 20 + 1);
                image = image
                    .file(&format!("/srv/www/articles/{page}.html"), 0o644, text.clone())
                    .file(&format!("/srv/www/style/part-{page}.css"), 0o644, text);
            }
            base::built(image)
        })
    }

    fn container(&self, container: ContainerSpec, plan: &mut Plan<'_>) -> ContainerSpec {
        let files = BTreeMap::from([("shop.conf".to_owned(), site(plan.surroundings.upstream, 0))]);
        container.mount(&plan.config_map(files), "/etc/nginx/conf.d", true).mount(
            &plan.empty_dir("uploads", WWW_DATA),
            "/srv/uploads",
            false,
        )
    }

    fn ready(&self, life: &mut Life<'_>) {
        life.wait_for(PORT, "nginx serves", |client| get(client, "/healthz") == Some(200));
    }

    fn live(&self, life: &mut Life<'_>) {
        let rounds = life.random.between(2, 3);
        for round in 0..rounds {
            let clients = life.random.between(3, 6);
            life.clients(clients, PORT, |client| {
                for _ in 0..client.random.between(15, 30) {
                    visit(client);
                }
            });
            // As a kubelet's probe comes.
            life.wait_for(PORT, "nginx is well", |client| get(client, "/healthz") == Some(200));
            life.exec(&["/usr/local/bin/rotate-logs"]);
            if round > 0 {
                let generation = life.random.between(1, 999);
                life.configure("shop.conf", site(life.surroundings.upstream, generation));
                life.exec(&["/usr/sbin/nginx", "-s", "reload"]);
            }
            thread::sleep(Duration::from_millis(300));
        }
    }

    fn misuse(&self, life: &mut Life<'_>, words: &str) {
        let request = words.replace("\r\n", "\n").replace('\n', "\r\n");
        life.clients(1, PORT, |client| {
            let _whatever_it_answers = client.raw(request.as_bytes());
        });
    }
}

fn site(upstream: &str, generation: usize) -> String {
    format!(
        "server {{
    listen 80 default_server;
    root /srv/www;
    add_header X-Generation {generation};
    client_body_buffer_size 8k;
    client_max_body_size 1m;
    location = /healthz {{ return 200 'well\\n'; }}
    location /private/ {{ deny 10.88.0.0/16; }}
    location /uploads/ {{
        root /srv;
        dav_methods PUT DELETE MKCOL MOVE;
        create_full_put_path on;
    }}
    location /api/ {{
        proxy_pass http://{upstream};
        proxy_cache api;
        proxy_cache_valid 200 1m;
        proxy_connect_timeout 2s;
        proxy_buffers 4 4k;
        proxy_buffer_size 4k;
        proxy_busy_buffers_size 8k;
    }}
}}
"
    )
}

fn get(client: &Client, path: &str) -> Option<u16> {
    client.http("GET", path, &[], b"").ok().map(|answer| answer.status)
}

/// One request as visitors of a shop make them, errors among them.
fn visit(client: &mut Client) {
    let random = &mut client.random;
    let number = random.below(PAGES);
    let (name, day) = (random.hex(16), random.between(1, 28));
    let upload = format!("/uploads/2026-11-{day:02}/{}-{name}.bin", random.word());
    let size = random.between(1, 60_000);
    let body = random.bytes(size);
    let gzip = [("Accept-Encoding", "gzip")];
    let deed = random.below(12);
    let answer = match deed {
        0..=2 => client.http("GET", &format!("/articles/{number}.html"), &gzip, b""),
        3 => client.http("GET", &format!("/style/part-{number}.css"), &gzip, b""),
        4 => client.http("HEAD", "/", &[], b""),
        5 => client.http("GET", "/articles/0.html", &[("Range", "bytes=2-9")], b""),
        6 => client.http("PUT", &upload, &[], &body).and_then(|_| {
            client.http("GET", &upload, &[], b"")?;
            client.http("DELETE", &upload, &[], b"")
        }),
        7 => client.http("GET", &format!("/api/items/{name}?size={size}"), &[], b""),
        8 => client.http("GET", &format!("/api/missing/{name}"), &[], b""),
        9 => client.http("GET", &format!("/{name}.php"), &[], b""),
        10 => client.http("POST", "/articles/", &[], &body),
        _ => match size % 3 {
            0 => client.raw(b"NOT HTTP AT ALL\r\n\r\n"),
            1 => client.http("GET", "/private/key.txt", &[], b""),
            _ => client.http("GET", "/../../etc/passwd", &[], b""),
        },
    };
    if let Ok(answer) = answer {
        assert!(answer.status < 500, "deed {deed}: {}", answer.head);
    }
}
