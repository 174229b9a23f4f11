use proptest::prelude::*;

use super::super::{escape, matches, place};
use super::*;

#[test]
fn realistic_paths() {
    let cases = [
        // Python's tempfile, of every look
        ("/tmp/tmpabcdefgh", "/tmp/tmp{rand:8}"),
        ("/tmp/tmpk3_j9x1z", "/tmp/tmp{rand:8}"),
        ("/tmp/tmp12345678", "/tmp/tmp{rand:8}"),
        ("/tmp/tmp_8dkqx0a.json", "/tmp/tmp{rand:8}.json"),
        ("/var/cache/app/tmpzz9_q1ab/part", "/var/cache/app/tmp{rand:8}/part"),
        ("/tmp/pip-req-build-k3j9x1zq/setup.py", "/tmp/pip-req-build-{rand:8}/setup.py"),
        // mktemp, bash, others
        ("/tmp/tmp.Zx81kQpL0a", "/tmp/tmp.{rand:10}"),
        ("/var/lib/x/tmp.abcdefghij", "/var/lib/x/tmp.{rand:10}"),
        ("/tmp/sh-thd.1a2B3c", "/tmp/sh-thd.{rand:6}"),
        ("/tmp/sh-thd.abcdef", "/tmp/sh-thd.{rand:6}"),
        ("/tmp/sh-thd-1700000000", "/tmp/sh-thd-{num}"),
        ("/tmp/cc9aBc1d.s", "/tmp/cc{rand:6}.s"),
        ("/tmp/go-build123456789/b001/exe/main", "/tmp/go-build{num}/b001/exe/main"),
        ("/srv/data/.report.aB3xY9", "/srv/data/.report.{rand:6}"),
        (
            "/tmp/systemd-private-0123456789abcdef0123456789abcdef-ntp.service-aB3xY9/tmp",
            "/tmp/systemd-private-{hex:32}-ntp.service-{rand:6}/tmp",
        ),
        ("/dev/shm/sem.k3J9x1", "/dev/shm/sem.{rand:6}"),
        ("/run/user/1000/bus", "/run/user/{num}/bus"),
        // servers
        ("/var/lib/nginx/body/0000000001", "/var/lib/nginx/body/{num}"),
        ("/var/lib/nginx/proxy/1/00/0000000001", "/var/lib/nginx/proxy/{num}/{num}/{num}"),
        ("/data/temp-4711.rdb", "/data/temp-{num}.rdb"),
        (
            "/var/lib/postgresql/15/main/base/5/2619_fsm",
            "/var/lib/postgresql/{num}/main/base/{num}/{num}_fsm",
        ),
        (
            "/var/lib/postgresql/pg_wal/00000001000000000000000A",
            "/var/lib/postgresql/pg_wal/{hex:24}",
        ),
        ("/var/log/app/app-2026-01-02.log", "/var/log/app/app-{date}.log"),
        ("/var/log/app/20260102T150405Z.gz", "/var/log/app/{date}.gz"),
        ("/cache/6f1c3a52-9a10-4c0e-8f2a-1b2c3d4e5f60.bin", "/cache/{uuid}.bin"),
        ("/cache/objects/4f2a9c01deadbeef", "/cache/objects/{hex:16}"),
        // mktemp and Python's tempfile with a prefix of their user's
        ("/srv/backup/dump.I0prB5tu/out", "/srv/backup/dump.{rand:8}/out"),
        ("/srv/backup/dump.rRjtRlre", "/srv/backup/dump.{rand:8}"),
        ("/srv/sessions/.new-1ud_ejfv", "/srv/sessions/.new-{rand:8}"),
        ("/srv/app/settings.template", "/srv/app/settings.template"),
        ("/srv/app/unit-test_one", "/srv/app/unit-test_one"),
        ("/srv/app/Web.ReadFile", "/srv/app/Web.ReadFile"),
        ("/srv/app/4f2a9c01-4f2a9c02", "/srv/app/{hex:8}-{hex:8}"),
        // spread over directories by their hash
        (
            "/cache/nginx/7/4f/0123456789abcdef0123456789ab94f7",
            "/cache/nginx/{hex:1}/{hex:2}/{hex:32}",
        ),
        (
            "/srv/.git/objects/4f/2a9c01deadbeef2a9c01deadbeef2a9c01de",
            "/srv/.git/objects/{hex:2}/{hex:36}",
        ),
        ("/cache/1/2/ab/4f2a9c01deadbeef.png", "/cache/{num}/{hex:1}/{hex:2}/{hex:16}.png"),
        ("/cache/ab/notes", "/cache/ab/notes"),
        ("/cache/abc/4f2a9c01deadbeef", "/cache/abc/{hex:16}"),
        ("/etc/ab/4f2a9c01deadbeef", "/etc/ab/4f2a9c01deadbeef"),
        // kernel
        ("/proc/4711/stat", "/proc/{pid}/stat"),
        ("/proc/self/task/4711/comm", "/proc/self/task/{pid}/comm"),
        ("/proc/self/task/4711/fd/3", "/proc/self/task/{pid}/fd/{num}"),
        ("/proc/4711/task/4712/fdinfo/12", "/proc/{pid}/task/{pid}/fdinfo/{num}"),
        ("/proc/self/fd/12", "/proc/self/fd/{num}"),
        ("/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/ns_last_pid"),
        ("/proc/sys/net/ipv4/1", "/proc/sys/net/ipv4/1"),
        ("/proc/irq/16/smp_affinity", "/proc/irq/16/smp_affinity"),
        ("pipe:[4711]", "pipe:[{num}]"),
        ("socket:[4711]", "socket:[{num}]"),
        ("/dev/pts/3", "/dev/pts/{num}"),
        ("/dev/sda1", "/dev/sda1"),
        // Kubernetes, in a sensitive directory too
        (
            "/var/run/secrets/kubernetes.io/serviceaccount/..2026_01_02_15_04_05.123456789/token",
            "/var/run/secrets/kubernetes.io/serviceaccount/..{date}/token",
        ),
        ("/etc/config/..2026_01_02_15_04_05.1/a-1", "/etc/config/..{date}/a-1"),
        (
            "/usr/lib/python3.13/__pycache__/ast.cpython-313.pyc.140234881028912",
            "/usr/lib/python3.13/__pycache__/ast.cpython-313.pyc.{num}",
        ),
        // stay
        ("/etc/passwd", "/etc/passwd"),
        ("/etc/nginx/conf.d/10-site.conf", "/etc/nginx/conf.d/10-site.conf"),
        ("/etc/tmpabcdefgh", "/etc/tmpabcdefgh"),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("/opt/x86_64/libz.so.1.3.1", "/opt/x86_64/libz.so.1.3.1"),
        ("/home/u/.ssh/id_12345678", "/home/u/.ssh/id_12345678"),
        ("/tmp/evil", "/tmp/evil"),
        ("/tmp/x.sh", "/tmp/x.sh"),
        ("/tmp/backdoor", "/tmp/backdoor"),
        ("/srv/a{b}", "/srv/a{{b}"),
        ("/srv/*", "/srv/*"),
        ("/", "/"),
        ("", ""),
    ];
    for (path, pattern) in cases {
        assert_eq!(generalise_path(path), pattern, "{path}");
        assert!(matches(pattern, path), "{path}");
    }
}

