//! From staging to production by way of a registry: Debian's, which keeps no list of what refers to an image.

use std::{fs, path::Path};

use profiler_user::baseline::load_file;
use support::{
    Lab,
    registry::{Registry, authority, command, image, recorded, run, save},
    signer::Signer,
};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn good(lab: &Lab, args: &[&str]) -> String {
    let (code, said) = run(lab, args);
    assert_eq!(code, 0, "{args:?}: {said}");
    said
}

#[test]
fn two_nodes_recordings_are_merged_signed_pushed_and_pulled_into_production() {
    let lab = Lab::new();
    let registry = Registry::start(&lab);
    let image = image("web");
    registry.store("shop/web", "1", &image);
    let signer = Signer::new(&lab.path(""));
    let nodes = ["read", "write"].map(|syscall| {
        let one = recorded(image.id(), "web", syscall, syscall);
        save(&lab.path(syscall), &one)
    });
    let merge = command(&lab, &["merge", text(&nodes[0]), text(&nodes[1])]).output().expect("runs");
    assert!(merge.status.success());
    let merged = lab.path("merged.json");
    fs::write(&merged, merge.stdout).expect("the lab is writable");
    signer.sign(&merged, &["--by", "ann"]);
    let reference = format!("{}/shop/web:1", registry.host());
    let said = good(&lab, &["push", text(&merged), &reference]);
    assert!(said.contains(&format!("beside image {}", image.digest())), "{said}");
    // Pushing again changes nothing.
    assert_eq!(good(&lab, &["push", text(&merged), &reference]), said);

    let (production, trust) = (lab.path("production"), signer.trust());
    let by_digest = format!("{}/shop/web@{}", registry.host(), image.digest());
    let pull = ["pull", &by_digest, "--baselines", text(&production), "--trust", text(trust)];
    let said = good(&lab, &pull);
    assert!(said.contains("signed on"), "{said}");
    let name = nodes[0].file_name().expect("a name");
    let pulled = production.join(name);
    assert_eq!(load_file(&pulled).expect("whole"), load_file(&merged).expect("whole"));
    good(&lab, &["verify", "--trust", text(trust), text(&pulled)]);
    assert!(good(&lab, &pull).contains("the registry has the same"));

    // A later signature takes its place, an older one never does.
    let older = load_file(&merged).expect("whole").id();
    signer.sign(&nodes[0], &[]);
    good(&lab, &["push", text(&nodes[0]), &reference]);
    let said = good(&lab, &pull);
    assert!(said.contains("1 recorded runs that were here are not in it"), "{said}");
    let newer = load_file(&pulled).expect("whole").id();
    assert_ne!(newer, older);
    good(&lab, &pull);
    assert_eq!(load_file(&pulled).expect("whole").id(), newer);
}

#[test]
fn what_nobody_signed_is_merged_and_roles_stay_apart() {
    let lab = Lab::new();
    let registry = Registry::start(&lab);
    let image = image("web");
    registry.store("shop/web", "1", &image);
    let reference = format!("{}/shop/web:1", registry.host());
    for (container, run) in [("web", "read"), ("web", "write"), ("migrate", "mmap")] {
        let one = save(&lab.path(run), &recorded(image.id(), container, run, run));
        good(&lab, &["push", text(&one), &reference]);
    }
    let production = lab.path("production");
    let here = save(&production, &recorded(image.id(), "web", "here", "brk"));
    good(&lab, &["pull", &reference, "--baselines", text(&production)]);
    let merged = load_file(&here).expect("whole");
    let calls: Vec<_> = merged.syscalls.keys().map(String::as_str).collect();
    assert_eq!(calls, ["brk", "read", "write"]);
    assert_eq!(fs::read_dir(&production).expect("there").count(), 2);
    let said = good(&lab, &["pull", &reference, "--baselines", text(&production)]);
    assert_eq!(said.matches("the registry has nothing new").count(), 2, "{said}");

    // Where somebody is to answer for them, none of them is taken.
    let signer = Signer::new(&lab.path(""));
    let trust = signer.trust();
    let other = lab.path("other");
    let args = ["pull", &reference, "--baselines", text(&other), "--trust", text(trust)];
    let (code, said) = run(&lab, &args);
    assert!(code == 121 && said.contains("it is not signed"), "{said}");
    assert!(!other.exists());
}

