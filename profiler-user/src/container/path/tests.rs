use proptest::prelude::*;

use super::{Class, classify, identify};

/// `{A}` and `{B}` in a path stand for two ids, `{U}` for a pod's uid as systemd's driver writes it.
fn path(template: &str) -> String {
    template
        .replace("{A}", &"a1".repeat(32))
        .replace("{B}", &"b2".repeat(32))
        .replace("{U}", &UID.replace('-', "_"))
        .replace("{u}", UID)
}

const UID: &str = "26d90b8e-4a05-4a33-9b6e-e6f1c0d2b7aa";
const STATIC_UID: &str = "3d1bba5d8a1c5f1c0b1b6b6a9d6f4a11";

/// Path, whose id, runtime, pod, the container's own cgroup (empty: the path itself).
type Row = (&'static str, &'static str, Option<&'static str>, Option<&'static str>, &'static str);

const CONTAINERS: &[Row] = &[
    // systemd's driver, the three classes of service.
    (
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{U}.slice/cri-containerd-{A}.scope",
        "{A}",
        Some("containerd"),
        Some(UID),
        "",
    ),
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{U}.slice/crio-{A}.scope",
        "{A}",
        Some("cri-o"),
        Some(UID),
        "",
    ),
    (
        "/kubepods.slice/kubepods-pod{U}.slice/docker-{A}.scope",
        "{A}",
        Some("docker"),
        Some(UID),
        "",
    ),
    // A static pod's uid is a hash without dashes.
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod3d1bba5d8a1c5f1c0b1b6b6a9d6f4a11.slice/cri-containerd-{A}.scope",
        "{A}",
        Some("containerd"),
        Some(STATIC_UID),
        "",
    ),
    // cgroupfs's driver.
    ("/kubepods/burstable/pod{u}/{A}", "{A}", None, Some(UID), ""),
    (
        "/kubepods/besteffort/pod3d1bba5d8a1c5f1c0b1b6b6a9d6f4a11/{A}",
        "{A}",
        None,
        Some(STATIC_UID),
        "",
    ),
    ("/kubepods/pod{u}/{A}", "{A}", None, Some(UID), ""),
    ("/kubepods/burstable/pod{u}/crio-{A}", "{A}", Some("cri-o"), Some(UID), ""),
    // A systemd-style path, taken literally.
    (
        "/kubepods-besteffort-pod{U}.slice:cri-containerd:{A}",
        "{A}",
        Some("containerd"),
        Some(UID),
        "",
    ),
    (
        "/system.slice/containerd.service/kubepods-besteffort-pod{U}.slice:cri-containerd:{A}",
        "{A}",
        Some("containerd"),
        Some(UID),
        "",
    ),
    (
        "/kubepods.slice/kubepods-pod{U}.slice/kubepods-pod{U}.slice:crio:{A}",
        "{A}",
        Some("cri-o"),
        Some(UID),
        "",
    ),
    ("/system.slice:docker:{A}", "{A}", Some("docker"), None, ""),
    // Without Kubernetes.
    ("/docker/{A}", "{A}", Some("docker"), None, ""),
    ("/system.slice/docker-{A}.scope", "{A}", Some("docker"), None, ""),
    ("/system.slice/nerdctl-{A}.scope", "{A}", Some("containerd"), None, ""),
    ("/system.slice/unheard-of-{A}.scope", "{A}", None, None, ""),
    ("/default/{A}", "{A}", None, None, ""),
    ("/machine.slice/libpod-{A}.scope", "{A}", Some("podman"), None, ""),
    (
        "/machine.slice/libpod-{A}.scope/container",
        "{A}",
        Some("podman"),
        None,
        "/machine.slice/libpod-{A}.scope",
    ),
    ("/libpod_parent/libpod-{A}", "{A}", Some("podman"), None, ""),
    ("/system.slice/web.service/libpod-payload-{A}", "{A}", Some("podman"), None, ""),
    (
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope",
        "{A}",
        Some("podman"),
        None,
        "",
    ),
    (
        "/user.slice/user-1000.slice/user@1000.service/app.slice/docker-{A}.scope",
        "{A}",
        Some("docker"),
        None,
        "",
    ),
    // Nodes of kind: a kubelet inside a Docker container.
    ("/docker/{B}/kubelet-kubepods/burstable/pod{u}/{A}", "{A}", None, Some(UID), ""),
    ("/docker/{B}/kubelet/kubepods/besteffort/pod{u}/{A}", "{A}", None, Some(UID), ""),
    (
        "/system.slice/docker-{B}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{U}.slice/cri-containerd-{A}.scope",
        "{A}",
        Some("containerd"),
        Some(UID),
        "",
    ),
    ("/docker/{B}/docker/{A}", "{A}", Some("docker"), None, ""),
    ("/kubepods/burstable/pod{u}/{B}/docker/{A}", "{A}", Some("docker"), None, ""),
    // Cgroups that were made inside the container.
    (
        "/kubepods.slice/kubepods-pod{U}.slice/crio-{A}.scope/container",
        "{A}",
        Some("cri-o"),
        Some(UID),
        "/kubepods.slice/kubepods-pod{U}.slice/crio-{A}.scope",
    ),
    ("/docker/{A}/init.scope", "{A}", Some("docker"), None, "/docker/{A}"),
    ("/docker/{A}/system.slice/nginx.service", "{A}", Some("docker"), None, "/docker/{A}"),
    ("/docker/{B}/system.slice/containerd.service", "{B}", Some("docker"), None, "/docker/{B}"),
    ("/kubepods/pod{u}/{A}/podman", "{A}", None, Some(UID), "/kubepods/pod{u}/{A}"),
    // What a monitor inside a container does is that container's doing.
    (
        "/docker/{B}/machine.slice/libpod-conmon-{A}.scope",
        "{B}",
        Some("docker"),
        None,
        "/docker/{B}",
    ),
    // As read below a mount that is not the whole hierarchy.
    ("docker/{A}", "{A}", Some("docker"), None, ""),
    ("/../../docker/{A}", "{A}", Some("docker"), None, ""),
];

