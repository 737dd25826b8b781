//! A released table as aligned text and as CSV.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::release::{Axis, ReleasedTable};

/// A table laid out for reading: the last dimension across, all others down the side. A table of
/// one dimension has a line for each value.
pub struct Grid<'a> {
    /// What stands down the side and across, `owner.attribute` each.
    pub corner: String,
    /// The columns' labels.
    pub columns: Vec<&'a str>,
    /// The lines' labels and cells.
    pub rows: Vec<(String, &'a [Option<i64>])>,
}

impl ReleasedTable {
    /// The dimensions down the side, and the one across if there are several.
    pub fn side_and_across(&self) -> (&[Axis], Option<&Axis>) {
        match self.axes() {
            [side @ .., last] if !side.is_empty() => (side, Some(last)),
            axes => (axes, None),
        }
    }

    /// The table laid out for reading.
    pub fn grid(&self) -> Grid<'_> {
        let titles = |axes: &[Axis]| axes.iter().map(Axis::title).collect::<Vec<_>>().join(", ");
        let (side, across) = self.side_and_across();
        let (corner, columns) = match across {
            Some(last) => (
                format!("{} \\ {}", titles(side), last.title()),
                last.labels.iter().map(String::as_str).collect(),
            ),
            None => (titles(side), vec!["count"]),
        };
        let labels = combinations(side).map(|labels| labels.join(", "));
        let cells = self.cells().chunks(columns.len().max(1));
        Grid {
            corner,
            rows: labels.zip(cells).collect(),
            columns,
        }
    }

    /// The table as CSV (RFC 4180), one line for each cell: a value of each dimension, then the
    /// count, which is empty where the cell is suppressed.
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
        let titles = self.axes().iter().map(|axis| defused(&axis.title()));
        writer.write_record(titles.chain(["count".to_owned()]))?;
        for (labels, cell) in combinations(self.axes()).zip(self.cells()) {
            let count = cell.map_or_else(String::new, |count| count.to_string());
            writer.write_record(labels.into_iter().map(defused).chain([count]))?;
        }
        writer
            .into_inner()
            .map_err(|error| error.into_error().into())
    }
}

/// Every combination of the axes' labels, the last axis fastest.
fn combinations(axes: &[Axis]) -> impl Iterator<Item = Vec<&str>> {
    let count = axes.iter().map(|axis| axis.labels.len()).product();
    (0..count).map(move |index: usize| {
        let mut rest = index;
        let mut labels: Vec<&str> = Vec::with_capacity(axes.len());
        for axis in axes.iter().rev() {
            // There is no combination at all of an axis without labels.
            let size = axis.labels.len().max(1);
            labels.extend(axis.labels.get(rest % size).map(String::as_str));
            rest /= size;
        }
        labels.reverse();
        labels
    })
}

/// Aligned text for terminals: labels left, counts right, suppressed cells as `<` and the smallest
/// count that is shown, then the method. Widths are those of terminal columns, two for CJK.
impl fmt::Display for ReleasedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suppressed = format!("<{}", self.shown_min());
        let grid = self.grid();
        let head = std::iter::once(grid.corner.as_str()).chain(grid.columns.iter().copied());
        let mut lines: Vec<Vec<String>> = vec![head.map(printable).collect()];
        for (label, cells) in &grid.rows {
            let shown =
                |cell: &Option<i64>| cell.map_or_else(|| suppressed.clone(), |n| n.to_string());
            lines.push(
                std::iter::once(printable(label))
                    .chain(cells.iter().map(shown))
                    .collect(),
            );
        }
        let mut widths = vec![0; grid.columns.len() + 1];
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
    use crate::disclosure::release::{NoisedTable, Owners, Policy};

    fn axis(owner: &str, name: &str, labels: &[&str]) -> Axis {
        Axis {
            owner: owner.into(),
            name: name.into(),
            labels: labels.iter().map(|label| (*label).into()).collect(),
        }
    }

    fn released(axes: Vec<Axis>, cells: Vec<i64>) -> ReleasedTable {
        let policy = Policy {
            k: 10,
            epsilon_per_owner: "1".parse().unwrap(),
            owners: Owners::Two,
        };
        NoisedTable::new(axes, cells).unwrap().release(&policy)
    }

    fn table(row_labels: &[&str], column_labels: &[&str], cells: Vec<i64>) -> ReleasedTable {
        let axes = vec![
            axis("tax", "band", row_labels),
            axis("health", "区", column_labels),
        ];
        released(axes, cells)
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
            "tax.band,health.区,count\r\n\"a,\"\"b\"\"\",\"x\ny\",20\r\n\"a,\"\"b\"\"\",'-5,\r\n\
             '=cmd(),\"x\ny\",\r\n'=cmd(),'-5,30\r\n"
        );
    }

    #[test]
    fn one_dimension_goes_down_and_of_many_the_last_goes_across() {
        let one = released(vec![axis("tax", "band", &["low", "high"])], vec![20, 30]);
        let text = one.to_string();
        assert!(
            text.starts_with("tax.band  count\nlow          20\nhigh         30\n\n"),
            "{text}"
        );
        let axes = vec![
            axis("tax", "band", &["low", "high"]),
            axis("health", "sex", &["f", "m"]),
            axis("tax", "town", &["A", "B", "C"]),
        ];
        let text = released(axes, (20..32).collect()).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "tax.band, health.sex \\ tax.town   A   B   C");
        assert_eq!(lines[1], "low, f                           20  21  22");
        assert_eq!(lines[4], "high, m                          29  30  31");
    }

    #[test]
    fn terminal_escapes_in_labels_are_shown_as_replacement() {
        let text = table(&["\u{1b}[2Jgone"], &["a\nb"], vec![50]).to_string();
        assert!(!text.contains('\u{1b}'));
        assert!(text.contains("\u{fffd}[2Jgone") && text.contains("a\u{fffd}b"));
    }
}
