//! What was asked lately, so that a thousand containers of one image do not ask a thousand times.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A bounded map. The oldest entry makes room; an entry is forgotten after a while, since tags move.
#[derive(Debug)]
pub(super) struct Cache<V> {
    entries: Mutex<Entries<V>>,
    limit: usize,
    age: Duration,
}

#[derive(Debug)]
struct Entries<V> {
    by_key: HashMap<String, (Instant, V)>,
    order: VecDeque<String>,
}

impl<V: Clone> Cache<V> {
    pub(super) fn new(limit: usize, age: Duration) -> Self {
        let entries = Mutex::new(Entries { by_key: HashMap::new(), order: VecDeque::new() });
        Self { entries, limit, age }
    }

    pub(super) fn get(&self, key: &str) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, value) = entries.by_key.get(key)?;
        (since.elapsed() < self.age).then(|| value.clone())
    }

    pub(super) fn put(&self, key: &str, value: V) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.by_key.insert(key.to_owned(), (Instant::now(), value)).is_none() {
            entries.order.push_back(key.to_owned());
        }
        while entries.order.len() > self.limit {
            if let Some(oldest) = entries.order.pop_front() {
                entries.by_key.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let cache = Cache::new(2, Duration::from_mins(1));
        for (key, value) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            cache.put(key, value);
        }
        assert_eq!([cache.get("a"), cache.get("b"), cache.get("c")], [None, Some(2), Some(4)]);
    }

    #[test]
    fn entries_are_forgotten_after_a_while() {
        let cache = Cache::new(2, Duration::ZERO);
        cache.put("a", 1);
        assert_eq!(cache.get("a"), None);
    }
}
