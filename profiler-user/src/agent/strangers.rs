//! Processes whose start was not seen: their behaviour waits until it is known whose it is.
//!
//! The kernel tells that a process was moved into a container only after the move. What the runtime does there in that
//! moment, on its way to run a command inside, looks like the container's own.

use jiff::{SignedDuration, Timestamp};

use crate::{
    behaviour::{Behaviour, Observation},
    observe::{INJECTED, UNKNOWN},
};

/// How long a runtime may take from moving in to running the command.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);
/// Observations that wait; more are no moment's worth.
const WAITING_MAX: usize = 256;

/// Observations of strangers, in the order of the stream.
#[derive(Default)]
pub(super) struct Strangers(Vec<Observation>);

impl Strangers {
    /// What can be told now that this was seen, in its order.
    pub(super) fn admit(&mut self, observation: Observation) -> Vec<Observation> {
        let process = &observation.process;
        if let Behaviour::Exec(exec) = &observation.behaviour {
            // A program of its own: from here on it is known.
            let of_it = self.0.extract_if(.., |waiting| waiting.process.pid == process.pid);
            let mut told: Vec<_> = of_it.collect();
            if exec.parent.as_deref() == Some(INJECTED) {
                told.clear();
            }
            told.push(observation);
            return told;
        }
        // Nobody's process has no start that could be seen.
        let is_stranger = process.pid != 0 && *process.executable == *UNKNOWN;
        if !is_stranger || self.0.len() >= WAITING_MAX {
            return vec![observation];
        }
        self.0.push(observation);
        Vec::new()
    }

    /// What has waited long enough. `all_seen`: no start of a process can have been missed, so they were no more than
    /// a runtime's.
    pub(super) fn overdue(&mut self, now: Timestamp, all_seen: bool) -> Vec<Observation> {
        let told = self.0.extract_if(.., |waiting| now.duration_since(waiting.time) >= PATIENCE);
        let told: Vec<_> = told.collect();
        if all_seen { Vec::new() } else { told }
    }

    /// The same at the container's end, without waiting.
    pub(super) fn rest(&mut self, all_seen: bool) -> Vec<Observation> {
        let rest = std::mem::take(&mut self.0);
        if all_seen { Vec::new() } else { rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::sample;

    fn stranger(pid: u32) -> Observation {
        let mut observation = sample::syscall("nanosleep");
        let mut process = (*observation.process).clone();
        (process.pid, process.executable) = (pid, UNKNOWN.into());
        observation.process = process.into();
        observation
    }

    fn exec(pid: u32, parent: &str) -> Observation {
        let mut observation = sample::exec("/bin/ls", &["ls"], Some(parent));
        let mut process = (*observation.process).clone();
        process.pid = pid;
        observation.process = process.into();
        observation
    }

    fn pids(told: &[Observation]) -> Vec<u32> {
        told.iter().map(|observation| observation.process.pid).collect()
    }

    #[test]
    fn what_a_runtime_did_on_its_way_in_is_not_told() {
        let mut strangers = Strangers::default();
        assert_eq!(pids(&strangers.admit(stranger(7))), [0; 0]);
        assert_eq!(pids(&strangers.admit(stranger(8))), [0; 0]);
        assert_eq!(pids(&strangers.admit(exec(7, INJECTED))), [7]);
        assert_eq!(strangers.admit(sample::syscall("read")).len(), 1);
        assert_eq!(pids(&strangers.admit(exec(8, UNKNOWN))), [8, 8]);
        assert_eq!(pids(&strangers.rest(false)), [0; 0]);
    }

    #[test]
    fn a_stranger_that_stays_one_is_told_where_a_start_may_have_been_missed() {
        let mut strangers = Strangers::default();
        let seen = stranger(7).time;
        for (all_seen, expected) in [(false, [7].as_slice()), (true, &[])] {
            strangers.admit(stranger(7));
            let early = strangers.overdue(seen + SignedDuration::from_secs(4), false);
            assert_eq!(pids(&early), [0; 0]);
            let late = strangers.overdue(seen + SignedDuration::from_secs(5), all_seen);
            assert_eq!(pids(&late), expected);
            strangers.admit(stranger(7));
            assert_eq!(pids(&strangers.rest(all_seen)), expected);
        }
    }

    #[test]
    fn few_wait() {
        let mut strangers = Strangers::default();
        let told = (0..WAITING_MAX + 3).flat_map(|_| strangers.admit(stranger(7))).count();
        assert_eq!(told, 3);
    }
}
