use proptest::prelude::*;

use super::super::generalise_args;
use super::*;

const CONVERT: &str = "/usr/bin/convert";

fn args(line: &str) -> Vec<String> {
    split_args(line).unwrap()
}

fn vector(executable: &str, line: &str) -> Option<Vector> {
    Vector::parse(executable, &generalise_args(&args(line), false))
}

/// Of lists that have one frame.
#[track_caller]
fn joined(executable: &str, lines: &[&str]) -> String {
    let all: Vec<_> = lines.iter().map(|line| vector(executable, line).expect(line)).collect();
    assert!(all.iter().all(|one| one.frame() == all[0].frame()), "{lines:?}");
    all.into_iter().reduce(Vector::join).unwrap().line()
}

fn matches(pattern: &str, line: &str) -> bool {
    let words: Vec<_> = args(pattern).iter().map(|word| Word::parse(word)).collect();
    words_match(&words, &args(line), Secrets::Exact)
}

#[test]
fn what_differs_becomes_a_wildcard_and_the_rest_stays() {
    for (lines, pattern) in [
        (
            &["convert a.png /out/a.jpg", "convert b.png /out/b.jpg"][..],
            "convert {either:a.png,b.png} {either:/out/a.jpg,/out/b.jpg}",
        ),
        (
            &[
                "convert 1a.png x.jpg",
                "convert b.png x.jpg",
                "convert c.png x.jpg",
                "convert d.png x.jpg",
                "convert e.png x.jpg",
            ],
            "convert {arg:name} x.jpg",
        ),
        (
            &["sum -b /data/a", "sum -b /data/b /data/c/d", "sum -b /data/e /data/f"],
            "sum -b {args:/data}",
        ),
        (
            &["ls l-20260102.gz l-20260103", "ls l-20260102 l-20260102.gz l-20260103.gz"],
            "ls {each:l-{date},l-{date}.gz}",
        ),
        (&["ls l-20260102", "ls l-20260103 l-20260104"], "ls {each:l-{date}}"),
        (&["ls l-20260102", "ls l-20260102.gz"], "ls {either:l-{date},l-{date}.gz}"),
        (&["psql -c 'select a from t'", "psql -c 'select b from u'"], "psql -c {arg:text:select}"),
        (&["curl -s https://host/a?b", "curl -s https://host/c"], "curl -s {arg:https://host}"),
    ] {
        assert_eq!(joined(CONVERT, lines), pattern);
        for line in lines {
            assert!(matches(pattern, line), "{pattern} {line}");
        }
    }
}

#[test]
fn another_deed_is_another_frame() {
    let frame = |line: &str| vector(CONVERT, line).map(|vector| vector.frame());
    for (one, other) in [
        ("x -o a.png", "x -i a.png"),
        ("x commit a.png", "x push a.png"),
        ("x /data/a", "x /srv/a"),
        ("x 'select a'", "x 'copy a'"),
        ("x https://a/b", "x https://b/b"),
        ("x a.png", "x a.png y=z"),
    ] {
        assert!(frame(one).is_some(), "{one}");
        assert_ne!(frame(one), frame(other), "{one} {other}");
    }
    for never in ["x", "x -v", "x commit", "x /etc/passwd", r"x '\! id'", "sh -c 'echo a.png'"] {
        assert_eq!(frame(never), None, "{never}");
    }
}

#[test]
fn a_wildcard_takes_its_class_alone() {
    for (pattern, line, expected) in [
        ("convert {arg:name} x", "convert a.png x", true),
        ("convert {arg:name} x", "convert -write x", false),
        ("convert {arg:name} x", "convert /data/a x", false),
        ("convert {arg:name} x", "convert ../a x", false),
        ("convert {arg:name} x", "convert a.png b.png x", false),
        // In the place of a command.
        ("convert {arg:name} x", "convert install x", false),
        ("convert a.png {arg:name}", "convert a.png install", true),
        ("cat {arg:/data}", "cat /data/x/y", true),
        ("cat {arg:/data}", "cat /data/../etc/passwd", false),
        ("cat {arg:/data}", "cat /data/.ssh/key", false),
        ("cat {arg:/data}", "cat /database/x", false),
        ("cat {args:/data}", "cat", false),
        ("cat {args:/data}", "cat /data/a /data/b /data/c", true),
        ("cat {args:/data}", "cat /data/a /etc/passwd", false),
        ("cat {args:/data} -", "cat /data/a /data/b -", true),
        ("psql -c {arg:text:select}", "psql -c 'select 1'", true),
        ("psql -c {arg:text:select}", "psql -c 'selective x'", false),
        ("psql -c {arg:text:select}", "psql -c 'copy x to program'", false),
        ("x {either:a.b,c.d}", "x c.d", true),
        ("x {either:a.b,c.d}", "x e.f", false),
        ("x {either:a.b,c.d}", "x a.b,c.d", false),
        ("ls {each:l-{date},m}", "ls m l-20260102 l-20260103", true),
        ("ls {each:l-{date},m}", "ls", false),
        ("ls {each:l-{date},m}", "ls m l-20260102 l-2026", false),
        ("ls {each:l-{date},m}", "ls m l-20260102 /etc/passwd", false),
    ] {
        assert_eq!(matches(pattern, line), expected, "{pattern} | {line}");
    }
}

