//! What time retention believes it is: a clock that jumps for a moment must not cost a month of history.
//!
//! The clock of the wall is compared with one that only counts seconds since the machine started. Ahead of what that
//! one says, it is believed only after it has stayed there for a day. Behind it, it is believed at once, since
//! that removes nothing.

const SECOND: i64 = 1_000_000_000;

/// As far as two clocks may differ before one of them has jumped.
const SLACK: i64 = 600 * SECOND;

/// How long a clock that jumped ahead must stay there.
const PROOF: i64 = 24 * 3600 * SECOND;

/// Nanoseconds, of the wall since 1970, steady since the machine started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clocks {
    pub(super) wall: i64,
    pub(super) steady: i64,
}

impl Clocks {
    pub(super) fn now() -> Self {
        use nix::time::{ClockId, clock_gettime};
        let of = |id| {
            let time = clock_gettime(id).map(std::time::Duration::from).unwrap_or_default();
            i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
        };
        // It goes on while the machine sleeps.
        Self { wall: of(ClockId::CLOCK_REALTIME), steady: of(ClockId::CLOCK_BOOTTIME) }
    }
}

/// The time that is believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Believed {
    at: Clocks,
    /// Where the wall's clock jumped to, not believed yet.
    ahead: Option<Clocks>,
}

/// How the believed time has moved.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moved {
    /// By more than what has passed: a jump that is believed now. What this agent has marked moves with it.
    pub(super) by: i64,
}

impl Believed {
    /// `kept`: what an earlier agent believed last.
    pub(super) fn begin(kept: Option<i64>, now: Clocks) -> Self {
        match kept {
            // Away for a while, or a clock that is wrong: time tells.
            Some(kept) if now.wall > kept + SLACK => {
                Self { at: Clocks { wall: kept, ..now }, ahead: Some(now) }
            }
            _ => Self { at: now, ahead: None },
        }
    }

    pub(super) fn wall(&self) -> i64 {
        self.at.wall
    }

    pub(super) fn move_on(&mut self, now: Clocks) -> Moved {
        let passed = (now.steady - self.at.steady).max(0);
        let expected = self.at.wall.saturating_add(passed);
        let ahead = now.wall.saturating_sub(expected);
        if ahead <= SLACK {
            self.ahead = None;
            self.at = now;
            return Moved { by: if ahead < -SLACK { ahead } else { 0 } };
        }
        let since = match self.ahead {
            Some(since) if (now.wall - since.wall - (now.steady - since.steady)).abs() <= SLACK => {
                since
            }
            _ => now,
        };
        if now.steady - since.steady >= PROOF {
            self.ahead = None;
            self.at = now;
            return Moved { by: ahead };
        }
        self.ahead = Some(since);
        self.at = Clocks { wall: expected, steady: now.steady };
        Moved::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600 * SECOND;

    fn at(wall: i64, steady: i64) -> Clocks {
        Clocks { wall, steady }
    }

    #[test]
    fn a_clock_that_goes_as_it_should_is_believed() {
        let mut believed = Believed::begin(None, at(100 * DAY, 0));
        for day in 1..40 {
            assert_eq!(believed.move_on(at((100 + day) * DAY, day * DAY)), Moved::default());
            assert_eq!(believed.wall(), (100 + day) * DAY);
        }
    }

    #[test]
    fn a_clock_that_is_ahead_for_a_moment_changes_nothing() {
        let mut believed = Believed::begin(None, at(100 * DAY, 0));
        for minute in 1..60 {
            let moved =
                believed.move_on(at(4000 * DAY + minute * 60 * SECOND, minute * 60 * SECOND));
            assert_eq!(moved, Moved::default());
            assert_eq!(believed.wall(), 100 * DAY + minute * 60 * SECOND);
        }
        believed.move_on(at(100 * DAY + 3600 * SECOND, 3600 * SECOND));
        assert_eq!(believed.wall(), 100 * DAY + 3600 * SECOND);
        // Nor does one that jumps about for days, each time elsewhere.
        for hour in 2..200 {
            believed.move_on(at((1000 + hour * 7) * DAY, hour * 3600 * SECOND));
            assert_eq!(believed.wall(), 100 * DAY + hour * 3600 * SECOND);
        }
    }

    #[test]
    fn a_clock_that_stays_ahead_for_a_day_is_right() {
        let mut believed = Believed::begin(None, at(0, 0));
        let mut jumped = 0;
        for hour in 1..=26 {
            jumped +=
                believed.move_on(at(20_000 * DAY + hour * 3600 * SECOND, hour * 3600 * SECOND)).by;
        }
        assert_eq!(believed.wall(), 20_000 * DAY + 26 * 3600 * SECOND);
        assert_eq!(jumped, 20_000 * DAY);
    }

    #[test]
    fn a_clock_that_goes_back_is_believed_at_once() {
        let mut believed = Believed::begin(None, at(5000 * DAY, 0));
        assert_eq!(believed.move_on(at(100 * DAY, SECOND)).by, -(4900 * DAY + SECOND));
        assert_eq!(believed.wall(), 100 * DAY);
    }

    #[test]
    fn an_agent_that_was_away_believes_the_clock_after_a_day() {
        let mut believed = Believed::begin(Some(100 * DAY), at(110 * DAY, 50));
        assert_eq!(believed.wall(), 100 * DAY);
        for hour in 1..=24 {
            let moved =
                believed.move_on(at(110 * DAY + hour * 3600 * SECOND, 50 + hour * 3600 * SECOND));
            assert_eq!(moved.by != 0, hour == 24);
        }
        assert_eq!(believed.wall(), 111 * DAY);
    }
}
