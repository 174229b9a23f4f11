//! A registry that lies, breaks or refuses: one clear error each, and the directory is as it was.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{
    Lab,
    false_registry::{ARTIFACT, Answer, Content, INDEX, MANIFEST, descriptor, digest, http, serve},
    free_port,
    registry::{command, image, recorded, said, save},
};

/// `pull` from this host into a directory that holds a baseline and stays as it is; what was said.
fn refused(host: &str, code: i32, words: &[&str]) {
    let lab = Lab::new();
    let here = save(&lab.baselines(), &recorded(image("web").id(), "web", "here", "brk"));
    let before = fs::read(&here).expect("whole");
    let directory = lab.baselines();
    let directory = directory.to_str().expect("UTF-8");
    let reference = format!("{host}/shop/web:1");
    let begun = Instant::now();
    let args = ["pull", &reference, "--timeout", "3", "--baselines", directory];
    let (found, said) = said(&command(&lab, &args).output().expect("driftline runs"));
    assert_eq!(found, code, "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{said}");
    assert_eq!(fs::read(&here).expect("whole"), before);
    assert_eq!(fs::read_dir(lab.baselines()).expect("there").count(), 1);
}

/// Where a path has this part, this is answered.
fn lie(part: &'static str, answer: Vec<u8>) -> Answer {
    Box::new(move |head| head.lines().next()?.contains(part).then(|| answer.clone()))
}

fn told(part: &'static str, answer: Vec<u8>, words: &[&str]) {
    refused(&serve(Content::new(), lie(part, answer)), 123, words);
}

#[test]
fn an_honest_registry_is_believed() {
    let lab = Lab::new();
    let host = serve(Content::new(), Box::new(|_| None));
    let reference = format!("{host}/shop/web:1");
    let directory = lab.baselines();
    let args = ["pull", &reference, "--baselines", directory.to_str().expect("UTF-8")];
    let (code, said) = said(&command(&lab, &args).output().expect("driftline runs"));
    assert!(code == 0 && said.contains("pulled"), "{said}");
}

#[test]
fn other_bytes_than_were_named_are_refused() {
    let honest = Content::new().baseline;
    let mut other = honest.clone();
    other[10] ^= 1;
    let blob = |bytes: &[u8]| http("200 OK", "application/octet-stream", bytes);
    told("/blobs/", blob(&other), &["cannot be believed", "its digest is sha256:"]);
    told("/blobs/", blob(&honest[..50]), &["it has 50 bytes"]);
    told("/blobs/", blob(&[honest.as_slice(), b" "].concat()), &["it is larger than"]);
    let text =
        Content::new().artifact.to_string().replace("schemaVersion\":2", "schemaVersion\":3");
    told("/manifests/sha256:", http("200 OK", MANIFEST, text.as_bytes()), &["its digest is"]);
}

#[test]
fn what_breaks_off_or_never_ends_is_refused() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n";
    let cut = format!("{head}Content-Length: 60\r\n\r\n{{}}");
    told("/blobs/", cut.into_bytes(), &["breaks off"]);
    let endless = format!("{head}Connection: close\r\n\r\n...");
    told("/blobs/", endless.into_bytes(), &["it is larger than"]);
    let endless =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {INDEX}\r\nConnection: close\r\n\r\n...");
    told("/referrers/", endless.into_bytes(), &["it is larger than 4194304 bytes"]);
    told("/manifests/1", Vec::new(), &["cannot be reached", "within 3 s"]);
    told("/blobs/", Vec::new(), &["cannot be reached", "within 3 s"]);
}

#[test]
fn other_than_was_asked_for_is_refused() {
    told("/manifests/1", http("200 OK", "text/html", b"<html>"), &["it is of type \"text/html\""]);
    told("/manifests/1", http("200 OK", MANIFEST, b"garbage"), &["it is no manifest"]);
    told("/referrers/", http("200 OK", "text/html", b"<html>"), &["text/html"]);
    told("/referrers/", http("200 OK", INDEX, &[0xff; 9]), &["it is no index"]);
    let deep = "[".repeat(100_000);
    told("/referrers/", http("200 OK", INDEX, deep.as_bytes()), &["it is no index"]);
    told("/manifests/1", b"garbage\r\n\r\n".to_vec(), &["cannot be reached"]);
}

#[test]
fn an_artifact_that_is_none_is_refused() {
    let changed = |change: fn(&mut Value), words: &[&str]| {
        let mut content = Content::new();
        change(&mut content.artifact);
        refused(&serve(content, Box::new(|_| None)), 123, words);
    };
    changed(|artifact| artifact["layers"] = json!([]), &["its layers are of other media types"]);
    changed(
        |artifact| artifact["layers"][0]["mediaType"] = "text/plain".into(),
        &["its layers are of other media types"],
    );
    changed(|artifact| artifact["layers"][0]["size"] = 1_u64.into(), &["larger than 1 bytes"]);
    changed(
        |artifact| artifact["layers"][0]["size"] = (1_u64 << 40).into(),
        &["it is larger than 67108864 bytes"],
    );
    changed(
        |artifact| artifact["layers"][0]["digest"] = "sha256:../../etc/passwd".into(),
        &["it is no manifest", "is no sha256 digest"],
    );
    changed(
        |artifact| artifact["subject"]["digest"] = digest(b"another").into(),
        &["it does not refer to sha256:"],
    );
}

