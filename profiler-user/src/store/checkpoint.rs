//! What stands in the log for rows that were removed.

use std::fmt::Write as _;

use crate::drift::chain::hash;

/// Over the checkpoints of one removal, as `(first, last, before, after)` in the order of `first`: each as a line
/// `FIRST LAST BEFORE AFTER`, with `-` where there is nothing before.
pub(super) fn digest<'a>(
    ranges: impl Iterator<Item = (i64, i64, Option<&'a str>, &'a str)>,
) -> String {
    let mut text = String::new();
    for (first, last, before, after) in ranges {
        let _ = writeln!(text, "{first} {last} {} {after}", before.unwrap_or("-"));
    }
    hash(text.as_bytes())
}
