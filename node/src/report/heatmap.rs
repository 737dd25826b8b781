//! A released table as a heat map: the darker, the larger; what was withheld is hatched.

use super::data::{Cell, TableView};
use super::number;
use super::picture::{DataTable, LegendEntry, Picture};
use super::svg::{Anchor, Drawing, at, fit, text_width, two_lines};

/// Height of one row in pixels.
const ROW: f64 = 36.0;

/// Font size of labels in pixels, as in the style sheet.
const FONT: f64 = 12.0;

/// Narrowest and widest room for a label in pixels. Longer ones are cut in the picture and
/// complete in the table below it.
const LABEL_WIDTH: (f64, f64) = (52.0, 120.0);

/// Widest a column grows, in pixels: beyond it, numbers stand too far apart to compare.
const COLUMN_MAX: f64 = 190.0;

/// Fill opacity of the smallest and of the largest cell. Text on the darkest one keeps a contrast
/// of 4.5 (WCAG 2.2, 1.4.3); the test of the style sheet checks it.
pub(super) const OPACITY: (f64, f64) = (0.05, 0.45);

/// The picture, or nothing when the table has no cells. Cells and labels have been checked to fit.
pub(super) fn picture(id: &str, table: &TableView) -> Option<Picture> {
    let columns = column_labels(table);
    let rows = &table.row_dimension.labels;
    if rows.is_empty() || columns.is_empty() {
        return None;
    }
    let widest = |widths: &mut dyn Iterator<Item = f64>| {
        widths
            .map(|width| width + 14.0)
            .fold(LABEL_WIDTH.0, f64::max)
            .min(LABEL_WIDTH.1)
    };
    let row_label = widest(&mut rows.iter().map(|label| text_width(label, FONT)));
    let column = widest(&mut columns.iter().map(|label| two_line_width(label)));
    let column = column.max(widest_value(table));
    let mut drawing = Drawing::new(rows.len() as f64 * ROW);
    let width = 100.0 / columns.len() as f64;
    for (index, label) in columns.iter().enumerate() {
        let x = (index as f64 + 0.5) * width;
        let (first, second) = two_lines(label, column - 8.0, FONT);
        let first_y = if second.is_empty() { -10.0 } else { -25.0 };
        drawing.text("tick", Anchor::Middle, at(x, first_y), 0.0, &first);
        if !second.is_empty() {
            drawing.text("tick", Anchor::Middle, at(x, -10.0), 0.0, &second);
        }
    }
    for (index, (label, cells)) in rows.iter().zip(&table.cells).enumerate() {
        let y = index as f64 * ROW;
        let fitted = fit(label, row_label - 12.0, FONT);
        drawing.text(
            "tick",
            Anchor::End,
            at(0.0, y + ROW / 2.0 + 4.0),
            -10.0,
            &fitted,
        );
        for (index, (column, cell)) in columns.iter().zip(cells).enumerate() {
            let tip = format!("{label}, {column}: {}", shown(*cell, table.shown_min));
            draw_cell(
                &mut drawing,
                (index as f64 * width, y),
                width,
                *cell,
                table,
                &tip,
            );
        }
    }
    let finding = finding(table);
    let description = format!(
        "Heat map of {} with {} rows and {} columns. The table below the picture has the cells.",
        table.measure,
        rows.len(),
        columns.len(),
    );
    Some(Picture {
        kind: "heatmap",
        note: dimensions(table),
        legend: legend(table),
        padding: [44, 2, 6, row_label as u32],
        width_min: (row_label + column * columns.len() as f64) as u32,
        width_max: (row_label + COLUMN_MAX * columns.len() as f64) as u32,
        drawing: drawing.finish(id, &finding, &description),
        finding,
        data: data(table, &columns),
    })
}

/// Labels of the columns; a table without a column dimension has one, its measure.
fn column_labels(table: &TableView) -> Vec<String> {
    match &table.column_dimension {
        Some(dimension) => dimension.labels.clone(),
        None => vec![table.measure.clone()],
    }
}

