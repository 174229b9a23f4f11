//! Times as people write them on a command line.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// `2h`: so long before `now` (units s, m, h, d, w); else a time stamp (RFC 3339), or a date with or without a time of
/// day, which is UTC.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some((number, seconds)) = ago(text) {
        let number = number.parse::<i64>().ok();
        let ago =
            number.and_then(|number| number.checked_mul(seconds)).map(SignedDuration::from_secs);
        let moment = ago.and_then(|ago| now.checked_sub(ago).ok());
        return moment.ok_or_else(|| format!("{text:?} is out of range"));
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    // A date alone is its midnight.
    let civil = text.parse::<DateTime>().map_err(|_| {
        format!("{text:?} is no time; write 2h (ago), 2026-11-21, 2026-11-21T20:59 or 2026-11-21T20:59:01Z")
    })?;
    TimeZone::UTC.to_timestamp(civil).map_err(|error| format!("{text:?}: {error}"))
}

/// The digits of a length of time, and the seconds of its unit; none where it is not one.
fn ago(text: &str) -> Option<(&str, i64)> {
    let unit = text.chars().last()?;
    let seconds: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let number = text.strip_suffix(unit)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((number, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-11-21T20:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("90s", "2026-11-21T19:58:30Z"),
            ("2h", "2026-11-21T18:00:00Z"),
            ("1w", "2026-11-14T20:00:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("2026-11-20T12:30", "2026-11-20T12:30:00Z"),
            ("2026-11-20 12:30:05", "2026-11-20T12:30:05Z"),
            ("2026-11-20T12:30:05+02:00", "2026-11-20T10:30:05Z"),
        ] {
            assert_eq!(moment(text, now), Ok(expected.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "h",
            "-2h",
            "yesterday",
            "2026-13-01",
            "99999999999999999999d",
            "9223372036854775807w",
        ] {
            assert!(moment(text, now).is_err(), "{text}");
        }
    }
}
