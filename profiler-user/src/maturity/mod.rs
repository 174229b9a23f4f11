//! How much of what an image does has been seen, and how much that is new is still to come.
//!
//! Ecologists ask the same of species: a run, or a window of one, is a sampling unit; from what was seen in one unit only, and
//! in two, follow how complete the list is and how much is missing. [`Sample`] is what was seen, [`estimate`](Sample::estimate)
//! what follows from it, [`forecast`](Sample::forecast) what the next units will bring. No I/O, no clock, and chance from a fixed
//! seed: the same sample always gives the same answer. `docs/maturity.md` says how well the intervals hold.

mod estimate;
mod forecast;
mod random;
mod sample;

pub use estimate::{Estimate, Interval};
pub use forecast::{Forecast, LEAST_UNITS};
pub use sample::Sample;

#[cfg(test)]
mod processes;
#[cfg(test)]
mod tests;
