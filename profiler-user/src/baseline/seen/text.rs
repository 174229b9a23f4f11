//! How phases and sightings are written down: short, since a baseline has one of each for every entry.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Phases, Sighting, Windows};
use crate::baseline::run::RunId;

#[cfg(test)]
pub(super) const PHASES: &str = "^(start)?( ?steady)?( ?stop)?$";
#[cfg(test)]
const SIGHTINGS: &str =
    r"^(all|[0-9A-Za-z]+(@[0-9,-]+)?(\*[0-9]+)?( [0-9A-Za-z]+(@[0-9,-]+)?(\*[0-9]+)?)*)$";

const NAMES: [(Phases, &str); 3] =
    [(Phases::START, "start"), (Phases::STEADY, "steady"), (Phases::STOP, "stop")];

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMES.iter().filter(|(phase, _)| self.has(*phase));
        f.pad(&named.map(|(_, name)| *name).collect::<Vec<_>>().join(" "))
    }
}

impl Serialize for Phases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Phases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.split_whitespace().try_fold(Self::default(), |phases, word| {
            let known = NAMES.iter().find(|(_, name)| *name == word);
            let (phase, _) = known.ok_or_else(|| {
                D::Error::custom(format!("phase {word:?} is none of start, steady, stop"))
            })?;
            Ok(phases.and(*phase))
        })
    }
}

impl fmt::Display for Windows {
    /// `0-3,5`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut window = 0;
        let mut separator = "";
        while window <= Self::LAST {
            if !self.has(window) {
                window += 1;
                continue;
            }
            let first = window;
            while window < Self::LAST && self.has(window + 1) {
                window += 1;
            }
            write!(f, "{separator}{first}")?;
            if window > first {
                write!(f, "-{window}")?;
            }
            separator = ",";
            window += 1;
        }
        Ok(())
    }
}

fn windows(text: &str) -> Option<Windows> {
    let number = |text: &str| text.parse::<u8>().ok().filter(|number| *number <= Windows::LAST);
    text.split(',').try_fold(Windows(0), |windows, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(first)?, number(last)?);
        let range = (first..=last).map(Windows::one);
        (first <= last).then(|| range.fold(windows, Windows::and))
    })
}

pub(super) fn serialize<S: Serializer>(
    runs: &BTreeMap<RunId, Sighting>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(runs.len() * 6);
    for (run, Sighting { count, windows }) in runs {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(run.as_str());
        if *windows != Windows::FIRST {
            let _never_fails = write!(text, "@{windows}");
        }
        if *count != 1 {
            let _never_fails = write!(text, "*{count}");
        }
    }
    serializer.serialize_str(&text)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<RunId, Sighting>, D::Error> {
    deserializer.deserialize_any(Sightings)
}

struct Sightings;

impl<'de> Visitor<'de> for Sightings {
    type Value = BTreeMap<RunId, Sighting>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runs that it was seen in")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let refuse = |word: &str| E::custom(format!("{word:?} names no run as RUN@WINDOWS*COUNT"));
        let one = |word: &str| {
            let (rest, count) = match word.split_once('*') {
                Some((rest, count)) => (rest, count.parse().ok()?),
                None => (word, 1),
            };
            let (run, windows) = match rest.split_once('@') {
                Some((run, text)) => (run, windows(text)?),
                None => (rest, Windows::FIRST),
            };
            (!run.is_empty()).then(|| (RunId::new(run), Sighting { count, windows }))
        };
        text.split_whitespace().map(|word| one(word).ok_or_else(|| refuse(word))).collect()
    }

    /// As the first version wrote them.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut runs = BTreeMap::new();
        while let Some((run, count)) = map.next_entry::<RunId, u64>()? {
            runs.insert(run, Sighting { count, ..Sighting::ONCE });
        }
        Ok(runs)
    }
}

#[cfg(test)]
pub(super) fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "oneOf": [
            {"type": "string", "pattern": SIGHTINGS},
            {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}, "deprecated": true},
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_ranges() {
        for text in ["0", "0-3,5", "63", "0-63", "1,3,62-63"] {
            assert_eq!(windows(text).unwrap().to_string(), text);
        }
        for text in ["", "64", "3-1", "a", "1-"] {
            assert_eq!(windows(text), None, "{text}");
        }
    }
}
