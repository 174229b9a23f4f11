//! Paths, component by component.

use std::cell::RefCell;
use std::fmt::Write as _;

use super::pattern::push_escaped;
use super::place::{Place, Walk};
use super::{date, name, template, token};

/// The pattern of an absolute, resolved path, or of the name of something without one (`pipe:[4711]`).
pub fn generalise_path(path: &str) -> String {
    let Some((directory, name)) = path.rsplit_once('/') else {
        let mut pattern = String::new();
        push_component(&mut pattern, "", path, Place::Ordinary);
        return pattern;
    };
    LAST.with_borrow_mut(|last| {
        if last.path != directory {
            *last = Directory::of(directory);
        }
        let mut leaf = std::mem::take(&mut last.leaf);
        leaf.clear();
        push_component(&mut leaf, directory, name, last.inside);
        let directory = match &last.sharded {
            Some(sharded) if is_hash(&leaf) => sharded,
            _ => &last.pattern,
        };
        let mut pattern = String::with_capacity(directory.len() + 1 + leaf.len());
        pattern.push_str(directory);
        pattern.push('/');
        pattern.push_str(&leaf);
        last.leaf = leaf;
        pattern
    })
}

thread_local! {
    /// Where the last name was: the next one is mostly there too.
    static LAST: RefCell<Directory> = RefCell::new(Directory::of(""));
}

/// What all names in a directory have in common.
struct Directory {
    path: String,
    pattern: String,
    /// The pattern for a file that is called after a hash, where the directory may be one of those that caches and object
    /// stores spread such files over: `/cache/7/4f/` of `/cache/7/4f/…94f7`.
    sharded: Option<String>,
    inside: Place,
    /// Memory for the pattern of a name.
    leaf: String,
}

/// Directories below one another that spread files over.
const LEVELS: usize = 2;

/// Hexadecimal digits of a name that is nothing but a hash.
const HASH: usize = 16;

impl Directory {
    fn of(path: &str) -> Self {
        let mut pattern = String::with_capacity(path.len() + 8);
        let mut walk = Walk::ROOT;
        let mut start = 0_usize;
        let mut shards = Vec::new();
        for component in path.split('/') {
            if start > 0 {
                pattern.push('/');
            }
            if walk.place() != Place::Fixed && is_shard(component) {
                shards.push((pattern.len(), component.len()));
            } else {
                shards.clear();
            }
            // Without the slash before this component.
            let directory = &path[..start.saturating_sub(1)];
            push_component(&mut pattern, directory, component, walk.place());
            walk.enter(&path[..start + component.len()], component);
            start += component.len() + 1;
        }
        let sharded = shards.get(shards.len().saturating_sub(LEVELS)).map(|(start, _)| {
            let mut sharded = pattern[..*start].to_owned();
            for (level, (_, digits)) in shards.iter().rev().take(LEVELS).rev().enumerate() {
                let slash = if level > 0 { "/" } else { "" };
                let _infallible = write!(sharded, "{slash}{{hex:{digits}}}");
            }
            sharded
        });
        Self { path: path.to_owned(), pattern, sharded, inside: walk.place(), leaf: String::new() }
    }
}

fn is_shard(component: &str) -> bool {
    matches!(component.len(), 1 | 2) && token::is_hex(component)
}

fn is_hash(pattern: &str) -> bool {
    let digits = pattern.strip_prefix("{hex:").and_then(|rest| rest.split_once('}'));
    digits.and_then(|(digits, _)| digits.parse().ok()).is_some_and(|digits: usize| digits >= HASH)
}

fn push_component(pattern: &mut String, directory: &str, component: &str, place: Place) {
    if is_spelled(component) && (place == Place::Fixed || template::find(component).is_none()) {
        return pattern.push_str(component);
    }
    if let Some(number) = kernel_number(directory, component) {
        return pattern.push_str(number);
    }
    if let Some((kind, number)) = component.strip_suffix(']').and_then(|name| name.split_once(":["))
        && is_number(number)
    {
        // pipe:[4711], socket:[4711], net:[4026531840]
        push_escaped(pattern, kind);
        return pattern.push_str(":[{num}]");
    }
    if component.strip_prefix("..").is_some_and(date::is_projected_volume) {
        return pattern.push_str("..{date}");
    }
    if let Some(compiled) = half_written_bytecode(directory, component) {
        push_escaped(pattern, compiled);
        return pattern.push_str("{num}");
    }
    // A library's version belongs to its identity.
    let is_library = || component.split('.').skip(1).any(|part| part == "so");
    if place == Place::Fixed || is_library() {
        push_escaped(pattern, component);
    } else {
        name::push(pattern, component, place == Place::Temporary, |_, _| false);
    }
}

/// Numbers that the kernel hands out, in places where nothing else is generalised.
fn kernel_number(directory: &str, component: &str) -> Option<&'static str> {
    if !is_number(component) {
        return None;
    }
    if directory == "/dev/pts" {
        return Some("{num}");
    }
    if directory == "/proc" {
        return Some("{pid}");
    }
    let (process, inside) = directory.strip_prefix("/proc/")?.split_once('/')?;
    if !(is_number(process) || process == "self" || process == "thread-self") {
        return None;
    }
    let inside = match inside.strip_prefix("task/").map(|task| task.split_once('/')) {
        Some(Some((thread, inside))) if is_number(thread) => inside,
        _ => inside,
    };
    match inside {
        "task" => Some("{pid}"),
        "fd" | "fdinfo" => Some("{num}"),
        _ => None,
    }
}

/// Python writes compiled modules beside their sources under a name with a number, then renames them. A root-owned image
/// without them does so at each start, under `/usr`; nothing ever imports or runs a file of this name.
fn half_written_bytecode<'a>(directory: &str, component: &'a str) -> Option<&'a str> {
    if !component.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (compiled, number) = component.rsplit_once('.')?;
    let (_, extension) = compiled.rsplit_once('.')?;
    let written = directory.ends_with("/__pycache__")
        && extension == "pyc"
        && number.len() >= 8
        && is_number(number);
    written.then(|| &component[..=compiled.len()])
}

/// As most names are: of small letters, in which no rule but a template sees anything that changes.
pub(super) fn is_spelled(name: &str) -> bool {
    /// Of letters alone, and yet no word.
    const UUID: usize = 36;
    name.len() < UUID && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'.' | b'-'))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
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
}
