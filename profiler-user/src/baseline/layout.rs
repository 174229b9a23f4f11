//! How a baseline is laid out as text: indented, but one line for each entry, so that a diff has one line for each too.

use super::model::Baseline;

pub(super) fn render(baseline: &Baseline) -> String {
    let pretty = serde_json::to_string_pretty(baseline)
        .expect("a baseline holds nothing that JSON does not");
    one_line_per_entry(&pretty)
}

/// Joins the lines of each `Seen`. A line break is never part of a string in JSON, and only a `Seen` begins with a
/// first time; an entry that happens to be called `first` is an object.
fn one_line_per_entry(pretty: &str) -> String {
    let mut text = String::with_capacity(pretty.len());
    let mut lines = pretty.lines().peekable();
    while let Some(line) = lines.next() {
        text.push_str(line);
        let is_seen = line.ends_with('{')
            && lines.peek().is_some_and(|next| next.trim_start().starts_with("\"first\": \""));
        if is_seen {
            let mut depth = 1;
            while depth > 0 {
                let Some(line) = lines.next() else { break };
                let part = line.trim_start();
                depth += i32::from(part.ends_with('{'));
                depth -= i32::from(part.starts_with('}'));
                if !part.starts_with('}') && !text.ends_with('{') {
                    text.push(' ');
                }
                text.push_str(part);
            }
        }
        text.push('\n');
    }
    text
}