#[test]
fn a_baseline_goes_beside_its_own_image_or_by_itself() {
    let lab = Lab::new();
    let registry = Registry::start(&lab);
    registry.store("shop/web", "1", &image("another"));
    let one = save(&lab.path("node"), &recorded(image("web").id(), "web", "run", "read"));
    let (code, said) = run(&lab, &["push", text(&one), &format!("{}/shop/web:1", registry.host())]);
    assert!(code == 121 && said.contains("is not the image"), "{said}");

    let alone = format!("{}/baselines/web:reviewed", registry.host());
    assert!(good(&lab, &["push", text(&one), &alone]).contains("there is no image of that name"));
    assert!(good(&lab, &["push", text(&one), &alone]).contains("in place of"));
    let production = lab.path("production");
    good(&lab, &["pull", &alone, "--baselines", text(&production)]);
    let pulled = production.join(one.file_name().expect("a name"));
    assert_eq!(load_file(&pulled).expect("whole"), load_file(&one).expect("whole"));

    for missing in ["baselines/none:1", "shop/web:1"] {
        let reference = format!("{}/{missing}", registry.host());
        let (code, said) = run(&lab, &["pull", &reference, "--baselines", text(&production)]);
        assert!(code == 121 && said.contains("driftline baseline push"), "{said}");
    }
}

#[test]
fn a_registry_that_is_guarded_lets_in_who_docker_has_logged_in() {
    let lab = Lab::new();
    let registry = Registry::guarded(&lab);
    let one = save(&lab.path("node"), &recorded(image("web").id(), "web", "run", "read"));
    let reference = format!("{}/baselines/web:1", registry.host());
    let (code, said) = run(&lab, &["push", text(&one), &reference]);
    assert!(code == 123 && said.contains("docker login"), "{code} {said}");
    fs::create_dir(lab.path("docker")).expect("the lab is writable");
    let log_in = |auth: &str| {
        let host = registry.host();
        lab.write(
            "docker/config.json",
            &format!(r#"{{"auths": {{"{host}": {{"auth": "{auth}"}}}}}}"#),
        );
    };
    log_in("bWU6d3Jvbmc=");
    let (code, said) = run(&lab, &["push", text(&one), &reference]);
    assert!(code == 123 && said.contains("docker login") && !said.contains("wrong"), "{said}");
    log_in("bWU6b2YtdGVzdHM=");
    good(&lab, &["push", text(&one), &reference]);
    good(&lab, &["pull", &reference, "--baselines", text(&lab.path("production"))]);
}

#[test]
fn a_registry_with_a_private_authority_is_believed_by_its_certificate_alone() {
    let lab = Lab::new();
    let registry = Registry::private(&lab);
    let one = save(&lab.path("node"), &recorded(image("web").id(), "web", "run", "read"));
    let reference = format!("{}/baselines/web:1", registry.host());
    let (ca, other) = (lab.path("ca.pem"), lab.path("other.pem"));
    fs::write(&other, "").expect("the lab is writable");
    let push = |more: &[&str]| run(&lab, &[&["push", text(&one), &reference], more].concat());
    // This machine's own are asked without encryption, which this one does not speak.
    let (code, said) = push(&[]);
    assert_eq!(code, 123, "{said}");
    let (code, said) = push(&["--ca", text(&other)]);
    assert!(code == 123 && said.contains("holds no certificate"), "{said}");
    let stranger = Lab::new();
    authority(&stranger);
    let (code, said) = push(&["--ca", text(&stranger.path("ca.pem"))]);
    assert!(code == 123 && said.contains("certificate"), "{said}");
    assert_eq!(push(&["--ca", text(&ca)]).0, 0);
    let production = lab.path("production");
    let pull = ["pull", &reference, "--baselines", text(&production), "--ca", text(&ca)];
    good(&lab, &pull);
    assert_eq!(fs::read_dir(&production).expect("it was pulled").count(), 1);
}
