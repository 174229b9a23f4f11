//! Dates and time stamps as programs put them into names.

/// Longest first. `Y` is four digits, `M D h m s` are two, `f` is a fraction of any length; `W` is a day of the week, `N` a
/// month by name, `e` a day as `date` prints it, `z` the name of a time zone or its offset; the rest stands for itself.
const SHAPES: &[&str] = &[
    // date(1), ctime(3), and RFC 5322, as scripts put them into arguments.
    "W N e h:m:s z Y",
    "W N e h:m:s Y",
    "W, e N Y h:m:s z",
    PROJECTED_VOLUME,
    "Y-M-DTh:m:s.fZ",
    "Y-M-DTh:m:s.f",
    "Y-M-D h:m:s.f",
    "Y-M-DTh:m:sZ",
    "Y-M-DTh-m-sZ",
    "Y-M-DTh:m:s",
    "Y-M-DTh-m-s",
    "Y-M-D h:m:s",
    "Y-M-D_h:m:s",
    "Y-M-D_h-m-s",
    "Y-M-D-h-m-s",
    "Y_M_D_h_m_s",
    "Y-M-DThmsZ",
    "Y-M-DThms",
    "Y-M-D_hms",
    "Y-M-D-hms",
    "YMDThmsZ",
    "YMDThms",
    "YMD_hms",
    "YMD-hms",
    "YMDhms",
    "Y-M-D",
    "Y_M_D",
    "Y.M.D",
    "YMD",
];

/// The kubelet's name for one version of a projected volume.
const PROJECTED_VOLUME: &str = "Y_M_D_h_m_s.f";

/// The kubelet's time stamp alone: it is recognised where no other date is.
pub(super) fn is_projected_volume(text: &str) -> bool {
    shape_length(PROJECTED_VOLUME, text) == Some(text.len())
}

/// Whether a date can begin with this character: nearly all text is told by it.
pub(super) fn begins(c: char) -> bool {
    c.is_ascii_digit() || WEEKDAYS.iter().any(|day| day.starts_with(c))
}

/// Every length that a date at the start of `text` can have, longest first.
pub(super) fn lengths(text: &str) -> impl Iterator<Item = usize> {
    SHAPES.iter().filter_map(move |shape| shape_length(shape, text))
}

fn shape_length(shape: &str, text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    for field in shape.bytes() {
        at += match field {
            b'Y' => number(bytes, at, 4, 1970, 2099)?,
            b'M' => number(bytes, at, 2, 1, 12)?,
            b'D' => number(bytes, at, 2, 1, 31)?,
            b'h' => number(bytes, at, 2, 0, 23)?,
            b'm' => number(bytes, at, 2, 0, 59)?,
            // 60 is a leap second.
            b's' => number(bytes, at, 2, 0, 60)?,
            b'f' => match bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count() {
                0 => return None,
                digits => digits,
            },
            b'W' => word(bytes, at, WEEKDAYS)?,
            b'N' => word(bytes, at, MONTHS)?,
            b'e' => day(bytes, at)?,
            b'z' => zone(bytes, at)?,
            literal if bytes.get(at) == Some(&literal) => 1,
            _ => return None,
        };
    }
    Some(at)
}

fn number(bytes: &[u8], at: usize, digits: usize, least: u32, most: u32) -> Option<usize> {
    let mut value = 0;
    for byte in bytes.get(at..at + digits)? {
        value = value * 10 + char::from(*byte).to_digit(10)?;
    }
    (least..=most).contains(&value).then_some(digits)
}

/// In the C locale.
const WEEKDAYS: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: &[&str] =
    &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn word(bytes: &[u8], at: usize, words: &[&str]) -> Option<usize> {
    words.iter().find(|word| bytes[at..].starts_with(word.as_bytes())).map(|word| word.len())
}

/// ` 2`, `2` or `23`.
fn day(bytes: &[u8], at: usize) -> Option<usize> {
    let padded = usize::from(bytes.get(at) == Some(&b' '));
    let two = || number(bytes, at, 2, 1, 31);
    let one = || Some(padded + number(bytes, at + padded, 1, 1, 9)?);
    two().or_else(one)
}

/// `UTC`, `+0100`, `-03`
fn zone(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let letters = rest.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let digits = rest.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    match rest.first()? {
        b'+' | b'-' => matches!(digits, 2 | 4).then_some(1 + digits),
        _ => (1..=5).contains(&letters).then_some(letters),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_date(text: &str) -> bool {
        lengths(text).any(|length| length == text.len())
    }

    #[test]
    fn knows_the_dates_that_programs_write() {
        for date in [
            "2026-01-02",
            "20260102",
            "2026_01_02_15_04_05.123456789",
            "2026-01-02T15:04:05Z",
            "2026-01-02T15:04:05.123Z",
            "20260102T150405Z",
            "20260102150405",
            "2026-01-02_15-04-05",
            "2026.01.02",
            "Mon Nov 23 04:09:39 UTC 2026",
            "Mon Nov  2 04:09:39 CEST 2026",
            "Sun Feb 1 04:09:39 -03 2026",
            "Mon Nov 23 04:09:39 2026",
            "Mon, 23 Nov 2026 04:09:39 +0000",
            "Mon, 2 Nov 2026 04:09:39 GMT",
        ] {
            assert!(is_date(date), "{date}");
        }
    }

    #[test]
    fn leaves_numbers_that_are_no_date() {
        for other in [
            "Mon Nov 23 04:09:39 UTC",
            "Mon Nov 32 04:09:39 UTC 2026",
            "Mon Nov 04:09:39 UTC 2026",
            "Moon Nov 23 04:09:39 UTC 2026",
            "Mon Now 23 04:09:39 UTC 2026",
            "Mon",
            "Mon Nov 23 04:09:39 utc 2026",
            "20261301",
            "1234-01-02",
            "2026-1-2",
            "2026",
            "2026-00-10",
            "99999999",
            "",
        ] {
            assert!(!is_date(other), "{other}");
        }
    }
}
