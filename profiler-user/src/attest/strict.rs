//! JSON that says everything once. Readers differ in which of two equal keys they believe, so what is signed must have none.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Any JSON without equal keys; its values are thrown away.
struct Once;

/// Fails where the text is no JSON, nests deeper than `serde_json` goes (128), or an object has a key twice.
pub(crate) fn is_said_once(json: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<Once>(json).map(|_| ())
}

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is there twice")));
            }
            keys.insert(key);
            map.next_value::<Self>()?;
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        while values.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::is_said_once;

    #[test]
    fn a_key_may_be_there_once_in_each_object() {
        let said = |text: &str| is_said_once(text.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(said(r#"{"a": {"a": [1, -1, 1.5, null, true, "a"]}, "b": {"a": 1}}"#), Ok(()));
        for twice in [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "\u0061": 2}}]"#] {
            assert!(said(twice).unwrap_err().contains("the key \"a\" is there twice"));
        }
        assert!(said("{").is_err() && said("").is_err() && said("1 2").is_err());
        assert!(said(&"[".repeat(100_000)).unwrap_err().contains("recursion"));
    }
}
