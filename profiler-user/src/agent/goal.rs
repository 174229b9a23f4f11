//! `record --until`: how far the baselines are, told while they grow.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::baseline::{Baseline, Limit};

/// Estimating takes a fraction of a millisecond for each baseline.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Goal {
    until: f64,
    due: Instant,
    said: String,
}

impl Goal {
    pub(super) fn new(until: f64) -> Self {
        Self { until, due: Instant::now(), said: String::new() }
    }

    /// Whether all of them are complete enough, and there is one at least.
    pub(super) fn is_reached<'a>(
        &mut self,
        baselines: impl Iterator<Item = &'a Baseline>,
        now: Timestamp,
    ) -> bool {
        if self.due > Instant::now() {
            return false;
        }
        self.due = Instant::now() + LOOK_EVERY;
        let mut done = 0;
        let mut told = Vec::new();
        for one in baselines {
            let (coverage, limit) = one.coverage(now);
            done += usize::from(coverage >= self.until && one.is_told_by_enough(now));
            told.push(((coverage, limit), one.label()));
        }
        let least = told.iter().min_by(|((one, _), _), ((other, _), _)| one.total_cmp(other));
        if let Some(((coverage, limit), image)) = least {
            self.say(&progress(done, told.len(), *coverage, *limit, image));
        }
        !told.is_empty() && done == told.len()
    }

    /// Once for each change: on a terminal in its place.
    fn say(&mut self, line: &str) {
        if self.said != line {
            let mut stderr = io::stderr().lock();
            let is_terminal = stderr.is_terminal();
            let before = if is_terminal && !self.said.is_empty() { "\x1b[1A\x1b[2K" } else { "" };
            let _may_be_closed = writeln!(stderr, "{before}driftline: {line}");
            line.clone_into(&mut self.said);
        }
    }
}

fn progress(done: usize, all: usize, coverage: f64, limit: Limit, image: &str) -> String {
    let least = match limit {
        Limit::Starts => format!("{image} was not yet seen to start twice"),
        Limit::Runs => format!("of {image} {:.1} % was seen by its runs", coverage * 100.0),
        Limit::Windows => {
            format!("of {image} {:.1} % was seen by windows of ten minutes", coverage * 100.0)
        }
    };
    format!("{done} of {all} images are complete enough; {least}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Image;

    #[test]
    fn nothing_recorded_is_not_complete_and_one_run_is_not_either() {
        let now = Timestamp::UNIX_EPOCH;
        let one = Baseline::new(Image::here("web"));
        assert!(!Goal::new(0.5).is_reached([].into_iter(), now));
        let mut goal = Goal::new(0.5);
        assert!(!goal.is_reached([&one].into_iter(), now));
        assert_eq!(
            goal.said,
            "0 of 1 images are complete enough; web was not yet seen to start twice"
        );
    }
}
