//! What becomes of a baseline that is here when the registry has one of the same name. What nobody signed is merged; what
//! somebody signed stays whole, and gives way only to what was signed later.

use jiff::Timestamp;

use super::offer::Offer;
use crate::baseline::{Baseline, MergeError};

/// What is here.
#[derive(Debug)]
pub(super) enum Local {
    None,
    Unsigned(Baseline),
    /// And when.
    Signed(Baseline, Timestamp),
    /// There is a signature, and it does not hold.
    Refused(Baseline),
}

#[derive(Debug)]
pub(super) enum Choice {
    Keep(String),
    Write { offer: Box<Offer>, said: String },
}

pub(super) fn choose(local: Local, mut offer: Offer) -> Result<Choice, MergeError> {
    let theirs = offer.envelope.as_ref().map(|(_, signed)| *signed);
    let parts = match offer.parts {
        1 => "not signed".to_owned(),
        parts => format!("{parts} of the registry merged, not signed"),
    };
    let of = match offer.parts {
        1 => String::new(),
        parts => format!(", the last signed of {parts} in the registry"),
    };
    let said = match (local, theirs) {
        (Local::None, None) => parts,
        (Local::None, Some(time)) => format!("signed on {time}{of}"),
        (Local::Unsigned(ours), None) => {
            let before = ours.clone();
            offer.baseline = ours.merge(offer.baseline)?;
            if offer.baseline == before {
                return Ok(Choice::Keep("the registry has nothing new".to_owned()));
            }
            format!("{parts}, merged with what was here")
        }
        (Local::Signed(ours, _) | Local::Refused(ours), None) => {
            let what = if ours == offer.baseline { "the same" } else { "another" };
            return Ok(Choice::Keep(format!(
                "it has a signature, and the registry has {what} without one"
            )));
        }
        (Local::Signed(ours, here), Some(time)) if time <= here => {
            return Ok(Choice::Keep(if ours == offer.baseline {
                "the registry has the same".to_owned()
            } else {
                format!("it was signed on {here}, the registry's on {time}")
            }));
        }
        (Local::Signed(ours, here), Some(time)) => {
            format!(
                "signed on {time}{of}, in place of what was signed on {here}{}",
                gone(&ours, &offer)
            )
        }
        (Local::Unsigned(ours), Some(time)) => {
            format!("signed on {time}{of}, in place of what nobody signed{}", gone(&ours, &offer))
        }
        (Local::Refused(ours), Some(time)) => {
            format!(
                "signed on {time}{of}, in place of what has no good signature{}",
                gone(&ours, &offer)
            )
        }
    };
    Ok(Choice::Write { offer: Box::new(offer), said })
}

/// What a signed baseline does not hold of the one that it replaces.
fn gone(ours: &Baseline, offer: &Offer) -> String {
    let gone = ours.runs.keys().filter(|run| !offer.baseline.runs.contains_key(run)).count();
    match gone {
        0 => String::new(),
        gone => format!("; {gone} recorded runs that were here are not in it"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::offer::best;
    use super::*;
    use crate::attest::Envelope;
    use crate::baseline::{Image, Phases, Seen};

    /// A baseline that knows one system call.
    fn baseline(call: &str) -> Baseline {
        let mut baseline = Baseline::new(Image::here("x"));
        let (first, last) = (time(0), time(0));
        let (phase, runs) = (Phases::START, std::collections::BTreeMap::new());
        let seen = Seen { first, last, phase, runs, ..Seen::default() };
        baseline.syscalls.insert(call.to_owned(), seen);
        baseline
    }

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_312_000 + second).unwrap()
    }

    fn offer(call: &str, signed: Option<i64>) -> Offer {
        let envelope = signed.map(|second| (Envelope::new("type", b""), time(second)));
        Offer { baseline: baseline(call), envelope, parts: 1 }
    }

    /// The calls that are there afterwards; none where what is here is kept.
    fn after(local: Local, offer: Offer) -> Option<Vec<String>> {
        match choose(local, offer).unwrap() {
            Choice::Keep(_) => None,
            Choice::Write { offer, .. } => Some(offer.baseline.syscalls.into_keys().collect()),
        }
    }

    #[test]
    fn what_nobody_signed_is_merged_and_a_signature_gives_way_to_a_later_one_alone() {
        let here = || baseline("here");
        let calls = |calls: &[&str]| Some(calls.iter().map(ToString::to_string).collect());
        assert_eq!(after(Local::None, offer("new", None)), calls(&["new"]));
        assert_eq!(after(Local::Unsigned(here()), offer("new", None)), calls(&["here", "new"]));
        assert_eq!(after(Local::Unsigned(here()), offer("here", None)), None);
        assert_eq!(after(Local::Unsigned(here()), offer("new", Some(1))), calls(&["new"]));
        assert_eq!(after(Local::Refused(here()), offer("new", Some(1))), calls(&["new"]));
        assert_eq!(after(Local::Refused(here()), offer("new", None)), None);
        let signed = || Local::Signed(here(), time(5));
        assert_eq!(after(signed(), offer("new", None)), None);
        assert_eq!(after(signed(), offer("new", Some(4))), None);
        assert_eq!(after(signed(), offer("new", Some(5))), None);
        assert_eq!(after(signed(), offer("new", Some(6))), calls(&["new"]));
    }

    #[test]
    fn of_several_the_last_signed_is_taken_in_whatever_order_they_come() {
        let parts = [("a", None), ("b", Some(2)), ("c", Some(1))];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let offers = order.map(|at| offer(parts[at].0, parts[at].1));
            assert_eq!(best(offers.into()).unwrap().baseline, baseline("b"));
            let offers = order.map(|at| offer(parts[at].0, None));
            assert_eq!(best(offers.into()).unwrap().baseline.syscalls.len(), 3);
        }
    }
}
