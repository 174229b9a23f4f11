//! As Graphviz reads it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Lateral;

/// A directed graph: pods, and hops with their times and how sure they are.
pub fn dot(lateral: &Lateral) -> String {
    let mut text = String::from("digraph lateral {\n  rankdir=LR;\n  node [shape=box];\n");
    let places: BTreeSet<_> = lateral.hops.iter().flat_map(|hop| [&hop.from, &hop.to]).collect();
    for place in places {
        let node = place.node.as_deref().unwrap_or("an unknown node");
        let label =
            format!("{}\n{} on {node}", place.name, place.address.as_deref().unwrap_or("-"));
        let _ = writeln!(text, "  {} [label={}];", quoted(&place.pod_uid), quoted(&label));
    }
    for hop in &lateral.hops {
        let confidence = format!("{:?}", hop.confidence).to_lowercase();
        let label = format!("{:.0}\n{}\n{confidence}", hop.time, hop.connect.object);
        let _ = writeln!(
            text,
            "  {} -> {} [label={}];",
            quoted(&hop.from.pod_uid),
            quoted(&hop.to.pod_uid),
            quoted(&label)
        );
    }
    text.push_str("}\n");
    text
}

/// A quoted string of the DOT language, in which a backslash means something to labels:
/// <https://graphviz.org/doc/info/lang.html>.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.extend(
                c.escape_default().flat_map(|c| if c == '\\' { vec!['\\', '\\'] } else { vec![c] }),
            ),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn no_name_ends_its_quotes() {
        assert_eq!(quoted("a\"];b\\"), r#""a\"];b\\""#);
        assert_eq!(quoted("a\u{1b}\nb"), r#""a\\u{1b}\nb""#);
    }
}
