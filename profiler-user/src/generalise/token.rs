//! What one token of a name is: a run of letters and digits between separators.

/// A token's placeholder, with the part of it that stays literal in front.
#[derive(Debug, PartialEq)]
pub(super) enum Token<'a> {
    Literal,
    Number,
    Hex,
    Random,
    /// Letters with a number at the end, as Go, Java and Postgres name temporary files.
    Numbered(&'a str),
}

/// More digits than any 64-bit number has: a hash or a log position that happens to hold no letter.
const LONGEST_NUMBER: usize = 20;
const SHORTEST_HEX: usize = 8;
/// `mkstemp` asks for at least six.
const SHORTEST_RANDOM: usize = 6;
/// Fewer digits at the end of a word are a version or an index, such as `python311`.
const SHORTEST_TAIL: usize = 5;

pub(super) fn classify(token: &str, temporary: bool) -> Token<'_> {
    if token.bytes().all(|byte| byte.is_ascii_digit()) {
        return if token.len() > LONGEST_NUMBER { Token::Hex } else { Token::Number };
    }
    if is_hash(token) {
        return Token::Hex;
    }
    if is_ulid(token) || (token.len() == 6 && has_all_classes(token)) {
        return Token::Random;
    }
    match numbered(token) {
        Some((word, digits)) if word.ends_with("tmp") || (temporary && digits >= SHORTEST_TAIL) => {
            Token::Numbered(word)
        }
        _ if temporary && looks_random(token) => Token::Random,
        _ => Token::Literal,
    }
}

/// Whether somebody who sees this text alone would call it random. Everything that [`classify`] or [`is_underscored`]
/// calls random is.
pub(super) fn is_random(text: &str) -> bool {
    is_ulid(text) || has_all_classes(text) || looks_random(text) || is_underscored(text)
}

pub(super) fn uuid_length(text: &str) -> Option<usize> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let mut at = 0;
    for (index, group) in GROUPS.into_iter().enumerate() {
        if index > 0 {
            text[at..].starts_with('-').then_some(())?;
            at += 1;
        }
        let digits = text.get(at..at + group)?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
        at += group;
    }
    Some(at)
}

/// Hexadecimal digits in one case, so that neither `deadBEEF` nor a mixed random name counts.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !(text.bytes().any(|byte| byte.is_ascii_lowercase())
            && text.bytes().any(|byte| byte.is_ascii_uppercase()))
}

fn is_hash(token: &str) -> bool {
    token.len() >= SHORTEST_HEX && is_hex(token) && has_digit(token) && has_letter(token)
}

/// 26 characters of Crockford's base 32, which fit 128 bits only when the first is at most 7.
fn is_ulid(token: &str) -> bool {
    token.len() == 26
        && matches!(token.as_bytes()[0], b'0'..=b'7')
        && has_letter(token)
        && token.bytes().all(|byte| {
            byte.is_ascii_digit()
                || (byte.is_ascii_uppercase() && !matches!(byte, b'I' | b'L' | b'O' | b'U'))
        })
}

fn has_digit(token: &str) -> bool {
    token.bytes().any(|byte| byte.is_ascii_digit())
}

fn has_letter(token: &str) -> bool {
    token.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn has_all_classes(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && has_digit(token)
        && token.bytes().any(|byte| byte.is_ascii_lowercase())
        && token.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The word in front of a number, and how many digits that has.
fn numbered(token: &str) -> Option<(&str, usize)> {
    let word = token.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = token.len() - word.len();
    let lettered = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    (lettered && digits > 0).then_some((word, digits))
}

/// A token that no one would choose as a name: it begins with digits, or one of the words that its capitals and digits
/// divide it into (`fooBar2` has three) is too short to be one.
fn looks_random(token: &str) -> bool {
    token.len() >= SHORTEST_RANDOM
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && has_letter(token)
        && is_broken_up(token)
}

fn is_broken_up(token: &str) -> bool {
    if token.starts_with(|c: char| c.is_ascii_digit()) && has_letter(token) {
        return true;
    }
    let words = words(token);
    words.len() > 1 && words.iter().any(|word| word.len() < 3 && has_letter(word))
}

/// `fooBar12ABC` → `foo`, `Bar`, `12`, `ABC`.
fn words(token: &str) -> Vec<&str> {
    let bytes = token.as_bytes();
    let mut words = Vec::new();
    let mut start = 0;
    for at in 1..bytes.len() {
        let (before, here) = (class(bytes[at - 1]), class(bytes[at]));
        let capitalised = before == Class::Upper && here == Class::Lower && at - start == 1;
        if before != here && !capitalised {
            words.push(&token[start..at]);
            start = at;
        }
    }
    words.push(&token[start..]);
    words
}

#[derive(PartialEq)]
enum Class {
    Lower,
    Upper,
    Digit,
}

fn class(byte: u8) -> Class {
    match byte {
        b'0'..=b'9' => Class::Digit,
        b'A'..=b'Z' => Class::Upper,
        _ => Class::Lower,
    }
}

/// A random name that holds an underscore, which elsewhere separates words: Python's has eight characters (of which one
/// in five holds an underscore), Perl's ten.
pub(super) fn is_underscored(segment: &str) -> bool {
    matches!(segment.len(), 8 | 10)
        && segment.contains('_')
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && has_letter(segment)
        && segment.split('_').any(|part| part.len() < 2 || (has_letter(part) && is_broken_up(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_versions_stay_even_in_a_temporary_directory() {
        for token in [
            "evil",
            "backdoor",
            "python3",
            "python311",
            "sha256sum",
            "fooBar",
            "README",
            "Makefile",
            "x",
            "sh",
            "log4j",
            "exploit2",
        ] {
            assert_eq!(classify(token, true), Token::Literal, "{token}");
        }
    }

    #[test]
    fn random_tokens_are_seen_in_a_temporary_directory_only() {
        for token in ["1a2B3c", "aBcDeF", "k3j9x1z", "AbcdeF", "9zabcd"] {
            assert_eq!(classify(token, true), Token::Random, "{token}");
        }
        for token in ["aBcDeF", "k3j9x1z", "9zabcd"] {
            assert_eq!(classify(token, false), Token::Literal, "{token}");
        }
    }

    #[test]
    fn numbers_and_hashes_are_seen_anywhere() {
        assert_eq!(classify("0000000001", false), Token::Number);
        assert_eq!(classify("000000010000000000000001", false), Token::Hex);
        assert_eq!(classify("00000001000000000000000A", false), Token::Hex);
        assert_eq!(classify("4f2a9c01", false), Token::Hex);
        assert_eq!(classify("deadbeef", false), Token::Literal);
        assert_eq!(classify("01ARZ3NDEKTSV4RRFFQ69G5FAV", false), Token::Random);
        assert_eq!(classify("build123456789", true), Token::Numbered("build"));
        assert_eq!(classify("tmp4711", false), Token::Numbered("tmp"));
    }

    #[test]
    fn an_underscore_can_be_random() {
        for name in ["ab_1c2d3", "_k3j9x1z", "a_b3c4d5", "aB3_dE5fGh"] {
            assert!(is_underscored(name), "{name}");
        }
        for name in ["my_file1", "the_data", "my_big_log", "one_two"] {
            assert!(!is_underscored(name), "{name}");
        }
    }
}
