use proptest::prelude::*;

use super::*;

#[test]
fn a_placeholder_matches_its_own_shape_only() {
    let cases = [
        ("/tmp/tmp{rand:8}", "/tmp/tmpabcdefgh", true),
        ("/tmp/tmp{rand:8}", "/tmp/tmpk3_j9x1z", true),
        ("/tmp/tmp{rand:8}", "/tmp/tmpABCDEFGH", false),
        ("/tmp/tmp{rand:8}", "/tmp/backdoor", false),
        ("/tmp/tmp{rand:8}", "/tmp/evil", false),
        ("/tmp/tmp{rand:8}", "/tmp/tmpabcdefgh.sh", false),
        ("/tmp/tmp{rand:8}", "/tmp/tmpabcdefgh/x", false),
        ("/tmp/sh-thd.{rand:6}", "/tmp/sh-thd.secret", true),
        ("/tmp/sh-thd.{rand:6}", "/tmp/sh-thd.secrets", false),
        ("/tmp/{rand:8}", "/tmp/backdoor", false),
        ("/tmp/{rand:8}", "/tmp/k3j9x1zq", true),
        ("/tmp/{rand:8}", "/tmp/kqzvbwxj", true),
        ("/tmp/{rand:8}", "/tmp/ab_defgh", true),
        ("/proc/{pid}/stat", "/proc/1/stat", true),
        ("/proc/{pid}/stat", "/proc/self/stat", false),
        ("/a/{hex:8}", "/a/deadbeef", true),
        ("/a/{hex:8}", "/a/deadBEEF", false),
        ("/a/{date}.log", "/a/2026-01-02.log", true),
        ("/a/{date}.log", "/a/yesterday.log", false),
        ("/a/{{num}", "/a/{num}", true),
        ("/a/{{num}", "/a/12", false),
        ("/a/*", "/a/b", false),
        ("/a/{odd}", "/a/{odd}", true),
        ("/a/{hex:0}", "/a/", false),
        ("/a/{rand:0}", "/a/{rand:0}", true),
    ];
    for (pattern, value, expected) in cases {
        assert_eq!(matches(pattern, value), expected, "{pattern} {value}");
    }
}

#[test]
fn secrets_compare_by_hash_unless_the_key_changed() {
    let pattern = Pattern::parse("--password={secret:0011aabb}");
    let same = "--password={secret:0011aabb}";
    let other = "--password={secret:ffffffff}";
    assert!(pattern.matches(same, Secrets::Exact));
    assert!(!pattern.matches(other, Secrets::Exact));
    assert!(pattern.matches(other, Secrets::Any));
    assert!(!pattern.matches("--password=plain", Secrets::Any));
}

#[test]
fn a_date_ends_where_the_rest_fits() {
    // The first is eight digits or fourteen long.
    let dates = "20121020".repeat(40);
    assert!(Pattern::parse(&"{date}".repeat(40)).matches(&dates, Secrets::Exact));
    assert!(!Pattern::parse(&"{date}".repeat(39)).matches(&dates, Secrets::Exact));
    assert!(Pattern::parse("{date}{date}").matches(&dates[..22], Secrets::Exact));
    assert!(Pattern::parse("{date}-{num}").matches("20121020201210-1", Secrets::Exact));
    assert!(Pattern::parse("{date}201210-{num}").matches("20121020201210-1", Secrets::Exact));
}

proptest! {
    #[test]
    fn an_escaped_text_matches_itself(text in ".*") {
        prop_assert!(matches(&escape(&text), &text));
    }

    #[test]
    fn an_escaped_text_matches_nothing_else(text in "[{}a-z0-9:]{0,12}", other in "[{}a-z0-9:]{0,12}") {
        prop_assert_eq!(matches(&escape(&text), &other), text == other);
    }

    #[test]
    fn any_text_is_a_pattern_without_panic(pattern in ".*", value in ".*") {
        let _ = matches(&pattern, &value);
    }

    #[test]
    fn odd_placeholders_do_not_panic(pattern in "(\\{(num|rand:[0-9]{0,30}|hex:9|date|uuid|secret:ab)\\}|[é{}/])*", value in "[é0-9a-f/-]*") {
        let _ = matches(&pattern, &value);
    }
}
