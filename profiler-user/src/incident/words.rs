//! What a pod did after it was reached, in a few words.

use jiff::Timestamp;

use crate::drift::Severity;
use crate::investigate::Told;

/// `ran /bin/sh there 0.8 s later (one of 4 drifts)`: the gravest of what came after the connection, of equals the first.
pub(super) fn then(connected: Timestamp, after: &[Told]) -> String {
    let rank = |told: &&Told| {
        let grave = Severity::ALL.iter().position(|one| one.name() == told.severity);
        // What was there a moment before is not what the connection led to.
        // Where it went on to is the next hop's to tell.
        let goes_on = told.kind == "net.connect";
        (told.time >= connected, !goes_on, grave, std::cmp::Reverse((told.time, told.seq)))
    };
    let Some(chosen) = after.iter().max_by_key(rank) else {
        return "was let in as never before".to_owned();
    };
    let more = match after.len() {
        1 => String::new(),
        many => format!(" (one of {many} drifts)"),
    };
    format!("{} {}{more}", deed(chosen), later(connected, chosen.time))
}

fn deed(told: &Told) -> String {
    let object = &told.object;
    match told.kind.as_str() {
        "exec" | "exec.parent" | "exec.args" | "exec.injected" | "exec.fileless" => {
            format!("ran {object} there")
        }
        "exec.not_in_image" => format!("ran {object} there, which the image does not have,"),
        "file.read" => format!("read {object} there"),
        "file.write" => format!("wrote {object} there"),
        "file.delete" => format!("deleted {object} there"),
        "file.map_exec" => format!("loaded {object} there"),
        "net.connect" => format!("connected from there to {object}"),
        "net.listen" => format!("listened there on {object}"),
        kind => format!("did there what is {kind} ({object})"),
    }
}

fn later(from: Timestamp, to: Timestamp) -> String {
    let milliseconds = to.duration_since(from).as_millis();
    match milliseconds {
        ..0 => "at about the same time".to_owned(),
        0..100 => format!("{milliseconds} ms later"),
        100..60_000 => format!("{}.{} s later", milliseconds / 1000, milliseconds % 1000 / 100),
        60_000..7_200_000 => format!("{} min later", milliseconds / 60_000),
        _ => format!("{} h later", milliseconds / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::later;
    use crate::drift::sample::start;

    #[test]
    fn how_long_is_said_as_people_say_it() {
        for (milliseconds, expected) in [
            (-5, "at about the same time"),
            (0, "0 ms later"),
            (99, "99 ms later"),
            (830, "0.8 s later"),
            (59_990, "59.9 s later"),
            (60_000, "1 min later"),
            (7_200_000, "2 h later"),
        ] {
            assert_eq!(
                later(start(), start() + SignedDuration::from_millis(milliseconds)),
                expected
            );
        }
    }
}
