//! Secrets among a command's words: `--password X`, `PASSWORD=X`, and the flags of programs that are known.

use std::ops::Range;

use super::names::{is_keyword, is_name, names_secret};
use super::tools::{self, Tool};

/// The word, by its place, and the part of it that is secret.
pub(super) fn find(words: &[&str]) -> Vec<(usize, Range<usize>)> {
    let mut found = Vec::new();
    let mut tool: Option<&Tool> = None;
    let mut login = false;
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1);
        if let Some(known) = tools::tool(word) {
            tool = Some(known);
        } else if let Some(value) = assigned(word) {
            found.push((at, value));
        } else if let Some(value) = glued(word) {
            found.push((at, value));
        } else if let Some(secret) =
            word.find("pass:").filter(|at| *at == 0 || word[..*at].ends_with('='))
        {
            // openssl -passin pass:X
            found.push((at, secret + "pass:".len()..word.len()));
        } else if let Some(next) = next
            && let Some(value) = credentials(word, next)
        {
            found.push((at + 1, value));
        } else if let Some(next) = next
            && (is_secret_flag(word) || (at > 0 && is_keyword(word)))
        {
            found.push((at + 1, 0..next.len()));
        }
        login |= *word == "login";
        if let Some(tool) = tool.filter(|tool| login || !tool.logs_in) {
            found.extend(known_flag(tool, words, at));
        }
    }
    found
}

/// Whether the argument after this one is a script: `sh -c`, `bash -lc`.
pub(super) fn takes_script(arg: &str) -> bool {
    arg.strip_prefix('-').is_some_and(|flags| {
        flags.ends_with('c')
            && flags.len() <= 4
            && flags.bytes().all(|byte| byte.is_ascii_lowercase())
    })
}

/// The value of `PASSWORD=x` or `--password=x`, to the end of the word.
fn assigned(word: &str) -> Option<Range<usize>> {
    let (name, _) = word.split_once('=')?;
    (name.chars().all(is_name) && names_secret(name)).then_some(name.len() + 1..word.len())
}

/// `-pX` of a program that is not known, where X looks like a password and not like a port, a path or a word.
pub(super) fn glued(word: &str) -> Option<Range<usize>> {
    const LEAST: usize = 6;
    let value = word.strip_prefix("-p")?;
    let digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let letter = value.bytes().any(|byte| byte.is_ascii_alphabetic());
    (value.len() >= LEAST && digit && letter && !value.contains(['/', '=', '{']))
        .then_some(2..word.len())
}

/// `-u NAME:X` of a program that is not known; two numbers are ids.
fn credentials(flag: &str, value: &str) -> Option<Range<usize>> {
    let (name, secret) = value.split_once(':')?;
    let ids = secret.bytes().all(|byte| byte.is_ascii_digit());
    let fits = matches!(flag, "-u" | "--user") && !ids && !secret.contains(['/', '{']);
    fits.then_some(name.len() + 1..value.len())
}

fn is_secret_flag(word: &str) -> bool {
    word.starts_with('-') && word.chars().all(is_name) && names_secret(word)
}

fn known_flag(tool: &Tool, words: &[&str], at: usize) -> Option<(usize, Range<usize>)> {
    let word = words[at];
    let next = words.get(at + 1);
    for flag in tool.secret {
        match word.strip_prefix(flag) {
            Some("") => return next.map(|next| (at + 1, 0..next.len())),
            // A long flag (`-port`) is not a short one with its value.
            Some(_) if !word.starts_with("--") => return Some((at, flag.len()..word.len())),
            _ => {}
        }
    }
    for flag in tool.user {
        match word.strip_prefix(flag) {
            Some("") => return next.map(|next| (at + 1, password(next, 0, tool.separator))),
            Some(rest) if rest.starts_with('=') => {
                return Some((at, password(word, flag.len() + 1, tool.separator)));
            }
            Some(_) if !flag.starts_with("--") => {
                return Some((at, password(word, flag.len(), tool.separator)));
            }
            _ => {}
        }
    }
    if tool.words.contains(&word.to_ascii_lowercase().as_str()) {
        return next.map(|next| (at + 1, 0..next.len()));
    }
    None
}

/// The password of `user:password` at `start` of the word; with nothing behind the separator the user is the secret, with
/// no separator there is none.
fn password(word: &str, start: usize, separator: char) -> Range<usize> {
    match word[start..].find(separator) {
        Some(user) if start + user + 1 < word.len() => start + user + 1..word.len(),
        Some(user) => start..start + user,
        None => start..start,
    }
}
