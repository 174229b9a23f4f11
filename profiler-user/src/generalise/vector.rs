//! Argument lists of one program that differ in what they are about: `convert a.png b.png`, `convert c.png d.png`, and so many
//! more that the next one will be another.
//!
//! What of a list may differ is decided by the list alone: runs of arguments of one [`Class`], neither options nor what an
//! interpreter is told to run. So every list belongs to one frame at most. What all lists of a frame have in common is joined by
//! place, from the one text over a few to any of the class, and by number, from always as many to any number; so
//! recordings merge in any order.
//!
//! | wildcard | stands for |
//! |---|---|
//! | `{either:a,b}` | one of these arguments, at most four |
//! | `{each:a,b-{date}}` | one or more arguments, each of these, at most four |
//! | `{arg:CLASS}` | one argument of the class |
//! | `{args:CLASS}` | one or more arguments of the class |

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::args::{generalise_arg, join_args, split_args};
use super::kin::{self, Kin, Variety};
use super::operand::{Class, is_command};
use super::pattern::{Pattern, Secrets};
use super::runner;

/// So many arguments of one class in a row have a place each; more are a list of any length.
const PLACES: usize = 8;

/// A list of arguments as its frame and what it has there.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector(Vec<Item>);

#[derive(Clone, Debug, PartialEq)]
enum Item {
    /// Generalised.
    Literal(String),
    Run(Class, Number),
}

#[derive(Clone, Debug, PartialEq)]
enum Number {
    Fixed(Vec<Variety>),
    /// Any number of these few.
    Each(BTreeSet<String>),
    Any,
}

/// A word of a pattern of a list of arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    Plain(Pattern),
    Either(Few),
    Each(Few),
    Arg(Class),
    Args(Class),
}

/// A few patterns, of one class.
#[derive(Clone, Debug, PartialEq)]
pub struct Few {
    texts: BTreeSet<String>,
    patterns: Vec<Pattern>,
    class: Class,
}

impl Vector {
    /// Of a list that `executable` was run with, generalised and as one line; none where nothing in it may differ.
    pub fn parse(executable: &str, line: &str) -> Option<Self> {
        let args = split_args(line)?;
        let from = runner::operands(executable, &args)?;
        let mut items: Vec<Item> = Vec::new();
        for (index, arg) in args.into_iter().enumerate() {
            let operand = if index < from { None } else { operand(index, &arg) };
            let Some((class, number)) = operand else {
                items.push(Item::Literal(arg));
                continue;
            };
            match items.last_mut() {
                Some(Item::Run(last, so_far)) if *last == class => so_far.extend(number),
                _ => items.push(Item::Run(class, number)),
            }
        }
        items.iter().any(|item| matches!(item, Item::Run(..))).then_some(Self(items))
    }
}

impl Kin for Vector {
    fn frame(&self) -> String {
        let any = |item: &Item| match item {
            Item::Run(class, _) => Item::Run(class.clone(), Number::Any),
            literal @ Item::Literal(_) => literal.clone(),
        };
        Self(self.0.iter().map(any).collect()).line()
    }

    fn is_wide(&self) -> bool {
        self.0.iter().any(|item| matches!(item, Item::Run(_, number) if number.is_wide()))
    }

    fn join(self, other: Self) -> Self {
        let joined = self.0.into_iter().zip(other.0).map(|items| match items {
            (Item::Run(class, one), Item::Run(_, other)) => Item::Run(class, one.join(other)),
            (literal, _) => literal,
        });
        Self(joined.collect())
    }

    /// Whose names hold something that changes each time, and whose number changed as well: what a shell makes of `log-*`.
    fn is_soon_many(&self) -> bool {
        let is_wide = |item: &&Item| matches!(item, Item::Run(_, number) if number.is_wide());
        let changes = |text: &String| text.contains('{');
        let mut wide = self.0.iter().filter(is_wide).peekable();
        wide.peek().is_some()
            && wide.all(
                |item| matches!(item, Item::Run(_, Number::Each(few)) if few.iter().all(changes)),
            )
    }

    fn line(&self) -> String {
        let mut words = Vec::new();
        for item in &self.0 {
            match item {
                Item::Literal(text) => words.push(text.clone()),
                Item::Run(class, Number::Any) => words.push(format!("{{args:{}}}", class.text())),
                Item::Run(_, Number::Each(few)) => words.push(kin::listed("each", few)),
                Item::Run(class, Number::Fixed(places)) => {
                    words.extend(
                        places
                            .iter()
                            .map(|place| place.text(|| format!("{{arg:{}}}", class.text()))),
                    );
                }
            }
        }
        join_args(&words)
    }
}

fn operand(index: usize, arg: &str) -> Option<(Class, Number)> {
    let (class, place) = match Word::parse(arg) {
        Word::Args(class) => return Some((class, Number::Any)),
        Word::Arg(class) => (class, Variety::Any),
        Word::Each(few) => return Some((few.class, Number::Each(few.texts))),
        Word::Either(few) => (few.class, Variety::Few(few.texts)),
        Word::Plain(_) => (class_at(index, arg)?, Variety::One(arg.to_owned())),
    };
    Some((class, Number::Fixed(vec![place])))
}