#[test]
fn a_baseline_that_is_none_or_of_another_image_is_refused() {
    let with = |baseline: &[u8], words: &[&str]| {
        let mut content = Content::new();
        content.baseline = baseline.to_vec();
        content.artifact["layers"][0] = descriptor(ARTIFACT, baseline);
        refused(&serve(content, Box::new(|_| None)), 121, words);
    };
    let honest = Content::new().baseline;
    with(b"garbage", &["is refused", "is malformed"]);
    with(&honest[..honest.len() / 2], &["breaks off"]);
    let text = String::from_utf8(honest).expect("JSON");
    let twice = text.replacen('{', "{\"generaliser\": 0,", 1);
    with(twice.as_bytes(), &["is refused", "generaliser"]);
    let other = text.replace(image("web").id(), image("other").id());
    with(other.as_bytes(), &["is refused", "another image"]);
}

#[test]
fn refusals_and_failures_are_told_apart() {
    let answer = |status: &str| http(status, "text/plain", b"no\x1b[31m\nway");
    told("/manifests/1", answer("401 Unauthorized"), &["refuses access", "docker login"]);
    told("/manifests/1", answer("403 Forbidden"), &["refuses access", "(403)"]);
    told("/blobs/", answer("404 Not Found"), &["has no blob sha256:"]);
    told("/manifests/sha256:", answer("404 Not Found"), &["it is listed and not there"]);
    told(
        "/manifests/1",
        answer("500 Internal Server Error"),
        &["answers 500", r"no\u{1b}[31m\nway"],
    );
    told("/manifests/1", answer("429 Too Many Requests"), &["answers 429"]);
    refused(&format!("127.0.0.2:{}", free_port()), 123, &["cannot be reached", "refused"]);
}

#[test]
fn redirections_end_and_lead_to_no_other_host_without_encryption() {
    let to = |place: &str| {
        let head = format!("HTTP/1.1 307 Go\r\nConnection: close\r\nLocation: {place}\r\n");
        format!("{head}Content-Length: 0\r\n\r\n").into_bytes()
    };
    told("/blobs/", to("/v2/shop/web/blobs/again"), &["it was redirected 6 times"]);
    told("/blobs/", to("http://blobs.test/x"), &["http://blobs.test is not encrypted"]);
    told("/blobs/", to("file:///etc/passwd"), &["is not encrypted"]);
    let nowhere = b"HTTP/1.1 307 Go\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec();
    told("/blobs/", nowhere, &["it points nowhere"]);
}

#[test]
fn a_token_is_fetched_where_the_registry_says_and_shown_to_nobody_else() {
    let honest = Content::new().baseline;
    // Where blobs are: whoever is told a credential there says so.
    let elsewhere = serve(
        Content::new(),
        Box::new(move |head| {
            let told = head.to_ascii_lowercase().contains("authorization");
            let status = if told { "500 Told" } else { "200 OK" };
            Some(http(status, "application/octet-stream", &honest))
        }),
    );
    let lying: Answer = Box::new(move |head| {
        let path = head.split(' ').nth(1)?;
        let asks = |header: &str| head.to_ascii_lowercase().contains(header);
        if path.starts_with("/token?service=s&scope=repository%3Ashop%2Fweb%3Apull") {
            let known = asks("authorization: basic bwu6cgfzcw==");
            let token = if known { "{\"token\":\"t0\"}" } else { "{}" };
            return Some(http("200 OK", "application/json", token.as_bytes()));
        }
        if !asks("authorization: bearer t0") {
            let host = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("host: ").map(ToOwned::to_owned)
            })?;
            let head = format!(
                "HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 0\r\n\
                 WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"s\"\r\n\r\n"
            );
            return Some(head.into_bytes());
        }
        path.contains("/blobs/").then(|| {
            let head = "HTTP/1.1 307 Go\r\nConnection: close\r\nContent-Length: 0\r\n";
            format!("{head}Location: http://{elsewhere}/blob\r\n\r\n").into_bytes()
        })
    });
    let host = serve(Content::new(), lying);
    refused(&host, 123, &["a token for access", "there is none in the answer"]);
    let lab = Lab::new();
    fs::create_dir(lab.path("docker")).expect("the lab is writable");
    let config = json!({"auths": {&host: {"auth": "bWU6cGFzcw=="}}});
    lab.write("docker/config.json", &config.to_string());
    let (directory, reference) = (lab.baselines(), format!("{host}/shop/web:1"));
    let args = ["pull", &reference, "--baselines", directory.to_str().expect("UTF-8")];
    let (code, said) = said(&command(&lab, &args).output().expect("driftline runs"));
    assert!(code == 0 && said.contains("pulled"), "{said}");
}
