//! Redis: keys of all sorts, snapshots and an append-only file, a log that is rotated.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::OnceLock,
    thread,
    time::Duration,
};

use xtask::oci::Built;

use super::{
    Service,
    base::{self, User},
    client::Client,
    life::{Life, Plan},
    random::Random,
};
use crate::pods::ContainerSpec;

const PORT: u16 = 6379;
const REDIS: u32 = 101;

pub(super) struct Redis;

impl Service for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn image(&self) -> &'static Built {
        static IMAGE: OnceLock<Built> = OnceLock::new();
        IMAGE.get_or_init(|| {
            let image = base::image(
                "redis",
                "redis-server",
                &["redis-tools"],
                &[],
                &[User("redis", REDIS)],
            );
            base::built(
                image
                    .directory("/etc/redis", 0o755)
                    .file("/etc/redis/redis.conf", 0o644, base::asset("redis/redis.conf"))
                    .file("/usr/local/bin/rotate-log", 0o755, base::asset("redis/rotate-log"))
                    .owned_directory("/var/log/redis", 0o755, REDIS)
                    .owned_directory("/data", 0o755, REDIS)
                    .user(REDIS)
                    .entrypoint(&["/usr/bin/redis-server", "/etc/redis/redis.conf"]),
            )
        })
    }

    fn container(&self, container: ContainerSpec, plan: &mut Plan<'_>) -> ContainerSpec {
        container.mount(&plan.empty_dir("data", REDIS), "/data", false)
    }

    fn ready(&self, life: &mut Life<'_>) {
        life.wait_for(PORT, "redis answers", is_well);
    }

    fn live(&self, life: &mut Life<'_>) {
        for _ in 0..life.random.between(2, 3) {
            let clients = life.random.between(3, 6);
            life.clients(clients, PORT, |client| {
                let count = client.random.between(80, 200);
                work(client, count).unwrap_or_else(|error| panic!("redis: {error}"));
            });
            life.probe(&["/usr/bin/redis-cli", "PING"]);
            life.exec(&["/usr/local/bin/rotate-log"]);
            life.clients(1, PORT, |client| {
                let kept = client.random.between(60, 90).to_string();
                let saved = say(client, &[&["BGSAVE"], &["CONFIG", "SET", "timeout", &kept]]);
                thread::sleep(Duration::from_millis(600));
                // It may be at it already.
                saved.and(say(client, &[&["BGREWRITEAOF"], &["INFO"], &["SLOWLOG", "GET"]])).ok();
            });
            thread::sleep(Duration::from_millis(600));
        }
        // Every other one is stopped while a child of it still writes, which it then kills.
        if life.random.below(2) == 0 {
            life.clients(1, PORT, |client| {
                say(client, &[&["BGREWRITEAOF"]]).ok();
            });
        }
    }

    /// One command in each line, as one types it.
    fn misuse(&self, life: &mut Life<'_>, words: &str) {
        life.clients(1, PORT, |client| {
            let mut stream = client.connect().expect("redis listens");
            let _slow = stream.set_read_timeout(Some(Duration::from_millis(500)));
            for line in words.lines() {
                let _gone = stream.write_all(format!("{line}\r\n").as_bytes());
                let _whatever_it_answers = stream.read(&mut [0; 4096]);
            }
        });
    }
}

fn is_well(client: &Client) -> bool {
    say(client, &[&["PING"]]).is_ok_and(|answers| answers[0] == "+PONG")
}

/// What a client does: so many commands, some of which are wrong, on one connection. A clock that jumps makes redis take it
/// for idle and close it; then the client connects again, as clients do.
fn work(client: &mut Client, count: usize) -> io::Result<()> {
    let mut stream = BufReader::new(client.connect()?);
    for _ in 0..count {
        let command = command(&mut client.random);
        if ask(&mut stream, &command).is_err() {
            stream = BufReader::new(client.connect()?);
            ask(&mut stream, &command)?;
        }
    }
    Ok(())
}

fn command(random: &mut Random) -> Vec<String> {
    let key = format!("{}:{}", ["cart", "session", "page"][random.below(3)], random.hex(6));
    let value = String::from_utf8_lossy(&vec![b'v'; random.between(1, 4000)]).into_owned();
    let number = random.below(1000).to_string();
    let command: &[&str] = match random.below(14) {
        0..=2 => &["SET", &key, &value],
        3 => &["SETEX", &key, "1", &value],
        4 => &["GET", &key],
        5 => &["LPUSH", "queue", &value],
        6 => &["RPOP", "queue"],
        7 => &["HSET", "users", &key, &number],
        8 => &["ZADD", "ranking", &number, &key],
        9 => &["ZRANGE", "ranking", "0", "9"],
        10 => &["EVAL", "return redis.call('INCR', KEYS[1])", "1", "visits"],
        11 => &["PUBLISH", "news", &value],
        12 => &["INCR", "queue"],
        _ => &["NOSUCHCOMMAND", &key],
    };
    command.iter().map(ToString::to_string).collect()
}

/// Several commands on a connection of their own: the first line of each answer.
fn say(client: &Client, commands: &[&[&str]]) -> io::Result<Vec<String>> {
    let mut stream = BufReader::new(client.connect()?);
    commands.iter().map(|command| ask(&mut stream, command)).collect()
}

/// Sends a command and gives the first line of the answer.
fn ask(stream: &mut BufReader<TcpStream>, words: &[impl AsRef<str>]) -> io::Result<String> {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        let word = word.as_ref();
        command.extend(["$", &word.len().to_string(), "\r\n", word, "\r\n"]);
    }
    stream.get_mut().write_all(command.as_bytes())?;
    receive(stream)
}

/// Reads one answer, whatever is in it, and gives its first line.
fn receive(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut first = String::new();
    let mut ahead = 1;
    while ahead > 0 {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        ahead -= 1;
        let count = || line[1..].parse::<i64>().unwrap_or(-1);
        match line.as_bytes().first() {
            Some(b'*') => ahead += usize::try_from(count()).unwrap_or(0),
            Some(b'$') => {
                if let Ok(length) = usize::try_from(count()) {
                    stream.read_exact(&mut vec![0; length + 2])?;
                }
            }
            _ => {}
        }
        if first.is_empty() {
            line.clone_into(&mut first);
        }
    }
    Ok(first)
}
