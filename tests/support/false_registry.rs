//! A registry that has one image with one baseline, and lies about it as it is told.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    Lab,
    registry::{image, recorded, save},
};

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const ARTIFACT: &str = "application/vnd.driftline.baseline.v1+json";

/// What is answered to a path, whole: status, headers and body.
pub type Answer = Box<dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync>;

/// What an honest registry would have.
pub struct Content {
    image: Vec<u8>,
    pub artifact: Value,
    pub baseline: Vec<u8>,
}

impl Default for Content {
    fn default() -> Self {
        Self::new()
    }
}

impl Content {
    pub fn new() -> Self {
        let image = image("web");
        let lab = Lab::new();
        let file = save(&lab.baselines(), &recorded(image.id(), "web", "run", "read"));
        let baseline = fs::read(file).expect("whole");
        let artifact = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": ARTIFACT,
            "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"),
            "layers": [descriptor(ARTIFACT, &baseline)],
            "subject": descriptor(MANIFEST, image.manifest().1),
        });
        Self { image: image.manifest().1.to_vec(), artifact, baseline }
    }

    /// By the part of the path that tells requests apart.
    fn answer(&self, path: &str) -> Vec<u8> {
        let artifact = self.artifact.to_string();
        let mut entry = descriptor(MANIFEST, artifact.as_bytes());
        entry["artifactType"] = ARTIFACT.into();
        let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
        if path.ends_with("/manifests/1") {
            http("200 OK", MANIFEST, &self.image)
        } else if path.contains("/referrers/") {
            http("200 OK", INDEX, list.to_string().as_bytes())
        } else if path.contains("/manifests/sha256:") {
            http("200 OK", MANIFEST, artifact.as_bytes())
        } else {
            http("200 OK", "application/octet-stream", &self.baseline)
        }
    }
}

pub fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}

pub fn digest(bytes: &[u8]) -> String {
    let mut sum = Command::new("sha256sum");
    let mut sum = sum.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("coreutils");
    sum.stdin.take().expect("piped").write_all(bytes).expect("it reads");
    let output = sum.wait_with_output().expect("it ends");
    format!("sha256:{}", String::from_utf8_lossy(&output.stdout[..64]))
}

pub fn http(status: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Serves until the test's process ends; where it listens.
pub fn serve(content: Content, lie: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is up");
    let host = listener.local_addr().expect("an address").to_string();
    let shared = Arc::new((content, lie));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = Arc::clone(&shared);
            thread::spawn(move || answer(stream, &shared.0, &shared.1));
        }
    });
    host
}

fn answer(mut stream: TcpStream, content: &Content, lie: &Answer) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let bytes = lie(&head).unwrap_or_else(|| content.answer(path));
    let _gone = stream.write_all(&bytes);
    // What asks to go on never ends.
    if bytes.ends_with(b"...") {
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    }
    if bytes.is_empty() {
        thread::sleep(Duration::from_mins(1));
    }
}
