//! On a node: what a container writes under ever new names is joined, and the names that its image ships never are, whatever the
//! container did to the files.

use std::time::Duration;

use serde_json::Value;
use support::{
    agent::{self, Agent, EVENTS},
    pods::{self, ContainerSpec, Node, Pod, PodSpec},
    shop::{can_run, events_of, until, wait_for_event},
};

const IMAGE: &str = "registry.test/shop/site:1";

/// Pages of the image, of one shape; all but the last are read.
const PAGES: usize = 16;

/// Takes the image's files over, as entrypoints do, reads them, and writes thirty pages of its own under random names. What is in
/// `/tmp/more` it does besides.
const SCRIPT: &str = "/bin/chown -R 1:1 /srv/site; \
    for n in a b c d e f g h i j k l m n o; do /bin/cat /srv/site/page-kqz${n}zv.html; done; \
    n=0; while [ $n -lt 30 ]; do read -r id < /proc/sys/kernel/random/uuid; \
    name=$(echo $id | /bin/tr 0-9a-f qzxkvjwqzxkvjwqz | /bin/cut -c1-8); \
    echo x > /srv/cache/page-$name.html; /bin/cat /srv/cache/page-$name.html; n=$((n+1)); done; echo done; \
    while :; do [ -e /tmp/more ] && . /tmp/more; /bin/usleep 100000; done";

fn page(number: usize) -> String {
    let letter = char::from(b"abcdefghijklmnop"[number]);
    format!("/srv/site/page-kqz{letter}zv.html")
}

fn run(node: &Node) -> Pod {
    let site = ContainerSpec::new("site", IMAGE).command(&["/bin/sh", "-c", SCRIPT]);
    let pod = node.run(PodSpec::new("shop", "site").container(site));
    until(Duration::from_mins(1), "the pages are written", || {
        pod.printed(pod.container("site")).contains("done")
    });
    pod
}

#[test]
fn new_names_are_joined_and_the_images_are_not_whoever_owns_them() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let pages = (0..PAGES).map(page);
    let image = pages
        .fold(pods::busybox(IMAGE), |image, page| image.file(&page, 0o644, "hello\n"))
        .directory("/srv/cache", 0o755);
    node.import(&[image.build().expect("images are built in memory")]);

    let recorder = Agent::start(&node, "record", &[]);
    for _ in 0..2 {
        run(&node).remove();
    }
    recorder.stop();
    let baseline = agent::baselines(&node)
        .into_iter()
        .find(|baseline| baseline["image"]["container"] == "site");
    let baseline = baseline.expect("it was recorded");
    let cat = &baseline["executables"]["/bin/cat"]["read"];
    let read = |place: &str| {
        let names = cat.as_object().expect("files").keys();
        names.filter(|name| name.starts_with(place)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(read("/srv/cache"), ["/srv/cache/page-{letters:3-8}.html"], "{cat:#}");
    assert_eq!(read("/srv/site"), (0..PAGES - 1).map(page).collect::<Vec<_>>(), "{cat:#}");
    let written = &baseline["executables"]["/bin/sh"]["write"];
    let written = &written["/srv/cache/page-{letters:3-8}.html"];
    assert_eq!(written["siblings"].as_array().map(Vec::len), Some(8), "{written:#}");

    let watcher = Agent::start(&node, "watch", &EVENTS);
    let pod = run(&node);
    assert_eq!(events_of(&node, &[&pod]), Vec::<Value>::new());
    let last = page(PAGES - 1);
    let more =
        format!("/bin/cat {last}; echo x > /srv/cache/page-backdoor.html; exec /bin/sleep 1000");
    let write = format!("echo '{more}' > /tmp/part; /bin/mv /tmp/part /tmp/more");
    assert_eq!(pod.container("site").exec(&["/bin/sh", "-c", &write]).code, 0);
    for (kind, object) in
        [("file.read", last.as_str()), ("file.write", "/srv/cache/page-backdoor.html")]
    {
        wait_for_event(&node, &pod, object, |event| {
            event["drift.kind"] == kind && event["drift.object"] == object
        });
    }
    pod.remove();
    watcher.stop();
}
