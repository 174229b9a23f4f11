//! Until when something is good, as people write it.

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

/// A length of time from now on, or a date or time that is to come.
pub(in crate::command) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
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
