//! What a registry offers, once it is understood and, where somebody is trusted, verified.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::{
    attest::{self, Envelope, PublicKey},
    baseline::{self, Baseline, MergeError},
};

#[derive(Debug)]
pub(super) struct Offer {
    pub(super) baseline: Baseline,
    /// With the time at which it says that it was signed.
    pub(super) envelope: Option<(Envelope, Timestamp)>,
    /// Of how many artifacts it was made or chosen.
    pub(super) parts: usize,
}

impl Offer {
    /// Why it is refused is said in words.
    pub(super) fn read(
        bytes: &[u8],
        envelope: Option<&[u8]>,
        trusted: Option<&[PublicKey]>,
        now: Timestamp,
    ) -> Result<Self, String> {
        let baseline = baseline::parse(PathBuf::from("from the registry"), bytes)
            .map_err(|error| error.to_string())?;
        attest::said_once(bytes).map_err(|why| why.to_string())?;
        let Some(envelope) = envelope else {
            return match trusted {
                Some(_) => Err("it is not signed; sign it and push it again".to_owned()),
                None => Ok(Self { baseline, envelope: None, parts: 1 }),
            };
        };
        let envelope = attest::parse_envelope(envelope).map_err(|why| why.to_string())?;
        let statement = match trusted {
            Some(trusted) => attest::verify(&envelope, &baseline, trusted, now)
                .map(|verified| verified.statement),
            None => attest::unverified(&envelope, &baseline, now),
        };
        let statement = statement.map_err(|why| why.to_string())?;
        let signed = statement.predicate.driftline_baseline.signed;
        Ok(Self { baseline, envelope: Some((envelope, signed)), parts: 1 })
    }
}

/// Of several for one file: the one signed last, as it is; without any that is signed, all of them merged.
pub(super) fn best(mut offers: Vec<Offer>) -> Result<Offer, MergeError> {
    let signed = |offer: &Offer| offer.envelope.as_ref().map(|(_, signed)| *signed);
    let last = offers.iter().enumerate().filter_map(|(at, offer)| {
        // Of two of one moment, the same whatever order they came in.
        signed(offer).map(|time| (time, offer.baseline.id(), at))
    });
    if let Some((.., at)) = last.max() {
        let parts = offers.len();
        return Ok(Offer { parts, ..offers.swap_remove(at) });
    }
    let mut offers = offers.into_iter();
    let mut best = offers.next().expect("a file is named by an offer");
    for offer in offers {
        best.baseline = best.baseline.merge(offer.baseline)?;
        best.parts += offer.parts;
    }
    Ok(best)
}
