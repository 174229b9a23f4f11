//! What a sample says of the whole.

use serde::Serialize;

use super::Sample;

/// Of a normal distribution, 95 % lie within so many standard deviations.
const Z: f64 = 1.959_964;

/// 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The chance that a behaviour of the next unit is one that was seen before, 0 to 1.
    pub coverage: f64,
    /// Behaviours that exist and were never seen; at least so many.
    pub unseen: f64,
    pub unseen_interval: Interval,
}

impl Sample {
    /// None for fewer than two units: one says nothing of the next. Nor for what was never seen: empty is not complete.
    pub fn estimate(&self) -> Option<Estimate> {
        (self.units >= 2 && self.incidences > 0).then(|| Estimate {
            coverage: self.coverage(),
            unseen: self.unseen(),
            unseen_interval: self.unseen_interval(),
        })
    }

    /// Sample coverage: Good and Turing's idea in the form of Chao and Jost 2012 for incidences, equation (4a) in Chao et al. 2014.
    fn coverage(&self) -> f64 {
        let [units, once, twice, incidences] =
            [self.units, self.once, self.twice, self.incidences].map(number);
        // Without any that was seen twice, as if the bias-corrected estimate of the unseen held.
        let (once_less, twice) = if self.twice > 0 { (once, twice) } else { (once - 1.0, 1.0) };
        let deviation = (units - 1.0) * once_less;
        let share = if deviation > 0.0 { deviation / (deviation + 2.0 * twice) } else { 0.0 };
        // A single one that was seen once: without this, nothing would seem to be missing.
        let share = if self.once == 1 && self.twice == 0 { 0.5 } else { share };
        (1.0 - once / incidences * share).clamp(0.0, 1.0)
    }

    /// Chao2, bias-corrected: Chao 2005, "Species estimation and applications".
    pub(super) fn unseen(&self) -> f64 {
        let [units, once, twice] = [self.units, self.once, self.twice].map(number);
        if self.units == 0 {
            return 0.0;
        }
        (units - 1.0) / units * once * (once - 1.0).max(0.0) / (2.0 * (twice + 1.0))
    }

    /// Log-normal, with the variance that `EstimateS` gives for the bias-corrected form (its user's guide, equations 11 to 13).
    fn unseen_interval(&self) -> Interval {
        let unseen = self.unseen();
        let [units, once, twice] = [self.units, self.once, self.twice].map(number);
        if unseen <= 0.0 {
            return Interval { low: 0.0, high: 0.0 };
        }
        let share = (units - 1.0) / units;
        let next = twice + 1.0;
        let variance = share * once * (once - 1.0) / (2.0 * next)
            + share.powi(2) * once * (2.0 * once - 1.0).powi(2) / (4.0 * next.powi(2))
            + share.powi(2) * once.powi(2) * twice * (once - 1.0).powi(2) / (4.0 * next.powi(4));
        let factor = (Z * (1.0 + variance / unseen.powi(2)).ln().sqrt()).exp();
        Interval { low: unseen / factor, high: unseen * factor }
    }

    /// How many new behaviours the next units bring on average: extrapolation as in Chao et al. 2014, equation (9).
    pub(super) fn expected(&self, next: usize) -> f64 {
        let [units, once, next] = [self.units, self.once, next].map(number);
        if self.once == 0 {
            return 0.0;
        }
        // Chao2 of a single one is nothing; it still came, and so may another.
        let unseen = self.unseen().max(0.5 * once * (units - 1.0) / units);
        unseen * (1.0 - (1.0 - once / (units * unseen + once)).powf(next))
    }
}

/// Counts are far from where a float would round them.
#[expect(clippy::cast_precision_loss, reason = "counts of behaviours are small")]
pub(super) fn number(count: usize) -> f64 {
    count as f64
}
