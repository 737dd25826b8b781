//! Whether the parts of a report fit each other, asked before anything is drawn or written.

use super::Error;
use super::data::{Histogram, Report, TableView};

/// Refuses a report with a histogram or table whose parts have different lengths.
pub(super) fn check(report: &Report) -> Result<(), Error> {
    for round in &report.rounds {
        for pair in &round.pairs {
            let place = format!("histogram of {} and {}", pair.owners.0, pair.owners.1);
            histogram(&pair.histogram, &place)?;
        }
        for table in &round.tables {
            self::table(table)?;
        }
    }
    Ok(())
}

fn histogram(histogram: &Histogram, place: &str) -> Result<(), Error> {
    let bins = histogram.counts.len();
    if bins == 0 && histogram.edges.is_empty() {
        return Ok(());
    }
    same(bins + 1, histogram.edges.len(), || {
        format!("edges in the {place}")
    })?;
    if let Some(expected) = &histogram.null_counts {
        same(bins, expected.len(), || {
            format!("expected non-matches in the {place}")
        })?;
    }
    let mut borders = histogram.edges.iter().zip(histogram.edges.iter().skip(1));
    let finite = histogram.edges.iter().all(|edge| edge.is_finite());
    if finite && borders.all(|(from, to)| from < to) {
        Ok(())
    } else {
        Err(Error::Edges {
            place: place.to_owned(),
        })
    }
}

fn table(table: &TableView) -> Result<(), Error> {
    let place = |what: &str| format!("{what} of the table for `{}`", table.sql);
    let rows = table.row_dimension.labels.len();
    let columns = table
        .column_dimension
        .as_ref()
        .map_or(1, |columns| columns.labels.len());
    same(rows, table.cells.len(), || place("rows"))?;
    for row in &table.cells {
        same(columns, row.len(), || place("columns"))?;
    }
    if let Some(truth) = &table.true_cells {
        same(rows, truth.len(), || place("true rows"))?;
        for row in truth {
            same(columns, row.len(), || place("true columns"))?;
        }
    }
    Ok(())
}

fn same(expected: usize, found: usize, place: impl Fn() -> String) -> Result<(), Error> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Shape {
            place: place(),
            expected,
            found,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::{Cell, Dimension};
    use super::*;

    #[test]
    fn histograms_must_fit() {
        let good = Histogram {
            edges: vec![0.0, 0.5, 1.0],
            counts: vec![Some(1), None],
            k: None,
            null_counts: Some(vec![0.0, 0.1]),
        };
        assert!(histogram(&good, "x").is_ok());
        assert!(histogram(&Histogram::default(), "x").is_ok());
        let short = Histogram {
            edges: vec![0.0, 1.0],
            ..good.clone()
        };
        assert!(matches!(
            histogram(&short, "x"),
            Err(Error::Shape {
                expected: 3,
                found: 2,
                ..
            })
        ));
        let nulls = Histogram {
            null_counts: Some(vec![1.0]),
            ..good.clone()
        };
        assert!(matches!(histogram(&nulls, "x"), Err(Error::Shape { .. })));
        for edges in [
            vec![0.0, 0.0, 1.0],
            vec![0.0, f64::NAN, 1.0],
            vec![1.0, 0.5, 0.0],
        ] {
            let unordered = Histogram {
                edges,
                ..good.clone()
            };
            assert!(matches!(
                histogram(&unordered, "x"),
                Err(Error::Edges { .. })
            ));
        }
    }

    #[test]
    fn tables_must_fit() {
        let labels = |labels: &[&str]| Dimension {
            owner: String::new(),
            name: String::new(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        };
        let good = TableView {
            sql: "SELECT".into(),
            measure: "count(*)".into(),
            row_dimension: labels(&["a", "b"]),
            column_dimension: None,
            cells: vec![vec![Cell::Value(1)], vec![Cell::BelowK]],
            k: 10,
            shown_min: 10,
            epsilon: None,
            noise_sd: None,
            method_note: String::new(),
            true_cells: Some(vec![vec![1], vec![2]]),
        };
        assert!(table(&good).is_ok());
        let one_row = TableView {
            cells: vec![vec![Cell::Value(1)]],
            ..good.clone()
        };
        assert!(matches!(
            table(&one_row),
            Err(Error::Shape {
                expected: 2,
                found: 1,
                ..
            })
        ));
        let wide = TableView {
            column_dimension: Some(labels(&["x", "y"])),
            ..good.clone()
        };
        assert!(matches!(table(&wide), Err(Error::Shape { .. })));
        let truth = TableView {
            true_cells: Some(vec![vec![1]]),
            ..good
        };
        assert!(matches!(table(&truth), Err(Error::Shape { .. })));
    }
}
