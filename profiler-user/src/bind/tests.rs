use proptest::prelude::*;

use super::*;

fn file(map: &[(&str, &str)]) -> Vec<u8> {
    let map = map.iter().map(|(from, to)| Mapping { from: (*from).into(), to: (*to).into() });
    let (relearn, accept) = (BTreeSet::new(), BTreeSet::new());
    let schema_version = SCHEMA.to_owned();
    serde_json::to_vec(&BindFile { schema_version, map: map.collect(), relearn, accept }).unwrap()
}

fn bind(map: &[(&str, &str)]) -> Bind {
    Bind::parse(&file(map)).unwrap()
}

#[test]
fn each_end_takes_the_place_of_its_own_kind_or_another() {
    let bind = bind(&[
        ("db.staging.svc", "db.prod.svc"),
        (".stage.example.com", ".example.com"),
        (".old.example.net", "10.9.3.0/28"),
        ("10.1.0.0/16", "10.9.0.0/16"),
        ("192.168.1.7", "fd00::7"),
        ("fd12::/16", "cache.prod.svc"),
        ("pod:staging/", "pod:shop/"),
        ("pod:tools/cron", "10.9.9.9"),
    ]);
    for (host, expected) in [
        ("db.staging.svc", Some("db.prod.svc")),
        ("xdb.staging.svc", None),
        ("a.b.stage.example.com", Some("a.b.example.com")),
        ("stage.example.com", None),
        ("q.old.example.net", Some("{net:10.9.3.0-10.9.3.15}")),
        ("10.1.255.255", Some("{net:10.9.0.0-10.9.255.255}")),
        ("10.2.0.0", None),
        ("192.168.1.7", Some("fd00::7")),
        ("fd12::1", Some("cache.prod.svc")),
        ("pod:staging/db", Some("pod:shop/db")),
        ("pod:staging2/db", None),
        ("pod:tools/cron", Some("10.9.9.9")),
        ("{private}", None),
    ] {
        assert_eq!(bind.host(host).as_deref(), expected, "{host}");
    }
    assert_eq!(bind.name("db.staging.svc"), Said::Called("db.prod.svc".to_owned()));
    assert_eq!(bind.name("q.old.example.net"), Said::Gone, "nobody resolves an address");
    assert_eq!(bind.name("example.com"), Said::Nothing);
    assert!(bind.id.starts_with("sha256:"));
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    for (map, expected) in [
        (&[("a.b", "c"), ("a.b", "d")][..], "mappings 1 and 2 are both from \"a.b\""),
        (&[("A.b.", "c"), ("a.b", "d")], "mappings 1 and 2 overlap"),
        (&[("10.1.0.0/16", "10.9.0.0/16"), ("10.1.2.0/24", "10.9.2.0/24")], "1 and 2 overlap"),
        (&[("10.0.0.0/8", "fd00::/8"), ("x", "y"), ("10.1.2.3", "10.9.2.3")], "1 and 3 overlap"),
        (&[(".svc", ".b"), ("db.svc", "db.b")], "mappings 1 and 2 overlap"),
        (&[(".svc", ".b"), (".staging.svc", ".c")], "mappings 1 and 2 overlap"),
        (&[("pod:a/", "pod:b/"), ("pod:a/x", "pod:b/y")], "mappings 1 and 2 overlap"),
        (&[("10.1.2.3/16", "10.9.0.0/16")], "\"from\" of mapping 1: \"10.1.2.3/16\" is no subnet"),
        (&[("10.1.0.0/16", "10.9.0.0/33")], "\"to\" of mapping 1: \"10.9.0.0/33\" is no subnet"),
        (&[("10.1.0.0/+8", "x")], "no number up to 32"),
        (&[("10.1.0.0/", "x")], "no number up to 32"),
        (&[("10.1.0/16", "x")], "does not begin with an address"),
        (&[("10.1.0.300", "x")], "is no host"),
        (&[("::ffff:10.0.0.0/104", "x")], "IPv4 address in IPv6's words"),
        (&[("127.0.0.0/8", "10.0.0.0/8")], "every container's own"),
        (&[("x", "0.0.0.0/0")], "every container's own"),
        (&[("db", "169.254.169.254")], "only ever stands for itself"),
        (&[("db", ".prod.svc")], "cannot take the place of \"db\""),
        (&[("pod:a/x", "pod:b/")], "cannot take the place of \"pod:a/x\""),
        (&[("pod:a", "x")], "is no pod"),
        (&[("pod:/x", "x")], "is no pod"),
        (&[("", "x")], "is no host"),
        (&[("a b", "x")], "is no host"),
        (&[("a..b", "x")], "is no host"),
        (&[("*.svc", "x")], "is no host"),
        (&[("db", "{public}")], "is no host"),
        (&[("tcp://db", "x")], "is no subnet"),
    ] {
        let why = Bind::parse(&file(map)).unwrap_err();
        assert!(why.contains(expected), "{map:?}: {why}");
    }
}

#[test]
fn other_files_are_refused_with_the_reason() {
    let version = r#""schema_version":"driftline.bind/v1""#;
    for (text, expected) in [
        ("", "EOF"),
        ("[\"driftline.bind/v1\"]", "no JSON object"),
        ("{}", "missing field `schema_version`"),
        (r#"{"schema_version":"driftline.bind/v2","mop":1}"#, "the one that this driftline knows"),
        (&format!(r#"{{{version},"mop":[]}}"#), "unknown field `mop`"),
        (&format!(r#"{{{version},"map":[],"map":[]}}"#), "the key \"map\" is there twice"),
        (&format!(r#"{{{version},"relearn":["mounts"]}}"#), "unknown variant `mounts`"),
        (&format!(r#"{{{version},"map":[{{"from":"a"}}]}}"#), "missing field `to`"),
        (
            &format!(
                r#"{{{version},"accept":[{{"executable":"/a","list":"peers","entry":"db"}}]}}"#
            ),
            "take it from an event's drift.relearn",
        ),
        (
            &format!(
                r#"{{{version},"accept":[{{"executable":"/a","list":"peers","entry":"tcp {{net:10.0.0.0-10.0.0.9}}:1"}}]}}"#
            ),
            "take it from an event's drift.relearn",
        ),
    ] {
        let why = Bind::parse(text.as_bytes()).unwrap_err();
        assert!(why.contains(expected), "{text}: {why}");
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_or_taken_without_a_panic(from in ".{0,20}", to in "[0-9a-f./:]{0,20}") {
        let _ = Bind::parse(&file(&[(&from, &to)]));
        let _ = Bind::parse(from.as_bytes());
    }

    #[test]
    fn a_subnet_takes_its_own_addresses_and_no_others(bits in 1..=32_u32, base: u32, other: u32) {
        let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
        let address = |bits: u32| std::net::Ipv4Addr::from_bits(bits);
        let map = file(&[(&format!("{}/{bits}", address(base & !rest)), "db")]);
        // Loopback and the like are refused.
        if let Ok(bind) = Bind::parse(&map) {
            let inside = other & !rest == base & !rest;
            let literal = crate::generalise::is_literal(address(other).into());
            prop_assert_eq!(bind.host(&address(other).to_string()).is_some(), inside && !literal);
        }
    }
}
