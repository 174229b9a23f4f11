//! Arguments: what changes from run to run inside them, and how a list of them is written as one line.

use super::name::{self, Context};
use super::path::{generalise_path, is_spelled};
use super::pattern::{is_break, push_escaped, secret_at};
use super::template;

/// Where a number is a mode or an owner, and a different one is a different deed.
const LITERAL_NUMBERS: &[&str] = &["chgrp", "chmod", "chown", "install", "mknod", "setpriv"];

/// What stands for the rest of a list that was too long to keep.
const CUT: &str = "…";

/// The pattern of a whole argument list, quoted as [`join_args`] does. `cut`: there were more than these.
pub fn generalise_args(args: &[String], cut: bool) -> String {
    let program = args.first().map_or("", |name| name.rsplit('/').next().unwrap_or(name));
    let keep_numbers = LITERAL_NUMBERS.contains(&program);
    let mut patterns: Vec<_> = args.iter().map(|arg| generalise_arg(arg, keep_numbers)).collect();
    if cut {
        patterns.push(CUT.to_owned());
    }
    join_args(&patterns)
}

/// One line that a shell would split again, `{` and `}` unquoted so that placeholders stay readable.
pub fn join_args(args: &[impl AsRef<str>]) -> String {
    let mut line = String::with_capacity(args.iter().map(|arg| arg.as_ref().len() + 3).sum());
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        push_quoted(&mut line, arg.as_ref());
    }
    line
}

/// The reverse of [`join_args`]; nothing for a line with an unclosed quote.
pub fn split_args(line: &str) -> Option<Vec<String>> {
    shlex::split(line)
}

fn push_quoted(line: &mut String, arg: &str) {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'_' | b'-'..=b'/' | b':' | b'=' | b',' | b'@' | b'%' | b'+' | b'{' | b'}'
            )
    };
    let is_plain =
        arg.bytes().all(plain) || arg.chars().all(|c| c == '…' || u8::try_from(c).is_ok_and(plain));
    if !arg.is_empty() && is_plain {
        line.push_str(arg);
    } else if arg.contains('\'') && !arg.contains(['"', '$', '`', '\\', '!']) {
        line.extend(["\"", arg, "\""]);
    } else {
        line.push('\'');
        for (index, part) in arg.split('\'').enumerate() {
            if index > 0 {
                line.push_str(r"'\''");
            }
            line.push_str(part);
        }
        line.push('\'');
    }
}

pub(super) fn generalise_arg(arg: &str, keep_numbers: bool) -> String {
    let keeps = |context: &Context<'_>, number: &str| keep_numbers || is_fixed(context, number);
    if is_spelled(arg) && template::find(arg).is_none() {
        return arg.to_owned();
    }
    let mut pattern = String::with_capacity(arg.len() + 8);
    let mut at = 0;
    while at < arg.len() {
        let rest = &arg[at..];
        let length = if starts_path(rest, arg[..at].chars().next_back()) {
            let length = span(rest, |c| c == '/' || !is_break(c));
            pattern.push_str(&generalise_path(&rest[..length]));
            length
        } else if let Some(authority) = rest.strip_prefix("://") {
            let belongs = |c| ":[]".contains(c) || !(is_break(c) || "?#".contains(c));
            let length = "://".len() + span(authority, belongs);
            push_escaped(&mut pattern, &rest[..length]);
            length
        } else {
            let length = words_length(rest, arg[..at].chars().next_back());
            name::push(&mut pattern, &rest[..length], false, keeps);
            length
        };
        at += length;
    }
    pattern
}

fn starts_path(rest: &str, before: Option<char>) -> bool {
    rest.starts_with('/') && before.is_none_or(|c| is_break(c) && c != '/')
}

/// Up to the next path or URL, at least one character.
fn words_length(rest: &str, before: Option<char>) -> usize {
    let mut before = before;
    for (at, c) in rest.char_indices() {
        let begins = match c {
            '/' => starts_path(&rest[at..], before),
            ':' => rest[at..].starts_with("://"),
            _ => false,
        };
        if at > 0 && begins {
            return at;
        }
        before = Some(c);
    }
    rest.len()
}

/// How far characters that belong reach; a redacted secret belongs everywhere.
fn span(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let secret = if c == '{' { secret_at(&text[at..]) } else { None };
        at += match secret {
            Some(secret) => secret.len(),
            None if belongs(c) => c.len_utf8(),
            None => break,
        };
    }
    at
}

