//! What a container chose, made fit for a person's eyes.
//!
//! File names and arguments come from whoever is being watched: an escape sequence in one of them
//! must not reach the terminal of the person who reads about it.

use std::fmt::Write as _;

/// Characters of a command line that a sentence shows; the event holds all of it.
const COMMAND_MAX: usize = 160;

/// Control characters and those that hide or reorder text are written as escapes.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            let _ = write!(clean, "{}", c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// Arguments as one would type them, cut where they get long.
pub(super) fn command(args: &[String]) -> String {
    let mut line = String::new();
    for arg in args {
        if !line.is_empty() {
            line.push(' ');
        }
        // Quoting fails for a NUL only, which no argument holds.
        let quoted = shlex::try_quote(arg).unwrap_or_else(|_| arg.as_str().into());
        line.push_str(&clean(&quoted));
    }
    cut(line, COMMAND_MAX)
}

pub(super) fn cut(mut text: String, max: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(max) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// Zero-width and bidirectional controls, and the tags block.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shown_can_steer_a_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\r\n\u{202e}é"), "a\\u{1b}[2Jb\\r\\n\\u{202e}é");
    }

    #[test]
    fn a_command_reads_as_one_would_type_it() {
        let args = ["sh", "-c", "echo a; id"].map(str::to_owned);
        assert_eq!(command(&args), "sh -c 'echo a; id'");
        let long = command(&["x".repeat(500)]);
        assert_eq!(long.chars().count(), COMMAND_MAX + 1);
    }
}
