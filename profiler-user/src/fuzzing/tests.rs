//! The corpus of the fuzzer, and what is too large for it: never a panic, and what must not be taken is refused by name.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// Seeds that are hostile, and words of the reason.
const REFUSED: &[(&str, &str, &str)] = &[
    ("baseline", "array.json", "it is no JSON object"),
    ("baseline", "byte-order-mark.json", "expected value at line 1 column 1"),
    ("baseline", "count-too-large.json", "\"000A*18446744073709551616\" names no run"),
    ("baseline", "deep.json", "recursion limit exceeded"),
    ("baseline", "deep-in-place.json", "recursion limit exceeded"),
    ("baseline", "empty.json", "breaks off after 0 bytes"),
    ("baseline", "field-twice.json", "duplicate field `generaliser`"),
    ("baseline", "generaliser-too-large.json", "integer `4294967296`, expected u32"),
    ("baseline", "invalid-utf8.json", "invalid unicode code point"),
    ("baseline", "key-twice.json", "the key \"/etc/hosts\" is there twice"),
    ("baseline", "lone-surrogate.json", "unexpected end of hex escape"),
    ("baseline", "negative-count.json", "integer `-1`, expected u64"),
    ("baseline", "newer-generaliser.json", "generaliser 4294967295, which is newer"),
    ("baseline", "newer-schema.json", "schema \"driftline.baseline/v2\", which is newer"),
    ("baseline", "no-time.json", "date is not valid"),
    ("baseline", "null.json", "invalid type: null"),
    ("baseline", "number-too-large.json", "number out of range"),
    ("baseline", "other-schema.json", "\"\\u{1b}[2Jother\" is not that of a baseline"),
    ("baseline", "raw-control-character.json", "control character"),
    ("baseline", "run-of-two-words.json", "\"a b\" names no run"),
    ("baseline", "run-unknown.json", "which is not exactly one of `runs`"),
    ("baseline", "run-with-a-count.json", "\"a*3@1\" names no run"),
    ("baseline", "run-without-a-name.json", "\"\" names no run"),
    ("baseline", "trailing.json", "trailing characters"),
    ("baseline", "truncated-in-a-character.json", "breaks off after"),
    ("baseline", "truncated.json", "breaks off after"),
    ("baseline", "unknown-field-with-escape.json", "unknown field `\\u{1b}[31mread\\n`"),
    ("baseline", "unknown-field.json", "unknown field `reed`"),
    ("baseline", "unknown-phase.json", "middle\" is none of start, steady, stop"),
    ("baseline", "window-too-large.json", "\"000A@64\" names no run"),
    ("bind", "array.json", "it is no JSON object"),
    ("bind", "deep.json", "recursion limit exceeded"),
    ("bind", "empty.json", "EOF while parsing"),
    ("bind", "key-twice.json", "the key \"map\" is there twice"),
    ("bind", "many-to-none.json", "cannot take the place of"),
    ("bind", "mapped-twice.json", "are both from \"a.b\""),
    ("bind", "newer-schema.json", "is not \"driftline.bind/v1\""),
    ("bind", "no-entry.json", "is no entry of \"peers\""),
    ("bind", "no-host.json", "\"\" is no host"),
    ("bind", "overlap.json", "overlap"),
    ("bind", "subnet-too-large.json", "\"10.0.0.0/33\" is no subnet"),
    ("bind", "truncated.json", "EOF while parsing"),
    ("bind", "unknown-field.json", "unknown field `\\u{1b}maps`"),
    ("bind", "unknown-list.json", "unknown variant `\\u{1b}files`"),
    ("envelope", "deep.json", "recursion limit exceeded"),
    ("envelope", "empty.json", "EOF while parsing"),
    ("envelope", "key-twice.json", "the key \"payload\" is there twice"),
    ("envelope", "many-signatures.json", "65 signatures, more than 64"),
    ("envelope", "missing.json", "missing field `signatures`"),
    ("envelope", "no-base64.json", "its payload is no base64"),
    ("envelope", "no-object.json", "it is no DSSE envelope"),
    ("envelope", "other-type.json", "\"text/plain\\u{1b}[31m\", not"),
    ("envelope", "payload-changed.json", "none of its 1 signatures is by a trusted key"),
    ("envelope", "payload-of-deep.json", "recursion limit exceeded"),
    ("envelope", "payload-of-nothing.json", "it holds no in-toto statement"),
    ("envelope", "swapped.json", "none of its 1 signatures is by a trusted key"),
    ("envelope", "truncated-signature.json", "none of its 1 signatures is by a trusted key"),
    ("envelope", "truncated.json", "EOF while parsing"),
    ("envelope", "type-changed.json", "none of its 1 signatures is by a trusted key"),
    ("envelope", "unsigned.json", "none of its 0 signatures is by a trusted key"),
    ("statement", "altered.json", "signed was \\u{1b}[31msha256:0"),
    ("statement", "deep.json", "recursion limit exceeded"),
    ("statement", "empty.json", "it holds no in-toto statement"),
    ("statement", "expired.json", "its signature was good until 2026-01-02T15:40:00Z"),
    ("statement", "invalid-utf8.json", "invalid unicode code point"),
    ("statement", "key-twice.json", "the key \"subject\" is there twice"),
    ("statement", "no-statement.json", "not an in-toto statement"),
    ("statement", "no-subject.json", "about another image"),
    ("statement", "one-of-two-subjects.json", "about another image"),
    (
        "statement",
        "other-predicate.json",
        "its predicate is \"https://slsa.dev/provenance/v1\\u{1b}\"",
    ),
    ("statement", "other-subject.json", "about another image"),
    ("statement", "truncated.json", "EOF while parsing"),
    ("statement", "wrong-type.json", "it holds no in-toto statement"),
];

