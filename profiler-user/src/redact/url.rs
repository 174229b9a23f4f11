//! The password in a URL, `scheme://user:password@host`, and in `user:password@host` without a scheme.

use std::ops::Range;

use super::{head, tail};

/// Schemes whose user alone is an account's name, not a token.
const NAMED_USER: &[&str] = &[
    "ssh",
    "git",
    "sftp",
    "scp",
    "rsync",
    "svn",
    "git+ssh",
    "svn+ssh",
    "ftp",
    "smb",
    "postgres",
    "postgresql",
    "mysql",
    "mongodb",
    "mongodb+srv",
    "ldap",
    "amqp",
    "imap",
    "smtp",
];

pub(super) fn find(text: &str, spans: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices("://") {
        spans.extend(with_scheme(text, at));
    }
    for (at, _) in text.match_indices('@') {
        spans.extend(without_scheme(text, at));
    }
}

/// Longer than the user part of any URL, in bytes.
const USER_MAX: usize = 2048;

fn with_scheme(text: &str, at: usize) -> Option<Range<usize>> {
    let scheme = tail(&text[..at], 32);
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    let scheme = scheme[scheme.trim_end_matches(is_scheme).len()..].to_ascii_lowercase();
    let start = at + 3;
    let near = head(&text[start..], USER_MAX);
    let run = &near
        [..near.find(|c: char| c.is_whitespace() || "\"'<>`".contains(c)).unwrap_or(near.len())];
    let user_end = user_end(run)?;
    let info = &run[..user_end];
    match info.split_once(':') {
        // `token:@host`: the user is the secret.
        Some((_, "")) => Some(start..start + info.len() - 1),
        Some((user, _)) => Some(start + user.len() + 1..start + user_end),
        None if NAMED_USER.contains(&scheme.as_str()) => None,
        None => Some(start..start + user_end),
    }
    .filter(|span| !span.is_empty())
}

/// The last `@` of the authority; where there is none, but what follows the user's colon is no port, of the whole path,
/// because then the password holds a slash.
fn user_end(run: &str) -> Option<usize> {
    let authority = &run[..run.find(['/', '?', '#']).unwrap_or(run.len())];
    authority.rfind('@').or_else(|| {
        let (_, password) = authority.split_once(':')?;
        let is_port = password.bytes().all(|byte| byte.is_ascii_digit());
        if is_port { None } else { run.rfind('@') }
    })
}

fn without_scheme(text: &str, at: usize) -> Option<Range<usize>> {
    let ahead = &text[at + 1..];
    // An image by its digest.
    if ahead.starts_with("sha256:") || ahead.starts_with("sha512:") {
        return None;
    }
    ahead.starts_with(|c: char| c.is_ascii_alphanumeric() || "[_".contains(c)).then_some(())?;
    let near = tail(&text[..at], USER_MAX);
    let ends = |c: char| c.is_whitespace() || "\"'<>`;|&".contains(c);
    let run = near.trim_end_matches(|c| !ends(c)).len();
    let start = at - (near.len() - run);
    let (user, password) = text[start..at].split_once(':')?;
    // A path follows a host or another path, as in a mount; a URL has its own rule.
    let is_secret = !user.is_empty() && !password.is_empty() && !password.starts_with('/');
    is_secret.then_some(start + user.len() + 1..at)
}
