//! A PostgreSQL of one test: Debian's, in a directory of its own, as a user who may do nothing else.

use std::{
    fs::{self, File, Permissions},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User},
};
use tempfile::TempDir;

/// What nobody may ever see printed.
pub const PASSWORD: &str = "right-secret";

/// Ended when dropped, however the test ended.
pub struct Postgres {
    directory: TempDir,
    process: Child,
    /// Flags of the server beside those that every one gets.
    flags: Vec<String>,
}

impl Postgres {
    /// On a socket in its directory, and nowhere else.
    pub fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// The same with these settings (`name=value`), made once the directory is there; files in it belong to the server.
    pub fn start_with(settings: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("driftline-postgres")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .expect("a directory");
        let path = directory.path();
        fs::write(path.join("password"), PASSWORD).expect("the directory is writable");
        let settings = settings(path);
        let flags: Vec<_> =
            settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect();
        if let Some(user) = unprivileged() {
            let files = fs::read_dir(path).expect("readable").map(|file| file.expect("one").path());
            for path in files.chain([path.to_owned()]) {
                chown(&path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                    .expect("we are root");
            }
        }
        let made = command("initdb", path)
            .args(["--auth=scram-sha-256", "--username=driftline", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C", "--pwfile"])
            .arg(path.join("password"))
            .arg("--pgdata")
            .arg(path.join("data"))
            .stderr(Stdio::piped())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let process = run(path, &flags);
        let mut server = Self { directory, process, flags };
        server.wait();
        server
    }

    /// Where its sockets are, and its files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Through its socket, with the password.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The same of another of its databases.
    pub fn url_of(&self, database: &str) -> String {
        let host = self.directory.path().display().to_string().replace('/', "%2F");
        format!("postgres://driftline:{PASSWORD}@{host}/{database}")
    }

    /// What PostgreSQL's own client prints for this: rows by line, columns by `|`.
    pub fn ask(&self, query: &str) -> String {
        self.ask_of("postgres", query)
    }

    /// The same of another of its databases.
    pub fn ask_of(&self, database: &str, query: &str) -> String {
        let psql = command("psql", self.directory.path())
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .arg(self.url_of(database))
            .args(["--command", query])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output();
        let Output { status, stdout, stderr } = psql.expect("psql runs");
        assert!(status.success(), "{query}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).expect("UTF-8").trim_end().to_owned()
    }

    /// With SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("a child");
    }

    /// After [`Postgres::kill`]; returns when it answers.
    pub fn restart(&mut self) {
        self.process = run(self.directory.path(), &self.flags);
        self.wait();
    }

    fn wait(&mut self) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let mut ready = command("pg_isready", self.directory.path());
            ready.arg("--quiet").arg("--host").arg(self.directory.path());
            if ready.status().expect("pg_isready runs").success() {
                return;
            }
            let log = || fs::read_to_string(self.directory.path().join("log"));
            assert!(Instant::now() < until, "PostgreSQL does not start: {:?}", log());
            // Where one was killed, its children go first: until then no other may begin.
            if self.process.try_wait().expect("a child").is_some() {
                self.process = run(self.directory.path(), &self.flags);
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            let pid = Pid::from_raw(self.process.id().cast_signed());
            // At once, without waiting for who is connected.
            let _it_ended = kill(pid, Signal::SIGQUIT);
            let _it_ended = self.process.wait();
        }
    }
}

fn run(directory: &Path, flags: &[String]) -> Child {
    let log = File::options().append(true).create(true).open(directory.join("log"));
    let mut postgres = command("postgres", directory);
    postgres.arg("-D").arg(directory.join("data")).arg("-k").arg(directory);
    // A setting that comes later counts.
    postgres.args(["-c", "listen_addresses="]).args(flags);
    postgres.stderr(log.expect("the directory is writable")).spawn().expect("postgres runs")
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
    is_root.then(|| User::from_name("nobody").expect("readable").expect("every machine has one"))
}

fn binary(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("cargo xtask setup installs it");
    let found = versions.map(|version| version.expect("one").path().join("bin").join(program));
    found.filter(|path| path.exists()).max().expect("cargo xtask setup installs it")
}
