//! Debian's registry on a loopback port, images in it, and baselines of them.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU8, Ordering},
    time::{Duration, Instant},
};

use profiler_user::baseline::{self, Baseline, Phases, Run, RunId, Seen, Sighting};

use crate::{Lab, driftline, free_port};

/// Ended when dropped.
pub struct Registry {
    server: Child,
    host: SocketAddr,
}

impl Registry {
    pub fn start(lab: &Lab) -> Self {
        Self::with(lab, "", "")
    }

    /// One that speaks HTTPS only, with a certificate of an authority that nobody else knows: `ca.pem` in the lab.
    pub fn private(lab: &Lab) -> Self {
        authority(lab);
        let host = "-subj /CN=registry -addext subjectAltName=IP:127.0.1.200";
        let usage = "-addext extendedKeyUsage=serverAuth -addext basicConstraints=CA:FALSE";
        let by = "-CA ca.pem -CAkey ca.key";
        openssl(lab, &format!("req -x509 {by} {KEY} {host} {usage} -keyout own.key -out own.crt"));
        let (key, certificate) = (lab.path("own.key"), lab.path("own.crt"));
        let (key, certificate) = (key.display(), certificate.display());
        Self::with(lab, "", &format!(", tls: {{ certificate: {certificate}, key: {key} }}"))
    }

    /// One that lets in whom Docker's configuration in the lab then knows.
    pub fn guarded(lab: &Lab) -> Self {
        // bcrypt of `of-tests`.
        let users = "me:$2b$04$5DjJ5SGuJ1kekXK1ODAUBu9umON.44sPiJNwTmTYm11zgQUfORNAq\n";
        let users = lab.write("users", users);
        let auth = format!("auth: {{ htpasswd: {{ realm: tests, path: {} }} }}\n", users.display());
        Self::with(lab, &auth, "")
    }

    fn with(lab: &Lab, auth: &str, tls: &str) -> Self {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let program = "/usr/bin/docker-registry";
        assert!(Path::new(program).exists(), "{program} is missing; run `cargo xtask setup`");
        // Tests run side by side: an address of its own, so that none finds another's registry.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // A certificate is for one address.
        let address = Ipv4Addr::new(127, 0, 1, if tls.is_empty() { count } else { 200 });
        let host = SocketAddr::from((address, free_port()));
        let config = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: '{host}', secret: of-tests{tls} }}\n{auth}",
            lab.path("registry").display()
        );
        let config = lab.write("registry.yml", &config);
        let log = std::fs::File::create(lab.path("registry.log")).expect("the lab is writable");
        let server = Command::new(program)
            .arg("serve")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .spawn()
            .expect("docker-registry starts");
        let mut registry = Self { server, host };
        let end = Instant::now() + Duration::from_mins(2);
        while TcpStream::connect(host).is_err() {
            let ended = registry.server.try_wait().expect("a child");
            assert!(ended.is_none() && Instant::now() < end, "docker-registry: {ended:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        registry
    }

    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// Stores an image as `docker push` would.
    pub fn store(&self, repository: &str, tag: &str, image: &xtask::oci::Built) {
        for (digest, bytes) in image.blobs() {
            let (status, head) =
                self.ask("POST", &format!("/v2/{repository}/blobs/uploads/"), "", &[]);
            assert_eq!(status, 202, "{head}");
            let location = head
                .lines()
                .find_map(|line| line.strip_prefix("Location: "))
                .expect("an upload has a location");
            let path = &location[location.find("/v2/").expect("a path")..];
            let (status, head) = self.ask(
                "PUT",
                &format!("{path}&digest={digest}"),
                "application/octet-stream",
                bytes,
            );
            assert_eq!(status, 201, "{head}");
        }
        let (media_type, text) = image.manifest();
        let path = format!("/v2/{repository}/manifests/{tag}");
        let (status, head) = self.ask("PUT", &path, media_type, text);
        assert_eq!(status, 201, "{head}");
    }

    /// The status, and the whole answer.
    fn ask(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.host).expect("it listens");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {media_type}\r\n\
             Content-Length: {}\r\n\r\n",
            self.host(),
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        stream.write_all(body).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), answer)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ended = self.server.kill();
        let _ended = self.server.wait();
    }
}

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2";

/// `ca.pem` and `ca.key` of an authority of the lab's own.
pub fn authority(lab: &Lab) {
    openssl(lab, &format!("req -x509 {KEY} -subj /CN=tests -keyout ca.key -out ca.pem"));
}

fn openssl(lab: &Lab, words: &str) {
    let mut openssl = Command::new("openssl");
    let made = openssl.args(words.split_whitespace()).current_dir(lab.path("")).output();
    let made = made.expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// An image of one file.
pub fn image(content: &str) -> xtask::oci::Built {
    let image = xtask::oci::Image::new("registry.test/shop/web:1").file("/content", 0o644, content);
    image.build().expect("in memory")
}

/// A baseline of an image, as one run on one node saw it.
pub fn recorded(id: &str, container: &str, run: &str, syscall: &str) -> Baseline {
    let mut image = baseline::Image::here("registry.test/shop/web");
    image.id = Some(id.to_owned());
    image.container = Some(container.to_owned());
    let time = "2026-01-02T15:04:05Z".parse().expect("a time");
    let run = RunId::new(format!("{run:0>26}"));
    let mut baseline = Baseline::new(image);
    let recording = Run { ended: Some(time), ..Run::new(time, format!("node-{run}"), "full") };
    baseline.runs.insert(run.clone(), recording);
    let runs = BTreeMap::from([(run, Sighting::ONCE)]);
    let seen = Seen { first: time, last: time, phase: Phases::START, runs, ..Seen::default() };
    baseline.syscalls.insert(syscall.to_owned(), seen);
    baseline
}

/// The baseline as a file.
pub fn save(directory: &Path, baseline: &Baseline) -> PathBuf {
    baseline::save(directory, baseline).expect("the lab is writable")
}

/// `driftline baseline …`, without anybody's credentials, and what it said.
pub fn run(lab: &Lab, args: &[&str]) -> (i32, String) {
    let output = command(lab, args).output().expect("driftline runs");
    said(&output)
}

pub fn command(lab: &Lab, args: &[&str]) -> Command {
    let mut command = Command::new(driftline());
    command.arg("baseline").args(args).env("DOCKER_CONFIG", lab.path("docker"));
    command.env_remove("DRIFTLINE_TRUST").env_remove("DRIFTLINE_BASELINES");
    command
}

pub fn said(output: &Output) -> (i32, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().expect("an exit code"), said)
}