/// Seeds that look strange and are meant: refusing them would be as wrong.
const TAKEN: &[(&str, &str)] = &[
    ("baseline", "control-characters.json"),
    ("baseline", "ends-of-time.json"),
    ("baseline", "fans-out.json"),
    ("baseline", "first-version.json"),
    ("baseline", "huge-numbers.json"),
    ("baseline", "ill-formed-patterns.json"),
    ("baseline", "least.json"),
    ("baseline", "small.json"),
    ("baseline", "strange-runs.json"),
    ("baseline", "web.json"),
    ("bind", "all.json"),
    ("bind", "families.json"),
    ("bind", "least.json"),
    ("envelope", "second-of-two.json"),
    ("envelope", "signed.json"),
    ("envelope", "url-safe.json"),
    ("envelope", "without-keyid.json"),
    ("statement", "before-v1.json"),
    ("statement", "expires-later.json"),
    ("statement", "signed.json"),
];

/// Git holds it, and every clone.
const CORPUS_MAX: u64 = 300_000;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(target)
}

fn answer(target: &str, bytes: &[u8]) -> Answer {
    let (_, entry) = TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    entry(bytes)
}

fn of_seed(target: &str, seed: &str) -> Answer {
    let path = corpus(target).join(seed);
    answer(target, &fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

#[test]
fn nothing_in_the_corpus_panics() {
    let mut size = 0;
    for (target, _) in TARGETS {
        let mut answers = [0, 0];
        for file in fs::read_dir(corpus(target)).unwrap() {
            let path = file.unwrap().path();
            // Shown only where the test fails: which one it was.
            eprintln!("{}", path.display());
            let bytes = fs::read(&path).unwrap();
            size += bytes.len() as u64;
            answers[usize::from(answer(target, &bytes).is_ok())] += 1;
        }
        assert!(answers[0] >= 10 && answers[1] >= 3, "{target}: {answers:?}");
    }
    assert!(size < CORPUS_MAX, "{size} bytes");
}

#[test]
fn hostile_seeds_are_refused_with_the_reason() {
    for (target, seed, expected) in REFUSED {
        let reason = of_seed(target, seed).expect_err(seed);
        assert!(reason.contains(expected), "{target}/{seed}: {reason}");
    }
}

#[test]
fn strange_seeds_are_taken() {
    for (target, seed) in TAKEN {
        assert_eq!(of_seed(target, seed), Ok(()), "{target}/{seed}");
    }
}

#[test]
fn every_cut_of_a_file_is_refused() {
    for (target, seed) in
        [("baseline", "small.json"), ("bind", "all.json"), ("statement", "signed.json")]
    {
        let whole = fs::read(corpus(target).join(seed)).unwrap();
        let end = whole.trim_ascii_end().len();
        for cut in (0..end).step_by(7).chain(end - 9..end) {
            assert!(
                answer(target, &whole[..cut]).is_err(),
                "{target}/{seed} cut after {cut} bytes"
            );
        }
    }
}

#[test]
fn a_hundred_thousand_brackets_are_refused() {
    for open in ["[", "{\"a\":", "[{\"schema\":"] {
        let deep = open.repeat(100_000);
        for (target, _) in TARGETS {
            let reason = answer(target, deep.as_bytes()).expect_err(target);
            let expected = ["recursion limit", "no JSON object", "breaks off"];
            assert!(expected.iter().any(|words| reason.contains(words)), "{target}: {reason}");
        }
    }
    // Where a value that nobody knows may be.
    let own = fs::read_to_string(corpus("baseline").join("least.json")).unwrap();
    let deep = "[".repeat(100_000);
    let deep = own.trim_end().trim_end_matches('}').to_owned()
        + ",\"x\":"
        + &deep
        + &"]".repeat(100_000)
        + "}";
    let reason = baseline(deep.as_bytes()).expect_err("it is deep");
    assert!(reason.contains("recursion limit"), "{reason}");
}

/// 300 MB of nothing, sparse: what is read of it must be bounded before it is looked at.
#[test]
fn a_huge_file_is_refused_unread() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge.json");
    let envelope = attest::envelope_path(&path);
    for path in [&path, &envelope] {
        fs::File::create(path).unwrap().set_len(300_000_000).unwrap();
    }
    let before = std::time::Instant::now();
    let reasons = [
        refusal(baseline::load_file(&path).unwrap_err()),
        refusal(attest::read_envelope(&path).unwrap_err()),
        refusal(Bind::load(&path).unwrap_err()),
        refusal(attest::SigningKey::read(&path).err().unwrap()),
    ];
    for reason in reasons {
        assert!(reason.contains("it is larger than"), "{reason}");
    }
    assert!(before.elapsed().as_secs() < 20, "{:?}", before.elapsed());
}

/// Each of very many programs runs the next, and does what no pattern says briefly.
#[test]
fn neither_long_chains_nor_long_patterns_take_the_stack() {
    let seen = r#"{"first":"2026-01-02T15:04:05Z","last":"2026-01-02T15:04:05Z","runs":"all"}"#;
    let chain = (0..500).map(|at| format!(r#""/{}":{{"parents":{{"/{at}":{seen}}}}}"#, at + 1));
    let reads = ["{hex:0}", "{hex:1}", "{date}", "{"]
        .map(|part| format!(r#""/{part}":{{"read":{{"/{}":{seen}}}}}"#, part.repeat(20_000)));
    let programs: Vec<_> = chain.chain(reads).collect();
    let least = fs::read_to_string(corpus("baseline").join("least.json")).unwrap();
    let text = least.trim_end().trim_end_matches('}');
    let text = format!("{text},\"executables\":{{{}}}}}", programs.join(","));
    assert_eq!(baseline(text.as_bytes()), Ok(()));
    let held = read(text.as_bytes()).unwrap();
    let pages = pages::for_people(&held, &held, now());
    let width = pages.iter().flat_map(|page| page.lines()).filter(|line| !line.contains('{'));
    assert!(width.map(|line| line.chars().count()).max().unwrap() < 250);

    let value = "a".repeat(200_000);
    for (part, matches) in [("{hex:1}", true), ("{hex:0}", false)] {
        let pattern = crate::generalise::Pattern::parse(&part.repeat(200_000));
        assert_eq!(pattern.matches(&value, crate::generalise::Secrets::Exact), matches, "{part}");
    }
}