/// Width that a label needs on two lines: half of it, but no Latin word is broken.
fn two_line_width(label: &str) -> f64 {
    let words = label.split(' ').filter(|word| word.is_ascii());
    let longest = words.map(|word| text_width(word, FONT)).fold(0.0, f64::max);
    longest.max(text_width(label, FONT) / 2.0 + FONT)
}

/// Released values of the table.
fn values(table: &TableView) -> impl Iterator<Item = i64> + '_ {
    table.cells.iter().flatten().filter_map(|cell| match cell {
        Cell::Value(value) => Some(*value),
        Cell::BelowK | Cell::Complementary => None,
    })
}

fn widest_value(table: &TableView) -> f64 {
    let widths = values(table).map(|value| text_width(&number::signed(value), 13.0) + 12.0);
    widths.fold(0.0, f64::max)
}

fn draw_cell(
    drawing: &mut Drawing,
    (x, y): (f64, f64),
    width: f64,
    cell: Cell,
    table: &TableView,
    tip: &str,
) {
    let (middle, base) = (x + width / 2.0, y + ROW / 2.0 + 4.5);
    match cell {
        Cell::Value(value) => {
            let most = values(table).max().unwrap_or(0).max(1);
            let share = (value as f64 / most as f64).clamp(0.0, 1.0);
            let opacity = OPACITY.0 + share * (OPACITY.1 - OPACITY.0);
            drawing.shaded_rect("cell", at(x, y), (width, ROW), opacity, tip);
            drawing.text(
                "value",
                Anchor::Middle,
                at(middle, base),
                0.0,
                &number::signed(value),
            );
        }
        Cell::BelowK | Cell::Complementary => {
            drawing.rect("withheld cell-withheld", at(x, y), (width, ROW), tip);
            let text = shown(cell, table.shown_min);
            drawing.text("value haloed", Anchor::Middle, at(middle, base), 0.0, &text);
        }
    }
}

fn shown(cell: Cell, k: u64) -> String {
    match cell {
        Cell::Value(value) => number::signed(value),
        Cell::BelowK => format!("< {k}"),
        Cell::Complementary => "×".to_owned(),
    }
}

fn finding(table: &TableView) -> String {
    let cells = table.cells.iter().flatten().count();
    let withheld = cells - values(table).count();
    let released = match withheld {
        0 => format!("All {cells} cells are released"),
        1 => format!("1 of {cells} cells is withheld"),
        _ => format!("{withheld} of {cells} cells are withheld"),
    };
    match largest_error(table) {
        Some(0) => format!("{released}; released cells equal the truth"),
        Some(error) => {
            let error = number::count(error);
            format!("{released}; released cells lie within ±{error} of the truth")
        }
        None => released,
    }
}

/// Largest distance of a released cell from the truth, where that is known.
fn largest_error(table: &TableView) -> Option<u64> {
    let truth = table.true_cells.as_ref()?.iter().flatten();
    let cells = table.cells.iter().flatten().zip(truth);
    cells
        .filter_map(|(cell, truth)| match cell {
            Cell::Value(value) => Some(value.abs_diff(*truth)),
            Cell::BelowK | Cell::Complementary => None,
        })
        .max()
}

fn dimensions(table: &TableView) -> String {
    let rows = &table.row_dimension;
    match &table.column_dimension {
        Some(columns) => format!(
            "Rows: {} ({}). Columns: {} ({}). Cells: {}.",
            rows.name, rows.owner, columns.name, columns.owner, table.measure
        ),
        None => format!(
            "Rows: {} ({}). Cells: {}.",
            rows.name, rows.owner, table.measure
        ),
    }
}

fn legend(table: &TableView) -> Vec<LegendEntry> {
    let mut legend = Vec::new();
    let has = |wanted: Cell| table.cells.iter().flatten().any(|cell| *cell == wanted);
    if has(Cell::BelowK) {
        let label = format!(
            "< {}: noised count below {}, withheld",
            table.shown_min, table.shown_min
        );
        legend.push(LegendEntry::new("withheld", label));
    }
    if has(Cell::Complementary) {
        legend.push(LegendEntry::new(
            "withheld",
            "×: withheld to protect another cell",
        ));
    }
    legend
}