/// Components that come near to every rule.
fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_.{}-]{1,14}",
        "tmp[a-z0-9_]{8}(\\.[a-z]{1,3})?",
        "[a-z]{1,5}[.-][A-Za-z0-9]{6,10}",
        "[a-f0-9]{8,40}",
        "[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}",
        "\\.\\.20[0-9]{2}_1[0-2]_2[0-9]_1[0-9]_2[0-9]_3[0-9]\\.[0-9]{9}",
        "20[0-9]{2}-?1[0-2]-?2[0-9](T?1[0-9]2[0-9]3[0-9]Z?)?[._-]?[0-9]{0,9}",
        "[a-z]{1,6}[0-9]{3,10}",
        "[a-zA-Z0-9_]{8,10}",
        ".{0,8}",
        Just("tmp".to_owned()),
        Just("proc".to_owned()),
        Just("fd".to_owned()),
        Just("{secret:0011aabb}".to_owned()),
        "[0-9]{1,26}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    let root = prop::sample::select(vec![
        "",
        "/tmp",
        "/var/lib/x",
        "/proc",
        "/dev/shm",
        "/srv/tmp",
        "/home",
    ]);
    (root, prop::collection::vec(component(), 1..5))
        .prop_map(|(root, components)| format!("{root}/{}", components.join("/")))
}

/// Known whatever their letters.
const TEMPLATES: &[&str] = &[
    "/tmp/tmp[a-z0-9_]{8}",
    "/srv/app/tmp[a-z0-9_]{8}",
    "/tmp/tmp[a-z0-9_]{8}\\.json",
    "/tmp/tmp[a-z0-9_]{8}/x",
    "/tmp/tmp\\.[A-Za-z0-9]{10}",
    "/tmp/sh-thd\\.[A-Za-z0-9]{6}",
    "/srv/\\.git/objects/tmp_obj_[A-Za-z0-9]{6}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn spelled_names_are_seen_through_as_any_name(name in "(tmp|sess_|cc|file|ssh-|tmp\\.)?[a-z.-]{0,40}") {
        for temporary in [false, true] {
            let mut pattern = String::new();
            name::push(&mut pattern, &name, temporary, |_, _| false);
            let literal = is_spelled(&name) && template::find(&name).is_none();
            prop_assert!(!literal || pattern == name, "{} {}", name, pattern);
        }
    }

    #[test]
    fn every_path_matches_its_own_pattern(path in path()) {
        let pattern = generalise_path(&path);
        prop_assert!(matches(&pattern, &path), "{} {}", path, pattern);
    }

    #[test]
    fn every_text_matches_its_own_pattern(path in "\\PC*") {
        prop_assert!(matches(&generalise_path(&path), &path));
    }

    #[test]
    fn names_of_one_template_share_a_pattern(names in prop::sample::select(TEMPLATES).prop_flat_map(|t| [t, t])) {
        let pattern = generalise_path(&names[0]);
        prop_assert_eq!(&generalise_path(&names[1]), &pattern);
        prop_assert!(pattern.contains("{rand:"), "{}", pattern);
    }

    #[test]
    fn nothing_is_generalised_where_names_are_evidence(
        prefix in prop::sample::select(place::fixed_prefixes()),
        rest in "(/[a-zA-Z0-9_.-]{1,14}){1,3}",
    ) {
        let path = format!("{prefix}{rest}");
        prop_assert_eq!(generalise_path(&path), escape(&path));
    }
}