/// `arg`: generalised.
fn class_at(index: usize, arg: &str) -> Option<Class> {
    if index == 1 && is_command(arg) { None } else { Class::of(arg) }
}

impl Number {
    fn extend(&mut self, next: Self) {
        match (&mut *self, next) {
            (Self::Fixed(places), Self::Fixed(next)) if places.len() < PLACES => {
                places.extend(next);
            }
            (this, _) => *this = Self::Any,
        }
    }

    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fixed(one), Self::Fixed(other)) if one.len() == other.len() => Self::Fixed(
                one.into_iter().zip(other).map(|(one, other)| one.join(other, kin::FEW)).collect(),
            ),
            // Of any number, whatever number was seen.
            (one, other) => {
                let texts = one.texts().zip(other.texts());
                let few = texts.map(|(one, other)| one.into_iter().chain(other).collect());
                few.filter(kin::can_be_listed).map_or(Self::Any, Self::Each)
            }
        }
    }

    fn is_wide(&self) -> bool {
        match self {
            Self::Fixed(places) => places.iter().any(Variety::is_wide),
            Self::Each(_) | Self::Any => true,
        }
    }

    /// All that was seen; none where that is not known one by one.
    fn texts(self) -> Option<BTreeSet<String>> {
        match self {
            Self::Fixed(places) => {
                let texts: Option<Vec<_>> = places.into_iter().map(Variety::texts).collect();
                texts.map(|texts| texts.into_iter().flatten().collect())
            }
            Self::Each(few) => Some(few),
            Self::Any => None,
        }
    }
}

impl Few {
    fn parse(list: &str) -> Option<Self> {
        let texts = kin::few(list)?;
        let class = Class::of(texts.first()?)?;
        let is_one = texts.iter().all(|text| Class::of(text).as_ref() == Some(&class));
        let patterns = texts.iter().map(|text| Pattern::parse(text)).collect();
        is_one.then_some(Self { texts, patterns, class })
    }

    fn holds(&self, value: &str, secrets: Secrets) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(value, secrets))
    }
}

impl Word {
    /// Of a text that is no wildcard, a pattern.
    pub fn parse(text: &str) -> Self {
        Self::wildcard(text).unwrap_or_else(|| Self::Plain(Pattern::parse(text)))
    }

    fn wildcard(text: &str) -> Option<Self> {
        let (kind, rest) = text.strip_prefix('{')?.strip_suffix('}')?.split_once(':')?;
        match kind {
            "arg" => Class::parse(rest).map(Self::Arg),
            "args" => Class::parse(rest).map(Self::Args),
            "either" => Few::parse(rest).filter(|few| few.texts.len() > 1).map(Self::Either),
            "each" => Few::parse(rest).map(Self::Each),
            _ => None,
        }
    }

    /// Whether a text is a wildcard.
    pub fn is_wild(text: &str) -> bool {
        Self::wildcard(text).is_some()
    }

    /// It stands for one value alone.
    pub fn is_literal(&self) -> bool {
        matches!(self, Self::Plain(pattern) if pattern.is_literal())
    }

    /// It stands for any number of values.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Args(_) | Self::Each(_))
    }
}

/// Whether the values, not generalised, have the shape of the words, in their order.
pub fn words_match(words: &[Word], values: &[String], secrets: Secrets) -> bool {
    // As nearly always.
    if words.iter().all(|word| matches!(word, Word::Plain(_))) {
        let is = |(word, value): (&Word, &String)| matches!(word, Word::Plain(pattern) if pattern.matches(value, secrets));
        return words.len() == values.len() && words.iter().zip(values).all(is);
    }
    let classes = vec![OnceCell::new(); values.len()];
    let is = |at: usize, class: &Class| {
        let of = || class_at(at, &generalise_arg(&values[at], false));
        classes[at].get_or_init(of).as_ref() == Some(class)
    };
    // One or more of them in a row: where that may end.
    let row = |at: usize, is: &dyn Fn(usize) -> bool| {
        let length = (at..values.len()).take_while(|at| is(*at)).count();
        at + 1..=at + length
    };
    // How many values may be taken when this far in the words.
    let mut taken = BTreeSet::from([0]);
    for word in words {
        let mut next = BTreeSet::new();
        for at in taken {
            let Some(value) = values.get(at) else { continue };
            let takes_one = match word {
                Word::Plain(pattern) => pattern.matches(value, secrets),
                Word::Either(few) => few.holds(value, secrets),
                Word::Arg(class) => is(at, class),
                Word::Args(class) => {
                    next.extend(row(at, &|at| is(at, class)));
                    false
                }
                Word::Each(few) => {
                    next.extend(row(at, &|at| few.holds(&values[at], secrets)));
                    false
                }
            };
            if takes_one {
                next.insert(at + 1);
            }
        }
        taken = next;
    }
    taken.contains(&values.len())
}

#[cfg(test)]
mod tests;
