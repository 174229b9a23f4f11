//! As a picture that needs nothing else to be looked at.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Confidence, Lateral, Place};
use crate::drift::clean;

// In pixels.
const BOX: (usize, usize) = (220, 56);
const GAP: (usize, usize) = (170, 34);
const MARGIN: usize = 20;

/// Pods in columns by how many hops lead to them, the first hop's beginning on the left.
pub fn svg(lateral: &Lateral) -> String {
    let columns = columns(lateral);
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    let mut at: BTreeMap<&Place, (usize, usize)> = BTreeMap::new();
    for (place, column) in &columns {
        let row = rows.entry(*column).or_default();
        let x = MARGIN + column * (BOX.0 + GAP.0);
        let y = MARGIN + *row * (BOX.1 + GAP.1);
        at.insert(place, (x, y));
        *row += 1;
    }
    let width = 2 * MARGIN + (rows.len().max(1)) * (BOX.0 + GAP.0) - GAP.0;
    let tallest = rows.values().copied().max().unwrap_or(0).max(1);
    let height = 2 * MARGIN + tallest * (BOX.1 + GAP.1) - GAP.1;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <defs><marker id=\"to\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path d=\"M0 0 10 5 0 10z\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for hop in &lateral.hops {
        let ((x, y), (to_x, to_y)) = (at[&hop.from], at[&hop.to]);
        let (x, y, to_y) = (x + BOX.0, y + BOX.1 / 2, to_y + BOX.1 / 2);
        let dash = match hop.confidence {
            Confidence::High => "",
            Confidence::Medium => " stroke-dasharray=\"7 3\"",
            Confidence::Low => " stroke-dasharray=\"2 3\"",
        };
        let _ = writeln!(
            text,
            "<line x1=\"{x}\" y1=\"{y}\" x2=\"{to_x}\" y2=\"{to_y}\" stroke=\"black\"{dash} marker-end=\"url(#to)\">\
             <title>{} {}</title></line>",
            escaped(&hop.time.to_string()),
            escaped(&hop.connect.sentence)
        );
        let (middle_x, middle_y) = (x.midpoint(to_x), y.midpoint(to_y));
        let _ = writeln!(
            text,
            "<text x=\"{middle_x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            middle_y.saturating_sub(6),
            escaped(&hop.time.strftime("%H:%M:%SZ").to_string())
        );
    }
    for (place, (x, y)) in at {
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"4\" fill=\"#eef\" stroke=\"black\"/>\n\
             <text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\n<text x=\"{}\" y=\"{}\">{} {}</text>",
            BOX.0,
            BOX.1,
            x + 8,
            y + 22,
            escaped(&short(&place.name)),
            x + 8,
            y + 42,
            escaped(place.address.as_deref().unwrap_or("")),
            escaped(
                &place.node.as_ref().map_or_else(String::new, |node| format!("on {}", short(node)))
            )
        );
    }
    text.push_str("</svg>\n");
    text
}

/// The longest way to each pod along the chains, which have no circles.
fn columns(lateral: &Lateral) -> BTreeMap<&Place, usize> {
    let mut columns: BTreeMap<&Place, usize> = BTreeMap::new();
    for hop in &lateral.hops {
        columns.entry(&hop.from).or_default();
        columns.entry(&hop.to).or_insert(1);
    }
    for chain in &lateral.chains {
        for (place, hop) in chain.hops.iter().enumerate() {
            let column = columns.entry(&lateral.hops[*hop].to).or_default();
            *column = (*column).max(place + 1);
        }
    }
    // Without empty columns.
    let mut used: Vec<usize> = columns.values().copied().collect();
    used.sort_unstable();
    used.dedup();
    for column in columns.values_mut() {
        *column = used.binary_search(column).unwrap_or(0);
    }
    columns
}

/// As much as a box holds.
fn short(text: &str) -> String {
    const MAX: usize = 28;
    let clean = clean(text);
    match clean.char_indices().nth(MAX) {
        Some((at, _)) => format!("{}…", &clean[..at]),
        None => clean,
    }
}

/// Text of XML, without control characters, which it does not have.
pub(in crate::investigate) fn escaped(text: &str) -> String {
    let text = clean(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