#[test]
fn every_known_shape_names_its_container() {
    for (template, id, runtime, pod, own) in CONTAINERS {
        let text = path(template);
        let identity = identify(&text).unwrap_or_else(|| panic!("{text} has none"));
        let own = if own.is_empty() { template } else { own };
        assert_eq!(identity.id.as_str(), path(id), "{text}");
        assert_eq!(identity.runtime.as_deref(), *runtime, "{text}");
        assert_eq!(identity.pod_uid.as_deref(), *pod, "{text}");
        assert_eq!(identity.own, path(own), "{text}");
        assert_eq!(identity.in_last, *own == *template, "{text}");
    }
}

#[test]
fn a_child_that_repeats_the_id_is_the_containers() {
    let text = path("/machine.slice/libpod-{A}.scope/libpod-{A}");
    let identity = identify(&text).unwrap();
    assert_eq!(identity.own, path("/machine.slice/libpod-{A}.scope"));
    assert!(identity.in_last);
}

#[test]
fn monitors_are_no_containers() {
    for template in [
        "/kubepods.slice/kubepods-pod{U}.slice/crio-conmon-{A}.scope",
        "/machine.slice/libpod-conmon-{A}.scope",
        "/machine.slice/libpod-conmon-{A}.scope/supervisor",
        "/system.slice/crio-conmon-{A}",
        "/system.slice:crio-conmon:{A}",
    ] {
        assert_eq!(classify(&path(template)), Class::Monitor, "{template}");
        assert_eq!(identify(&path(template)), None);
    }
}

#[test]
fn the_hosts_own_cgroups_are_no_containers() {
    for text in [
        "",
        "/",
        "/init.scope",
        "/system.slice/containerd.service",
        "/system.slice/docker.service",
        "/kubepods.slice/kubepods-burstable.slice",
        &path("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{U}.slice"),
        "/docker/buildkit/k2n0v6c1j8dq3wz5r7xyzaabb",
        "/system.slice/docker-0123456789ab.scope",
        &format!("/docker/{}", "A1".repeat(32)),
        &format!("/docker/{}", "a1".repeat(33)),
        &format!("/docker/é{}", "a".repeat(63)),
        &format!("/docker/{}.scope.scope", "a".repeat(64)),
    ] {
        assert_eq!(classify(text), Class::Host, "{text}");
    }
}

proptest! {
    #[test]
    fn arbitrary_paths_never_panic(text in "\\PC*") {
        let _class = classify(&text);
    }

    /// Near misses: pieces that the reader looks for, in any order.
    #[test]
    fn arbitrary_pieces_never_panic(pieces in prop::collection::vec(prop::sample::select(vec![
        "/", ":", "-", "pod", ".slice", ".scope", "kubepods", "docker", "crio-conmon", "é", "_", "..",
        "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
    ]), 0..24)) {
        let text = pieces.concat();
        if let Some(identity) = identify(&text) {
            prop_assert!(text.starts_with(&identity.own));
            prop_assert!(identity.own.contains(identity.id.as_str()));
        }
    }
}
