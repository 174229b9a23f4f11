//! The words of a shell script, well enough to find the flags of the commands in it.

use std::ops::Range;

/// The words of each command, as ranges without the quotes around a whole word. Nothing is refused: an unclosed quote goes
/// on to the end.
pub(super) fn commands(script: &str) -> Vec<Vec<Range<usize>>> {
    // As most arguments are.
    if !script.is_empty() && script.bytes().all(is_plain) {
        return vec![vec![0..script.len()]];
    }
    let mut commands = Vec::new();
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in script.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, c) {
            (None | Some('"'), '\\') => {
                escaped = true;
                start.get_or_insert(at);
            }
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => {
                quote = Some(c);
                start.get_or_insert(at);
            }
            (None, c) if c.is_whitespace() || ";|&()<>`".contains(c) => {
                words.extend(start.take().map(|start| start..at));
                if !matches!(c, ' ' | '\t' | '<' | '>') {
                    commands.push(std::mem::take(&mut words));
                }
            }
            (None, _) => {
                start.get_or_insert(at);
            }
        }
    }
    words.extend(start.map(|start| start..script.len()));
    commands.push(words);
    commands.retain(|words| !words.is_empty());
    for word in commands.iter_mut().flatten() {
        *word = unquoted(script, word.clone());
    }
    commands
}

/// No blank, quote, escape or separator.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"'\\;|&()<>`".contains(&byte)
}

fn unquoted(script: &str, word: Range<usize>) -> Range<usize> {
    let text = &script[word.clone()];
    let inner = ['"', '\''].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?;
        let inner = inner.strip_suffix(quote).unwrap_or(inner);
        (!inner.contains(quote) || quote == '"').then_some(inner.len())
    });
    inner.map_or(word.clone(), |length| word.start + 1..word.start + 1 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(script: &str) -> Vec<Vec<&str>> {
        let texts =
            |words: Vec<Range<usize>>| words.into_iter().map(|word| &script[word]).collect();
        commands(script).into_iter().map(texts).collect()
    }

    #[test]
    fn words_and_commands_are_told_apart() {
        assert_eq!(split("a -b 'c d'; e|f"), [vec!["a", "-b", "c d"], vec!["e"], vec!["f"]]);
        assert_eq!(split("p='x y' q\\ r"), [["p='x y'", "q\\ r"]]);
        assert_eq!(split("a 'open b"), [["a", "open b"]]);
        assert!(split(" ;; ").is_empty());
    }
}