#[test]
fn what_looks_like_a_wildcard_and_is_none_stays_literal() {
    for text in ["{arg:name}", "{args:name}", "{either:a.b,c.d}", "{pid}", "*", "x*", "{args:*}"] {
        let list = ["x".to_owned(), text.to_owned()];
        let pattern = generalise_args(&list, false);
        let words: Vec<_> = args(&pattern).iter().map(|word| Word::parse(word)).collect();
        assert!(words_match(&words, &list, Secrets::Exact), "{pattern}");
        for other in ["a.b", "4711", "y", "x4711"] {
            let other = ["x".to_owned(), other.to_owned()];
            assert!(!words_match(&words, &other, Secrets::Exact), "{pattern} {other:?}");
        }
        assert_eq!(Vector::parse(CONVERT, &pattern), None, "{pattern}");
    }
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-f]\\.png",
        2 => "/(data|srv|etc)/[a-d]",
        1 => "-[a-c]",
        1 => "(select|copy) [a-f ]{1,3}",
        1 => "https?://[ab](:80)?/[a-c]",
        1 => "\\PC{0,6}",
        1 => "[0-9a-z{}:,./-]{0,12}",
        1 => Just("commit".to_owned()),
        1 => "\\{(arg|args|each|either):(name|/data|a\\.b,c\\.d)\\}",
    ]
}

fn list() -> impl Strategy<Value = Vec<String>> {
    let of_words = prop::collection::vec(word(), 0..11);
    (prop_oneof![Just("x"), Just("sh"), Just("/bin/chmod")], of_words)
        .prop_map(|(program, words)| [vec![program.to_owned()], words].concat())
}

/// Lists of which many have one frame.
fn alike() -> impl Strategy<Value = Vec<Vec<String>>> {
    let one = prop::collection::vec("[a-f]\\.png|[a-f] b|/data/\\{?[a-f]|[ab]-[1-9]", 0..10);
    let options = prop::sample::select(vec!["-v", "-o"]);
    let list = (options, one)
        .prop_map(|(option, words)| [vec!["x".to_owned(), option.to_owned()], words].concat());
    prop::collection::vec(list, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_list_matches_what_it_was_joined_into(lists in alike(), other in list()) {
        let mut joined: Option<Vector> = None;
        let mut of_frame = Vec::new();
        for list in &lists {
            let Some(one) = Vector::parse(CONVERT, &generalise_args(list, false)) else { continue };
            match &joined {
                Some(so_far) if so_far.frame() != one.frame() => continue,
                Some(so_far) => joined = Some(so_far.clone().join(one)),
                None => joined = Some(one),
            }
            of_frame.push(list.clone());
        }
        if let Some(joined) = joined {
            let words: Vec<_> = args(&joined.line()).iter().map(|word| Word::parse(word)).collect();
            for list in &of_frame {
                prop_assert!(words_match(&words, list, Secrets::Exact), "{:?} {}", list, joined.line());
            }
            // What matches would have been joined.
            if words_match(&words, &other, Secrets::Exact) {
                let other = Vector::parse(CONVERT, &generalise_args(&other, false));
                prop_assert_eq!(other.map(|other| other.frame()), Some(joined.frame()));
            }
        }
    }

    #[test]
    fn a_line_is_read_back_as_it_was_written(one in list(), lists in alike()) {
        let parse = |list: &Vec<String>| Vector::parse(CONVERT, &generalise_args(list, false));
        for vector in lists.iter().chain([&one]).filter_map(parse) {
            for other in lists.iter().filter_map(parse).filter(|other| other.frame() == vector.frame()) {
                let joined = vector.clone().join(other.clone());
                prop_assert_eq!(&joined, &other.join(vector.clone()));
                prop_assert_eq!(&joined, &joined.clone().join(vector.clone()));
                prop_assert_eq!(Vector::parse(CONVERT, &joined.line()), Some(joined));
            }
            prop_assert_eq!(Vector::parse(CONVERT, &vector.line()), Some(vector));
        }
    }
}
