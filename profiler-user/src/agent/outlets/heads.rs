//! When the sinks are told where the chain of the history stands.

use std::time::{Duration, Instant};

use crate::{
    drift::{Action, Node as Machine},
    store::{HeadNote, Write},
};

/// The words about the chain that one agent says: the first is `created`, whatever it is besides.
pub(super) struct Heads {
    note: HeadNote,
    every: Duration,
    next: Instant,
}

impl Heads {
    pub(super) fn new(machine: &Machine, every: Duration, now: Instant) -> Self {
        let note =
            HeadNote { id: ulid::Ulid::new(), action: Action::Created, machine: machine.clone() };
        Self { note, every, next: now + every }
    }

    /// Asked about every second.
    pub(super) fn due(&mut self, now: Instant) -> Option<Write> {
        if now < self.next {
            return None;
        }
        self.next = now + self.every;
        let write = Write::Head(Box::new(self.note.clone()));
        self.note.action = Action::Updated;
        Some(write)
    }

    /// At the end.
    pub(super) fn last(mut self) -> Write {
        if self.note.action == Action::Updated {
            self.note.action = Action::Closed;
        }
        Write::Head(Box::new(self.note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_said_each_time_that_has_passed_and_at_the_end() {
        let machine = Machine { host_name: "node-1".to_owned(), name: None, cluster: None };
        let (hour, begun) = (Duration::from_hours(1), Instant::now());
        let mut heads = Heads::new(&machine, hour, begun);
        let mut said = Vec::new();
        for second in 0..3 * 3600 + 60 {
            if let Some(Write::Head(note)) = heads.due(begun + Duration::from_secs(second)) {
                said.push((second, note.action, note.id));
            }
        }
        let Write::Head(last) = heads.last() else { panic!("it is a head") };
        said.push((0, last.action, last.id));
        let id = last.id;
        assert_eq!(
            said,
            [
                (3600, Action::Created, id),
                (7200, Action::Updated, id),
                (10800, Action::Updated, id),
                (0, Action::Closed, id)
            ]
        );
    }
}
