//! `driftline baseline sign`: somebody answers for a baseline.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

use super::refused;
use crate::{
    attest::{self, Claim, Envelope, SigningKey, Statement, statement::PAYLOAD_TYPE},
    baseline,
    error::Error,
};

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The private key, Ed25519 or ECDSA P-256, as PKCS#8 in PEM
    #[arg(long, value_name = "PEM", env = "DRIFTLINE_SIGNING_KEY")]
    key: PathBuf,
    /// Who has reviewed the baseline; it becomes part of what is signed
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Until when it is good: 90d, 12h, or a date
    #[arg(long, value_name = "WHEN", conflicts_with = "add")]
    expires: Option<String>,
    /// Add a signature to the one that is there, for the same statement
    #[arg(long, conflicts_with = "by")]
    add: bool,
    file: PathBuf,
}

pub(super) fn run(args: &Sign, now: Timestamp) -> Result<ExitCode, Error> {
    let key = SigningKey::read(&args.key)?;
    let (baseline, bytes) = baseline::read_file(&args.file)?;
    let expires = match &args.expires {
        Some(text) => {
            Some(moment(text, now).map_err(|why| Error::Usage(format!("--expires: {why}")))?)
        }
        None => None,
    };
    let mut envelope = if args.add {
        attest::read_envelope(&args.file).map_err(|why| refused(&args.file, why))?
    } else {
        let claim = Claim { by: args.by.clone(), signed: now, expires };
        let statement = Statement::new(&baseline, claim);
        let payload = serde_json::to_vec(&statement).map_err(anyhow::Error::from)?;
        Envelope::new(PAYLOAD_TYPE, &payload)
    };
    envelope.sign(&key).map_err(|why| refused(&args.file, why))?;
    // Nothing is signed that would not be believed: neither what says something twice, nor another's statement.
    let trusted = std::slice::from_ref(key.public());
    let verified = attest::said_once(&bytes)
        .and_then(|()| attest::verify(&envelope, &baseline, trusted, now))
        .map_err(|why| refused(&args.file, why))?;
    let path = attest::write_envelope(&args.file, &envelope)?;
    let until = verified.expires().map_or(String::new(), |time| format!(", good until {time}"));
    eprintln!(
        "driftline: signed {} ({}) with key {}{until}: {}",
        args.file.display(),
        baseline.id(),
        key.public().id(),
        path.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// A length of time from now on, or a date or time that is to come.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong =
        || format!("{text:?} is no time; write 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z");
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let hours = match unit {
        "h" => Some(1),
        "d" => Some(24),
        _ => None,
    };
    let time = if let Some(hours) = hours {
        let number: i64 = number.parse().map_err(|_| wrong())?;
        let hours =
            number.checked_mul(hours).filter(|hours| *hours < 1_000_000).ok_or_else(wrong)?;
        now.checked_add(SignedDuration::from_hours(hours)).map_err(|_| wrong())?
    } else if let Ok(time) = text.parse::<Timestamp>() {
        time
    } else {
        let date: civil::Date = text.parse().map_err(|_| wrong())?;
        date.to_zoned(TimeZone::UTC).map_err(|_| wrong())?.timestamp()
    };
    if time <= now { Err(format!("{text:?} is over")) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn an_expiry_is_a_length_of_time_or_a_date_to_come() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let at = |text| moment(text, now).map(|time| time.to_string());
        assert_eq!(at("2d").unwrap(), "2026-11-24T12:00:00Z");
        assert_eq!(at("12h").unwrap(), "2026-11-23T00:00:00Z");
        assert_eq!(at("2027-01-31").unwrap(), "2027-01-31T00:00:00Z");
        assert_eq!(at("2027-01-31T08:00:00+02:00").unwrap(), "2027-01-31T06:00:00Z");
        for wrong in [
            "",
            "d",
            "5",
            "5w",
            "-1d",
            "soon",
            "0d",
            "2026-11-21",
            "99999999999999999999d",
            "9999999d",
        ] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
