//! Dates and time stamps as programs put them into names.

/// Longest first. `Y` is four digits, `M D h m s` are two, `f` is a fraction of any length; the rest stands for itself.
const SHAPES: &[&str] = &[
    // The kubelet's name for one version of a projected volume.
    "Y_M_D_h_m_s.f",
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

/// The kubelet's time stamp alone: it is recognised where no other date is.
pub(super) fn is_projected_volume(text: &str) -> bool {
    shape_length(SHAPES[0], text) == Some(text.len())
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
        ] {
            assert!(is_date(date), "{date}");
        }
    }

    #[test]
    fn leaves_numbers_that_are_no_date() {
        for other in ["20261301", "1234-01-02", "2026-1-2", "2026", "2026-00-10", "99999999", ""] {
            assert!(!is_date(other), "{other}");
        }
    }
}