/// Numbers that are the program's own and no accident of this run: parts of addresses, ports and versions, numbered
/// flags, shell parameters and redirections.
fn is_fixed(context: &Context<'_>, number: &str) -> bool {
    let mut before = context.before.chars().rev();
    let (last, second) = (before.next(), before.next());
    let mut after = context.after.chars();
    let (next, second_next) = (after.next(), after.next());
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());

    let redirection =
        matches!(last, Some('$' | '<' | '>' | '&')) || matches!(next, Some('<' | '>'));
    let dotted = (last == Some('.') && digit(second)) || (next == Some('.') && digit(second_next));
    let port =
        (last == Some(':') && second.is_some_and(|c| !c.is_whitespace())) || next == Some(':');
    let flag = last == Some('-') && second.is_none_or(is_break);
    redirection
        || (dotted && number.len() < 5)
        || (port && number.len() <= 5)
        || (flag && number.len() < 3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Pattern, Secrets, matches};
    use super::*;

    fn pattern(arg: &str) -> String {
        generalise_arg(arg, false)
    }

    #[test]
    fn realistic_arguments() {
        let cases = [
            ("200", "{num}"),
            ("--pid=4711", "--pid={num}"),
            ("-9", "-9"),
            ("-4711", "-{num}"),
            ("/tmp/tmpabcdefgh", "/tmp/tmp{rand:8}"),
            ("--out=/tmp/tmp.Zx81kQpL0a", "--out=/tmp/tmp.{rand:10}"),
            ("/etc/nginx/10.conf", "/etc/nginx/10.conf"),
            (
                "cat /tmp/sh-thd.1a2B3c | wc -l >/tmp/out 2>&1",
                "cat /tmp/sh-thd.{rand:6} | wc -l >/tmp/out 2>&1",
            ),
            ("http://10.0.0.7:8080/item/42?x=1", "http://10.0.0.7:8080/item/{num}?x={num}"),
            ("10.0.0.7", "10.0.0.7"),
            ("localhost:5432", "localhost:5432"),
            ("python3.11", "python3.11"),
            ("0.5", "0.5"),
            ("job-6f1c3a52-9a10-4c0e-8f2a-1b2c3d4e5f60", "job-{uuid}"),
            ("backup_20260102.sql", "backup_{date}.sql"),
            ("--since=2026-01-02T15:04:05Z", "--since={date}"),
            // As a kernel's build does.
            (
                r##"utsver=$(echo "#1"  "Mon Nov 23 04:09:39 UTC 2026" | cut -b -64)"##,
                r##"utsver=$(echo "#{num}"  "{date}" | cut -b -64)"##,
            ),
            ("--password={secret:0011aabb}", "--password={secret:0011aabb}"),
            (
                "postgres://u:{secret:0011aabb}@db:5432/7",
                "postgres://u:{secret:0011aabb}@db:5432/{num}",
            ),
            ("{print $1}", "{{print $1}"),
            ("*.log", "*.log"),
            ("/proc/4711/status", "/proc/{pid}/status"),
            ("", ""),
        ];
        for (arg, expected) in cases {
            assert_eq!(pattern(arg), expected, "{arg}");
        }
    }

    #[test]
    fn a_mode_stays_literal() {
        let args = ["/bin/chmod", "4755", "/tmp/x"].map(String::from);
        assert_eq!(generalise_args(&args, false), "/bin/chmod 4755 /tmp/x");
        let args = ["sleep", "4755"].map(String::from);
        assert_eq!(generalise_args(&args, true), "sleep {num} …");
    }

    #[test]
    fn quoting_is_readable() {
        assert_eq!(join_args(&["sh", "-c", "echo it's {num}"]), r#"sh -c "echo it's {num}""#);
        assert_eq!(join_args(&["sh", "-c", "echo $x"]), "sh -c 'echo $x'");
        assert_eq!(join_args(&["a", ""]), "a ''");
    }

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,20}",
            ".{0,10}",
            "[a-z0-9./:=_{}$>&-]{0,30}",
            "(--?[a-z]{1,6}=)?/tmp/tmp[a-z0-9_]{8}(:/x|,| [0-9]{1,4})?",
            "https?://[a-z0-9.:\\[\\]{}]{1,12}/[a-z0-9_/-]{0,12}",
            "x=\\{secret:[0-9a-f]{8}\\}[a-z0-9/]{0,5}",
            "(x )?(Mon|Sun),? (Nov [ 1-3][0-9]|[1-9] Nov 2026) 04:09:[0-6]9 ([A-Z]{1,6}|[+-][0-9]{1,5})( 2026)?",
            "(x )?(Mon|Sun),? (Nov [ 1-3][0-9]|[1-9] Nov 2026) 04:09:[0-6]9 ([A-Z]{1,6}|[+-][0-9]{1,5})( 2026)?",
            "[a-z/=:.]{0,3}[0-9a-f_-]{6,40}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn every_argument_matches_its_own_pattern(arg in word()) {
            let pattern = pattern(&arg);
            prop_assert!(matches(&pattern, &arg), "{:?} {:?}", arg, pattern);
        }

        #[test]
        fn quoting_is_reversible(args in prop::collection::vec(word(), 0..5)) {
            prop_assert_eq!(split_args(&join_args(&args)), Some(args));
        }

        #[test]
        fn a_list_matches_its_own_line(args in prop::collection::vec(word(), 0..5)) {
            let line = generalise_args(&args, false);
            let patterns = split_args(&line).unwrap();
            prop_assert_eq!(patterns.len(), args.len());
            for (pattern, arg) in patterns.iter().zip(&args) {
                prop_assert!(Pattern::parse(pattern).matches(arg, Secrets::Exact));
            }
        }
    }
}
