//! `PostgreSQL`: a shop's tables, sorts that spill to disk, vacuum, archived WAL, dumps, rotated logs.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::TcpStream,
    sync::OnceLock,
};

use xtask::oci::Built;

use super::{
    Service,
    base::{self, User},
    client::Client,
    life::{Life, Plan},
};
use crate::pods::ContainerSpec;

const PORT: u16 = 5432;
const POSTGRES: u32 = 105;
const PASSWORD: &str = "correct-horse";

pub(super) struct PostgreSql;

impl Service for PostgreSql {
    fn name(&self) -> &'static str {
        "postgresql"
    }

    fn image(&self) -> &'static Built {
        static IMAGE: OnceLock<Built> = OnceLock::new();
        IMAGE.get_or_init(|| {
            let lib = "/usr/lib/postgresql/15/lib";
            // Compiling queries takes a library larger than all the rest.
            let without = [format!("{lib}/bitcode"), format!("{lib}/llvmjit.so")];
            let without: Vec<_> = without.iter().map(String::as_str).collect();
            let image = base::image(
                "postgresql",
                "postgresql-15",
                &["postgresql-client-15", "tzdata"],
                &without,
                &[User("postgres", POSTGRES)],
            );
            base::built(
                image
                    .file("/usr/local/bin/entrypoint", 0o755, base::asset("postgresql/entrypoint"))
                    .file("/usr/local/bin/backup", 0o755, base::asset("postgresql/backup"))
                    .directory("/etc/postgresql", 0o755)
                    .owned_directory("/var/log/postgresql", 0o755, POSTGRES)
                    .owned_directory("/var/lib/postgresql", 0o755, POSTGRES)
                    .owned_directory("/var/lib/postgresql/backup", 0o755, POSTGRES)
                    .owned_directory("/run/postgresql", 0o755, POSTGRES)
                    .link("/var/run", "/run")
                    .env("PGDATA", "/var/lib/postgresql/data/main")
                    .user(POSTGRES)
                    .entrypoint(&["/usr/local/bin/entrypoint"]),
            )
        })
    }

    fn container(&self, container: ContainerSpec, plan: &mut Plan<'_>) -> ContainerSpec {
        let hba = "local all all peer\nhost all all 0.0.0.0/0 password\n";
        let files = [
            ("postgresql.conf", settings(64)),
            ("pg_hba.conf", hba.to_owned()),
            ("password", PASSWORD.to_owned()),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text));
        container.mount(&plan.config_map(BTreeMap::from(files)), "/etc/postgresql", true).mount(
            &plan.empty_dir("data", POSTGRES),
            "/var/lib/postgresql/data",
            false,
        )
    }

    fn ready(&self, life: &mut Life<'_>) {
        life.wait_for(PORT, "PostgreSQL answers", |client| query(client, &["SELECT 1"]).is_ok());
    }

    fn live(&self, life: &mut Life<'_>) {
        let ready = "/usr/lib/postgresql/15/bin/pg_isready";
        life.clients(1, PORT, |client| query(client, TABLES).expect("the tables are made"));
        for round in 0..life.random.between(2, 3) {
            let clients = life.random.between(3, 5);
            life.clients(clients, PORT, |client| {
                let statements: Vec<_> =
                    (0..client.random.between(8, 16)).map(|_| statement(client)).collect();
                let statements: Vec<_> = statements.iter().map(String::as_str).collect();
                query(client, &statements).unwrap_or_else(|error| panic!("PostgreSQL: {error}"));
            });
            life.exec(&[ready, "--quiet"]);
            let upkeep: &[&str] = match round {
                0 => &["CHECKPOINT", "SELECT pg_switch_wal()", "SELECT pg_rotate_logfile()"],
                _ => &["VACUUM (ANALYZE) orders", "REINDEX TABLE orders", "CHECKPOINT"],
            };
            life.clients(1, PORT, |client| query(client, upkeep).expect("upkeep"));
            if round == 0 {
                let memory = life.random.between(64, 200);
                life.configure("postgresql.conf", settings(memory));
                life.clients(1, PORT, |client| {
                    query(client, &["SELECT pg_reload_conf()"]).expect("it reloads");
                });
                life.exec(&["/usr/local/bin/backup"]);
            }
        }
    }

    /// A statement in each line.
    fn misuse(&self, life: &mut Life<'_>, words: &str) {
        life.clients(1, PORT, |client| {
            let _whatever_it_answers = query(client, &words.lines().collect::<Vec<_>>());
        });
    }
}

