//! A released table as aligned text and as CSV.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::release::{Axis, ReleasedTable};

impl ReleasedTable {
    /// The table as CSV (RFC 4180): a header of column labels, one line per row label, suppressed
    /// cells empty.
    ///
    /// Labels come from owners and the file is opened in spreadsheets: a label that such a program
    /// would run as a formula gets a leading apostrophe (OWASP, "CSV Injection").
    ///
    /// # Errors
    /// [`csv::Error`], in theory only: the text is written to memory.
    pub fn to_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new());
        let header = std::iter::once(corner(self.row(), self.column()))
            .chain(self.column().labels.iter().map(|label| defused(label)));
        writer.write_record(header)?;
        for (label, cells) in self.row().labels.iter().zip(self.cells()) {
            let counts = cells
                .iter()
                .map(|cell| cell.map_or_else(String::new, |n| n.to_string()));
            writer.write_record(std::iter::once(defused(label)).chain(counts))?;
        }
        writer
            .into_inner()
            .map_err(|error| error.into_error().into())
    }
}

/// Aligned text for terminals: labels left, counts right, suppressed cells as `<` and the smallest
/// count that is shown, then the method. Widths are those of terminal columns, two for CJK.
impl fmt::Display for ReleasedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suppressed = format!("<{}", self.shown_min());
        let mut lines: Vec<Vec<String>> = vec![
            std::iter::once(printable(&corner(self.row(), self.column())))
                .chain(self.column().labels.iter().map(|label| printable(label)))
                .collect(),
        ];
        for (label, cells) in self.row().labels.iter().zip(self.cells()) {
            let shown =
                |cell: &Option<i64>| cell.map_or_else(|| suppressed.clone(), |n| n.to_string());
            lines.push(
                std::iter::once(printable(label))
                    .chain(cells.iter().map(shown))
                    .collect(),
            );
        }
        let mut widths = vec![0; self.column().labels.len() + 1];
        for line in &lines {
            for (width, text) in widths.iter_mut().zip(line) {
                *width = text.width().max(*width);
            }
        }
        for line in &lines {
            for (column, (text, width)) in line.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width.saturating_sub(text.width()));
                match column {
                    0 => write!(f, "{text}{padding}")?,
                    _ => write!(f, "  {padding}{text}")?,
                }
            }
            writeln!(f)?;
        }
        writeln!(f)?;
        writeln!(f, "{}", self.method())
    }
}

/// Head of the label column: both dimensions by name.
fn corner(row: &Axis, column: &Axis) -> String {
    defused(&format!("{} \\ {}", row.title(), column.title()))
}

/// `label` without the power to start a spreadsheet formula.
fn defused(label: &str) -> String {
    if label.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{label}")
    } else {
        label.to_owned()
    }
}

/// `label` without control characters, which could move the cursor or recolour the terminal.
fn printable(label: &str) -> String {
    label
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::release::{NoisedTable, Policy};

    fn table(row_labels: &[&str], column_labels: &[&str], cells: Vec<i64>) -> ReleasedTable {
        let axis = |owner: &str, name: &str, labels: &[&str]| Axis {
            owner: owner.into(),
            name: name.into(),
            labels: labels.iter().map(|label| (*label).into()).collect(),
        };
        let policy = Policy {
            k: 10,
            epsilon_per_owner: "1".parse().unwrap(),
        };
        NoisedTable::new(
            axis("tax", "band", row_labels),
            axis("health", "区", column_labels),
            cells,
        )
        .unwrap()
        .release(&policy)
    }

    #[test]
    fn text_is_aligned_in_terminal_columns() {
        let text = table(&["低收入", "high"], &["市中区", "b"], vec![1234, 3, 16, 99]).to_string();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("tax.band \\ health.区  市中区    b"));
        assert_eq!(lines.next(), Some("低收入                  1234  <16"));
        assert_eq!(lines.next(), Some("high                      16   99"));
        assert_eq!(lines.next(), Some(""));
        assert!(lines.next().unwrap().starts_with("Each owner added"));
    }

    #[test]
    fn csv_quotes_labels_and_leaves_suppressed_cells_empty() {
        let csv = table(&["a,\"b\"", "=cmd()"], &["x\ny", "-5"], vec![20, 1, 15, 30])
            .to_csv()
            .unwrap();
        assert_eq!(
            String::from_utf8(csv).unwrap(),
            "tax.band \\ health.区,\"x\ny\",'-5\r\n\"a,\"\"b\"\"\",20,\r\n'=cmd(),,30\r\n"
        );
    }

    #[test]
    fn terminal_escapes_in_labels_are_shown_as_replacement() {
        let text = table(&["\u{1b}[2Jgone"], &["a\nb"], vec![50]).to_string();
        assert!(!text.contains('\u{1b}'));
        assert!(text.contains("\u{fffd}[2Jgone") && text.contains("a\u{fffd}b"));
    }
}
