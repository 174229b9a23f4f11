//! Deeds on files that differ in the names of the files alone.

use super::args::{join_args, split_args};
use super::kin::Kin;
use super::sibling::Sibling;

/// A deed with the paths that it is about, each among its own siblings: `rename OLD NEW`, `mode 0640 PATH`.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed(Vec<Result<Sibling, String>>);

impl Deed {
    /// `line`: quoted. None where nothing in it may differ.
    pub fn parse(line: &str) -> Option<Self> {
        let words = split_args(line)?.into_iter();
        let path = |word: String| match Sibling::parse(&word) {
            Some(path) if word.starts_with('/') => Ok(path),
            _ => Err(word),
        };
        let words: Vec<_> = words.map(path).collect();
        words.iter().any(Result::is_ok).then_some(Self(words))
    }

    fn write(&self, path: impl Fn(&Sibling) -> String) -> String {
        let word = |word: &Result<Sibling, String>| match word {
            Ok(sibling) => path(sibling),
            Err(text) => text.clone(),
        };
        join_args(&self.0.iter().map(word).collect::<Vec<_>>())
    }
}

impl Kin for Deed {
    fn frame(&self) -> String {
        self.write(Sibling::frame)
    }

    fn join(self, other: Self) -> Self {
        let joined = self.0.into_iter().zip(other.0).map(|words| match words {
            (Ok(one), Ok(other)) => Ok(one.join(other)),
            (one, _) => one,
        });
        Self(joined.collect())
    }

    fn is_wide(&self) -> bool {
        self.0.iter().flatten().any(Sibling::is_wide)
    }

    fn line(&self) -> String {
        self.write(Sibling::line)
    }
}