fn settings(memory: usize) -> String {
    format!(
        "listen_addresses = '*'
hba_file = '/etc/postgresql/pg_hba.conf'
unix_socket_directories = '/run/postgresql'
shared_buffers = 16MB
work_mem = {memory}kB
max_connections = 30
min_parallel_table_scan_size = 0
parallel_setup_cost = 0
autovacuum_naptime = 2s
fsync = off
jit = off
logging_collector = on
log_directory = '/var/log/postgresql'
log_filename = 'postgresql-%Y-%m-%d_%H%M%S.log'
log_min_duration_statement = 50ms
archive_mode = on
archive_command = 'cp %p /var/lib/postgresql/data/archive/%f'
"
    )
}

const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS orders (id bigserial PRIMARY KEY, customer text, amount int, made timestamptz DEFAULT now())",
    "CREATE INDEX IF NOT EXISTS by_customer ON orders (customer)",
    "INSERT INTO orders (customer, amount) SELECT 'c' || n % 97, n FROM generate_series(1, 3000) n",
    "ANALYZE orders",
];

/// One statement as a shop and its analysts make them, errors among them.
fn statement(client: &mut Client) -> String {
    let random = &mut client.random;
    let (customer, amount) = (random.word(), random.between(1, 9000));
    let table = format!("report_{}_{}", random.word(), random.hex(4));
    match random.below(12) {
        0..=2 => format!(
            "INSERT INTO orders (customer, amount) SELECT '{customer}', n FROM generate_series(1, {}) n",
            amount / 20 + 1
        ),
        3 => format!("SELECT * FROM orders WHERE customer = '{customer}'"),
        4 => "SELECT customer, sum(amount) FROM orders GROUP BY customer ORDER BY 2 DESC LIMIT 5"
            .into(),
        // More than fits into the memory of a sort.
        5 => format!("SELECT md5(id::text || '{customer}') AS h FROM orders ORDER BY h LIMIT 3"),
        6 => format!("UPDATE orders SET amount = amount + 1 WHERE id % 50 = {}", amount % 50),
        7 => format!("CREATE TEMP TABLE {table} AS SELECT * FROM orders LIMIT {amount}"),
        8 => format!("CREATE TABLE {table} AS SELECT * FROM orders LIMIT 50; DROP TABLE {table}"),
        9 => format!("BEGIN; DELETE FROM orders WHERE id = {amount}; ROLLBACK"),
        10 => format!("SELECT * FROM no_such_table_{customer}"),
        _ => format!(
            "SELECT count(*) FROM orders a JOIN orders b USING (customer) WHERE a.id < {}",
            amount / 30
        ),
    }
}

/// Statements on one connection, by the simple query protocol. What a statement fails by is the server's affair;
/// an error is that the connection failed.
fn query(client: &Client, statements: &[&str]) -> io::Result<()> {
    let mut stream = client.connect()?;
    let parameters = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    let length = u32::try_from(parameters.len() + 4).expect("short");
    stream.write_all(&[&length.to_be_bytes()[..], parameters].concat())?;
    until_ready(&mut stream)?;
    for statement in statements {
        send(&mut stream, b'Q', statement)?;
        until_ready(&mut stream)?;
    }
    stream.write_all(b"X\0\0\0\x04")
}

fn send(stream: &mut TcpStream, kind: u8, text: &str) -> io::Result<()> {
    let length = u32::try_from(text.len() + 5).expect("short");
    stream.write_all(&[&[kind][..], &length.to_be_bytes(), text.as_bytes(), b"\0"].concat())
}

/// Reads messages until the server waits for the next statement, and gives it the password when it asks.
fn until_ready(stream: &mut TcpStream) -> io::Result<()> {
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let length = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
        let mut body = vec![0; length.ok_or_else(|| io::Error::other("a message without length"))?];
        stream.read_exact(&mut body)?;
        match head[0] {
            b'R' if body == 3_u32.to_be_bytes() => send(stream, b'p', PASSWORD)?,
            b'Z' => return Ok(()),
            _ => {}
        }
    }
}
