//! A PostgreSQL of one test: in a directory of its own, on a socket there, as a user who may do nothing else.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use tempfile::TempDir;

use crate::store::fleet::Address;

pub(super) struct Server {
    directory: TempDir,
    process: Child,
}

impl Server {
    pub(super) fn start() -> Self {
        let mut directory = tempfile::Builder::new();
        let directory = directory.permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
        let password = directory.path().join("password");
        std::fs::write(&password, "right-secret").unwrap();
        if let Some(user) = unprivileged() {
            for path in [directory.path(), &password] {
                chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
            }
        }
        let mut initdb = command("initdb", directory.path());
        initdb.args(["--auth=scram-sha-256", "--username=driftline", "--no-sync"]);
        initdb.args(["--encoding=UTF8", "--locale=C", "--pwfile"]).arg(&password);
        initdb.arg("--pgdata").arg(directory.path().join("data"));
        let made = initdb.stderr(Stdio::piped()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let process = run(directory.path());
        let mut server = Self { directory, process };
        server.wait();
        server
    }

    pub(super) fn url(&self) -> String {
        let host = self.directory.path().display().to_string().replace('/', "%2F");
        format!("postgres://driftline:right-secret@{host}/postgres")
    }

    pub(super) fn address(&self) -> Address {
        self.url().parse().unwrap()
    }

    async fn connect(&self) -> PgConnection {
        let options: PgConnectOptions = self.url().parse().unwrap();
        options.connect().await.unwrap()
    }

    /// Does something there, by another connection.
    pub(super) async fn run(&self, statements: &str) {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements));
        statements.execute(&mut self.connect().await).await.unwrap();
    }

    /// The answer to a query that has one number.
    pub(super) async fn number(&self, query: &str) -> i64 {
        let query = sqlx::query_scalar(AssertSqlSafe(query));
        query.fetch_one(&mut self.connect().await).await.unwrap()
    }

    /// With SIGKILL.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(super) fn restart(&mut self) {
        self.process = run(self.directory.path());
        self.wait();
    }

    fn wait(&mut self) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let mut ready = command("pg_isready", self.directory.path());
            ready.arg("--quiet").arg("--host").arg(self.directory.path());
            if ready.status().unwrap().success() {
                return;
            }
            assert!(Instant::now() < until, "PostgreSQL does not start");
            // Where one was killed, its children go first: until then no other may begin.
            if self.process.try_wait().unwrap().is_some() {
                self.process = run(self.directory.path());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
            // At once, without waiting for who is connected.
            let _it_ended = kill(pid, Signal::SIGQUIT);
            let _it_ended = self.process.wait();
        }
    }
}

fn run(directory: &Path) -> Child {
    let mut postgres = command("postgres", directory);
    postgres.arg("-D").arg(directory.join("data")).arg("-k").arg(directory);
    postgres.args(["-c", "listen_addresses="]).spawn().unwrap()
}

fn command(program: &str, directory: &Path) -> Command {
    let mut command = Command::new(binary(program));
    command.current_dir(directory).env_clear().env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(user) = unprivileged() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

/// It refuses to run as root.
fn unprivileged() -> Option<User> {
    let is_root = nix::unistd::geteuid().is_root();
    is_root.then(|| User::from_name("nobody").unwrap().expect("there is a user who may do nothing"))
}

fn binary(program: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("cargo xtask setup installs it");
    let found = versions.map(|version| version.unwrap().path().join("bin").join(program));
    found.filter(|path| path.exists()).max().expect("cargo xtask setup installs it")
}
