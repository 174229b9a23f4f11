//! Of what kind and about how long a word is: which words may stand in each other's place.

use std::ops::RangeInclusive;

use super::kin::FEW;
use super::word;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Of(Class, RangeInclusive<usize>),
    /// Short words that differ in their numbers alone, with `#` for each: `t#` of `t3`, `i#of#` of `i1of8`.
    Count(String),
}

/// What a word that may differ is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// Small letters that read like a word.
    Word,
    /// The same with a capital.
    Capitalised,
    /// Letters that do not.
    Letters,
    /// Letters and digits, some of each.
    Alnum,
}

/// Words of about one length: those that people choose have three to eight letters, ids are longer.
const LENGTHS: &[RangeInclusive<usize>] = &[3..=8, 9..=16, 17..=32];

impl Shape {
    /// Of a text of letters and digits.
    pub(super) fn of(text: &str) -> Option<Self> {
        count(text).map(Self::Count).or_else(|| {
            let (class, lengths) = class(text)?;
            Some(Self::Of(class, lengths))
        })
    }

    /// What `{word:3-8}` and its like stand for.
    pub(super) fn parse(kind: &str, rest: &str) -> Option<Self> {
        if kind == "count" {
            let is_one = count(&rest.replace('#', "0")).as_deref() == Some(rest);
            return is_one.then(|| Self::Count(rest.to_owned()));
        }
        let class = Class::ALL.into_iter().find(|known| known.name() == kind)?;
        let (least, most) = rest.split_once('-')?;
        let lengths = least.parse().ok()?..=most.parse().ok()?;
        LENGTHS.contains(&lengths).then_some(Self::Of(class, lengths))
    }

    pub(super) fn placeholder(&self) -> String {
        match self {
            Self::Of(class, lengths) => {
                format!("{{{}:{}-{}}}", class.name(), lengths.start(), lengths.end())
            }
            Self::Count(letters) => format!("{{count:{letters}}}"),
        }
    }

    /// The length of the word that `text` begins with, if it is one of these.
    pub(super) fn length(&self, text: &str) -> Option<usize> {
        let word = &text[..word_length(text)];
        let is_one = match self {
            // A random one may look as if it counted.
            Self::Of(..) => {
                class(word).is_some_and(|(class, lengths)| *self == Self::Of(class, lengths))
            }
            Self::Count(letters) => count(word).as_ref() == Some(letters),
        };
        is_one.then_some(word.len())
    }

    /// So many different ones are still told one by one.
    pub(super) const fn few(&self) -> usize {
        /// A third number says that there is a fourth.
        const NUMBERS: usize = 2;
        match self {
            Self::Of(..) => FEW,
            Self::Count(_) => NUMBERS,
        }
    }
}

impl Class {
    const ALL: [Self; 4] = [Self::Word, Self::Capitalised, Self::Letters, Self::Alnum];

    const fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Capitalised => "Word",
            Self::Letters => "letters",
            Self::Alnum => "alnum",
        }
    }
}

pub(super) fn word_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len())
}

fn class(text: &str) -> Option<(Class, RangeInclusive<usize>)> {
    let lengths = LENGTHS.iter().find(|lengths| lengths.contains(&text.len()))?.clone();
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let has_letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let class = match (has_letter, has_digit) {
        // A number has a placeholder of its own, where it may differ at all.
        (false, _) => return None,
        (true, true) => Class::Alnum,
        (true, false) if !word::is_word(text) => Class::Letters,
        (true, false) if text.starts_with(|c: char| c.is_ascii_uppercase()) => Class::Capitalised,
        (true, false) => Class::Word,
    };
    Some((class, lengths))
}

/// With `#` for each number, where there are one or two, each behind a letter or two.
fn count(word: &str) -> Option<String> {
    /// Characters of a number, and of the letters before it.
    const PART: usize = 2;
    const NUMBERS: usize = 2;
    let mut letters = String::new();
    let mut rest = word;
    for _ in 0..NUMBERS {
        let number = rest.find(|c: char| c.is_ascii_digit())?;
        let after = rest[number..].find(|c: char| !c.is_ascii_digit());
        let end = after.map_or(rest.len(), |after| number + after);
        let is_short = (1..=PART).contains(&number) && end - number <= PART;
        is_short.then_some(())?;
        letters.push_str(&rest[..number]);
        letters.push('#');
        rest = &rest[end..];
        if rest.is_empty() {
            return Some(letters);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_that_end_in_a_number_count() {
        for (word, letters) in [
            ("t3", Some("t#")),
            ("p0", Some("p#")),
            ("i10of16", Some("i#of#")),
            ("q12", Some("q#")),
            ("t123", None),
            ("abc1", None),
            ("3t", None),
            ("t3x", None),
            ("a1b2c3", None),
            ("t", None),
            ("", None),
        ] {
            assert_eq!(count(word).as_deref(), letters, "{word}");
        }
    }

    #[test]
    fn a_placeholder_is_read_back() {
        for word in ["carter", "Carter", "kqzvbwxj", "Report2024", "t3", "i1of8"] {
            let shape = Shape::of(word).unwrap();
            let text = shape.placeholder();
            let (kind, rest) = text.trim_matches(['{', '}']).split_once(':').unwrap();
            assert_eq!(Shape::parse(kind, rest), Some(shape.clone()), "{text}");
            assert_eq!(shape.length(&format!("{word}-x")), Some(word.len()));
        }
        for text in ["count:t", "count:#", "count:t1", "count:abc#", "word:3-9", "wort:3-8"] {
            let (kind, rest) = text.split_once(':').unwrap();
            assert_eq!(Shape::parse(kind, rest), None, "{text}");
        }
    }
}
