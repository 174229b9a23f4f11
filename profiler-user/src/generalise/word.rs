//! Whether letters read like a word.
//!
//! Python tries its temporary directory with a file whose whole name is random, `/tmp/k3j9x1zq`. A pattern of that would
//! hold every name of eight letters, also `/tmp/backdoor`. So words are excluded: about six in ten, for one in 5,000 of
//! Python's names that reads like a word by chance (simulated over a million names).

/// For each letter, those that often follow it: the 180 commonest pairs, five sixths of all pairs in English technical text.
const FOLLOWERS: [&str; 26] = [
    "bcdgilmnprstuv",
    "aeilou",
    "aehiklortu",
    "aeios",
    "acdefgilmnprstvx",
    "efio",
    "aeir",
    "aeio",
    "abcdefglmnoprstvz",
    "",
    "ei",
    "aeilostuy",
    "aeimop",
    "acdefginost",
    "cdglmnoprstuvw",
    "aeiloprt",
    "u",
    "acdegimnorstuy",
    "acehiopstu",
    "aehiorstuy",
    "beilmnrst",
    "aei",
    "ai",
    "",
    "",
    "e",
];

/// Letters in a part of a compound word, at least.
const PART: usize = 3;

/// Letters alone, every pair a common one; one is not where two words may meet (`back` `door`).
pub(super) fn is_word(text: &str) -> bool {
    let lower_tail =
        text.get(1..).is_some_and(|tail| tail.bytes().all(|byte| byte.is_ascii_lowercase()));
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if !(lower_tail && begins) {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    let bytes = lower.as_bytes();
    let mut uncommon = (1..bytes.len()).filter(|at| !is_common(bytes[at - 1], bytes[*at]));
    match (uncommon.next(), uncommon.next()) {
        (None, _) => true,
        (Some(at), None) => at >= PART && bytes.len() - at >= PART,
        (Some(_), Some(_)) => false,
    }
}

/// Both are lower-case letters.
fn is_common(one: u8, next: u8) -> bool {
    FOLLOWERS[usize::from(one - b'a')].as_bytes().contains(&next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_like_words() {
        for word in ["backdoor", "evilfile", "Rootkits", "implants", "helper"] {
            assert!(is_word(word), "{word}");
        }
    }

    #[test]
    fn random_letters_do_not() {
        for random in
            ["kqzvbwxj", "hvtnqaoe", "aBcdefgh", "k3j9x1zq", "ab_cdefg", "", "é", "éabcdef"]
        {
            assert!(!is_word(random), "{random}");
        }
    }
}
