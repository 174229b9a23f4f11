//! An agent with a directory of trusted keys: what nobody answers for is refused, loudly, and judged by nothing.

use std::{fs, path::PathBuf, time::Duration};

use support::{
    agent::{self, Agent, EVENTS},
    pods::{Node, Pod, PodSpec},
    signer::Signer,
    told::{busybox, can_run, events_of, metric, until, wait_for_event},
};

const SHORT: Duration = Duration::from_secs(20);

fn job() -> PodSpec {
    PodSpec::new("shop", "job").container(busybox("app", "/bin/date; sleep 1000"))
}

#[test]
fn a_baseline_that_nobody_answers_for_is_refused_aloud_until_somebody_does() {
    if !can_run() {
        return;
    }
    let _alone = agent::alone();
    let node = Node::start();
    let recorder = Agent::start(&node, "record", &[]);
    let pod = node.run(job());
    let is_recorded = || {
        let baselines = agent::baselines(&node);
        baselines.iter().any(|baseline| baseline["executables"].get("/bin/date").is_some())
    };
    until(SHORT, "it is recorded", is_recorded);
    pod.remove();
    recorder.stop();
    let directory = node.outside("/var/lib/driftline/baselines");
    let files = fs::read_dir(&directory).expect("a directory");
    let baseline = files
        .map(|file| file.expect("a file").path())
        .find(|path| path.to_string_lossy().contains("busybox"))
        .expect("the baseline");
    let signer = Signer::new(&node.outside("/var/lib/driftline"));
    signer.sign(&baseline, &[]);
    let envelope = PathBuf::from(format!("{}.dsse", baseline.display()));
    fs::remove_file(&envelope).expect("it was written");

    let flags = [EVENTS[0], EVENTS[1], "--trust", "/var/lib/driftline/trust"];
    let mut watcher = Agent::start(&node, "watch", &flags);
    let pod = node.run(job());
    let refused = wait_for_event(&node, &pod, "image.unprofiled", SHORT);
    assert_eq!(refused["baseline.status"], "none", "{refused:#}");
    assert_eq!(refused["baseline.signature"], "unsigned", "{refused:#}");
    assert_eq!(refused["drift.severity"], "high", "{refused:#}");
    assert!(refused["drift.sentence"].as_str().expect("text").contains("it is not signed"));
    watcher.wait_for("is refused: it is not signed", SHORT);
    until(SHORT, "the metric", || {
        metric(&watcher, "driftline_baselines_refused{reason=\"unsigned\"}") > 0.5
    });
    assert!(metric(&watcher, "driftline_baselines") < 0.5);
    // What needs no baseline is still judged.
    assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", "id"]).code, 0);
    let injected = wait_for_event(&node, &pod, "exec.injected", SHORT);
    assert_eq!(injected["baseline.status"], "none", "{injected:#}");

    signer.sign(&baseline, &[]);
    until(SHORT, "it is believed", || metric(&watcher, "driftline_baselines") > 0.5);
    assert!(metric(&watcher, "driftline_baselines_refused{reason=\"unsigned\"}") < 0.5);
    let drifts = |pod: &Pod, path: &str| {
        let script = format!("echo > {path}");
        assert_eq!(pod.container("app").exec(&["/bin/sh", "-c", &script]).code, 0);
        let mut signature = None;
        until(SHORT, path, || {
            let events = events_of(&node, pod);
            let event = events.iter().find(|event| event["file.path"] == path);
            signature = event.map(|event| event["baseline.signature"].clone());
            signature.is_some()
        });
        signature.expect("it was found")
    };
    // The baseline is taken up at the container's next tick.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(drifts(&pod, "/etc/signed"), "verified");

    let text = fs::read_to_string(&baseline).expect("readable");
    fs::write(&baseline, text.replace("date", "dote")).expect("writable");
    watcher.wait_for("it is not what was signed", SHORT);
    let altered = || {
        let events = events_of(&node, &pod);
        events.iter().any(|event| {
            event["drift.kind"] == "image.unprofiled"
                && event["baseline.signature"] == "untrusted"
                && event["baseline.status"] == "none"
        })
    };
    until(SHORT, "the event", altered);
    until(SHORT, "the metric", || {
        metric(&watcher, "driftline_baselines_refused{reason=\"altered\"}") > 0.5
    });
    fs::write(&baseline, text).expect("writable");
    until(SHORT, "it is believed again", || metric(&watcher, "driftline_baselines") > 0.5);
    pod.remove();
    watcher.stop();
}