fn data(table: &TableView, columns: &[String]) -> DataTable {
    let rows = &table.row_dimension;
    let column_name = match &table.column_dimension {
        Some(dimension) => dimension.name.as_str(),
        None => "measure",
    };
    let mut data = DataTable::new(&[&rows.name, column_name, "Released"]);
    let truth = table.true_cells.as_ref();
    if truth.is_some() {
        data.head
            .extend(["Truth".to_owned(), "Difference".to_owned()]);
    }
    for (row, (label, cells)) in rows.labels.iter().zip(&table.cells).enumerate() {
        for (column, (column_label, cell)) in columns.iter().zip(cells).enumerate() {
            let mut line = vec![
                label.clone(),
                column_label.clone(),
                shown(*cell, table.shown_min),
            ];
            if let Some(truth) = truth.and_then(|t| t.get(row)).and_then(|r| r.get(column)) {
                line.push(number::signed(*truth));
                line.push(match cell {
                    Cell::Value(value) => number::difference(value.saturating_sub(*truth)),
                    Cell::BelowK | Cell::Complementary => number::ABSENT.to_owned(),
                });
            }
            data.rows.push(line);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::super::data::Dimension;
    use super::*;

    fn table(cells: Vec<Vec<Cell>>) -> TableView {
        let dimension = |name: &str, count: usize| Dimension {
            owner: "credit".into(),
            name: name.into(),
            labels: (0..count).map(|n| format!("{name} {n}")).collect(),
        };
        TableView {
            sql: String::new(),
            measure: "count(*)".into(),
            row_dimension: dimension("grade", cells.len()),
            column_dimension: Some(dimension("chronic", cells.first().map_or(0, Vec::len))),
            cells,
            k: 10,
            shown_min: 10,
            epsilon: None,
            noise_sd: None,
            method_note: String::new(),
            true_cells: None,
        }
    }

    #[test]
    fn withheld_cells_are_hatched_and_marked() {
        let cells = vec![
            vec![Cell::Value(1200), Cell::BelowK],
            vec![Cell::Value(-3), Cell::Complementary],
        ];
        let mut table = table(cells);
        table.true_cells = Some(vec![vec![1195, 4], vec![0, 30]]);
        let drawn = picture("figure-1", &table).unwrap();
        assert_eq!(
            drawn.finding,
            "2 of 4 cells are withheld; released cells lie within ±5 of the truth"
        );
        let svg = drawn.drawing.to_string();
        assert_eq!(svg.matches("class=\"withheld cell-withheld\"").count(), 2);
        assert!(svg.contains(">&lt; 10<") && svg.contains(">×<") && svg.contains(">1,200<"));
        assert!(svg.contains("fill-opacity=\"0.45\"") && svg.contains("fill-opacity=\"0.05\""));
        assert_eq!(
            drawn.data.rows[0],
            ["grade 0", "chronic 0", "1,200", "1,195", "+5"]
        );
        assert_eq!(drawn.data.rows[1][4], number::ABSENT);
        assert_eq!(drawn.legend.len(), 2);
    }

    #[test]
    fn one_dimension_gives_one_column_and_no_cells_no_picture() {
        let mut table = table(vec![
            vec![Cell::Value(i64::MIN)],
            vec![Cell::Value(i64::MAX)],
        ]);
        table.column_dimension = None;
        table.true_cells = Some(vec![vec![i64::MAX], vec![i64::MIN]]);
        let drawn = picture("figure-1", &table).unwrap();
        assert!(drawn.drawing.to_string().contains(">count(*)<"));
        assert!(picture("figure-1", &self::table(Vec::new())).is_none());
    }

    #[test]
    fn many_columns_scroll_rather_than_shrink() {
        let drawn = picture("figure-1", &table(vec![vec![Cell::Value(1); 40]])).unwrap();
        assert!(drawn.width_min >= 40 * 52);
    }
}
