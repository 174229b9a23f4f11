//! Columns for people. What a container chose cannot steer a terminal.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::drift::clean;
use crate::investigate::Told;

/// Characters of a cell that a table shows; JSON has all of it.
const CELL_MAX: usize = 64;

/// Rows of cells; the last column is not cut and not filled.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(ToString::to_string).collect()] }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| clean(&cell)).collect();
        let last = cells.len().saturating_sub(1);
        for cell in &mut cells[..last] {
            if let Some((at, _)) = cell.char_indices().nth(CELL_MAX) {
                cell.truncate(at);
                cell.push('…');
            }
        }
        self.rows.push(cells);
    }

    /// Nothing where there is no row.
    pub(super) fn text(&self) -> String {
        if self.rows.len() < 2 {
            return String::new();
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, "{cell:<width$}  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// To the second.
pub(super) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// What happened, without where: the kind, and the sentence about it.
pub(super) fn drift(told: &Told) -> String {
    let times = if told.count > 1 {
        format!(" ({} times, last {})", told.count, time(told.last))
    } else {
        String::new()
    };
    let techniques = if told.techniques.is_empty() {
        String::new()
    } else {
        format!(" [{}]", told.techniques.join(", "))
    };
    format!("{}{techniques}{times}", told.sentence)
}

/// Drift of one container as a table.
pub(super) fn drifts<'a>(told: impl IntoIterator<Item = &'a Told>) -> String {
    let mut table = Table::new(&["time", "severity", "kind", "event", "what"]);
    for told in told {
        table.row([
            time(told.time),
            told.severity.clone(),
            told.kind.clone(),
            told.id.clone(),
            drift(told),
        ]);
    }
    table.text()
}

/// The digest, as far as people compare it.
pub(super) fn digest(digest: Option<&String>) -> String {
    digest.map_or_else(|| "-".to_owned(), |digest| digest.chars().take(19).collect())
}

pub(super) fn or_dash(text: Option<&String>) -> String {
    text.map_or_else(|| "-".to_owned(), Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_the_last_is_whole() {
        let mut table = Table::new(&["a", "bb"]);
        assert_eq!(table.text(), "");
        table.row(["é\u{1b}[2J".to_owned(), "x".repeat(100)]);
        table.row(["y".repeat(70), String::new()]);
        let text = table.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("é\\u{1b}[2J") && lines[1].ends_with(&"x".repeat(100)));
        assert_eq!(lines[2], format!("{}…", "y".repeat(64)));
        assert_eq!(lines[0].find("bb"), Some(67));
    }
}
