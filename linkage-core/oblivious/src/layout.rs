//! Which vectors A encrypts for a table, which sums B makes of them, and how both make up a cell.
//!
//! | table of | vectors of A | sums of B | cell |
//! |---|---|---|---|
//! | two owners | one per row | one per column | sum of its column, vector of its row |
//! | three owners | one per row and layer: the row's records times C's words | one per column | sum of its column, vector of its row and layer |
//! | | then one per row | then one per column and layer, records weighted with C's words | plus sum of its column and layer, vector of its row |
//!
//! Each vector has a key of its own, and each sum a mask.

use std::ops::Range;

use crate::params::{BodyWidth, Measure, TableShape};

/// A vector that A encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vector {
    pub(crate) row: u16,
    /// Layer whose words weight A's records.
    pub(crate) layer: Option<usize>,
}

/// A sum that B makes over its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) column: usize,
    /// Layer whose words weight B's records.
    pub(crate) layer: Option<usize>,
    /// Vectors that it is made of.
    pub(crate) vectors: Range<usize>,
}

/// A vector within a sum, both by number: a cell is made up of one or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) sum: usize,
    pub(crate) vector: usize,
}

impl TableShape {
    /// Vectors that only meet weights 0 and 1, followed by those that meet C's words.
    ///
    /// Rounding errors are multiplied by the weights, so only the former may be rounded.
    fn vector_counts(self) -> [usize; 2] {
        let rows = usize::from(self.rows());
        match self.measure() {
            Measure::Count | Measure::Sum => [rows, 0],
            Measure::CountOfThree => [rows * usize::from(self.layers()), rows],
        }
    }

    /// Vectors of a table, and secret keys.
    pub(crate) fn vectors(self) -> usize {
        self.vector_counts().iter().sum()
    }

    /// Vectors that travel in each width, one after the other.
    pub(crate) fn widths(self) -> [(usize, BodyWidth); 2] {
        let [plain, weighted] = self.vector_counts();
        [
            (plain, self.parameters().body_width),
            (weighted, BodyWidth::Eight),
        ]
    }

    /// Bytes of all vectors of a chunk.
    pub(crate) fn vector_bytes(self) -> usize {
        let bytes = |(vectors, width): (usize, BodyWidth)| vectors * self.body_bytes(width);
        self.widths().into_iter().map(bytes).sum()
    }

    /// Bytes of one vector of a chunk.
    pub(crate) fn body_bytes(self, width: BodyWidth) -> usize {
        self.positions_per_chunk() * width.bytes()
    }

    /// The vector of a number below [`TableShape::vectors`].
    pub(crate) fn vector(self, number: usize) -> Vector {
        let [plain, _] = self.vector_counts();
        let layers = usize::from(self.layers());
        let (row, layer) = match self.measure() {
            Measure::CountOfThree if number < plain => (number / layers, Some(number % layers)),
            Measure::CountOfThree => (number - plain, None),
            Measure::Count | Measure::Sum => (number, None),
        };
        let row = row as u16;
        Vector { row, layer }
    }

    /// Sums of a table, and masks that B sends.
    pub(crate) fn sums_made(self) -> usize {
        let columns = usize::from(self.columns());
        match self.measure() {
            Measure::Count | Measure::Sum => columns,
            Measure::CountOfThree => columns * (1 + usize::from(self.layers())),
        }
    }

    /// The sum of a number below [`TableShape::sums_made`].
    pub(crate) fn sum(self, number: usize) -> Sum {
        let [plain, _] = self.vector_counts();
        let (columns, layers) = (usize::from(self.columns()), usize::from(self.layers()));
        match number.checked_sub(columns) {
            None => Sum {
                column: number,
                layer: None,
                vectors: 0..plain,
            },
            Some(weighted) => Sum {
                column: weighted / layers,
                layer: Some(weighted % layers),
                vectors: plain..self.vectors(),
            },
        }
    }

    /// What each cell is made up of: cells row by row, within a row by column, then by layer.
    pub(crate) fn terms(self) -> impl Iterator<Item = impl Iterator<Item = Term>> {
        let [plain, _] = self.vector_counts();
        let (columns, layers) = (usize::from(self.columns()), usize::from(self.layers()));
        (0..self.cells()).map(move |cell| {
            let (row, column, layer) = (
                cell / layers / columns,
                cell / layers % columns,
                cell % layers,
            );
            let first = Term {
                sum: column,
                vector: row * layers + layer,
            };
            let second = (self.measure() == Measure::CountOfThree).then_some(Term {
                sum: columns + column * layers + layer,
                vector: plain + row,
            });
            std::iter::once(first).chain(second)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_owners_have_a_vector_per_row_and_a_sum_per_column() {
        let shape = TableShape::new(2048, 2, 3).unwrap();
        assert_eq!((shape.vectors(), shape.sums_made()), (2, 3));
        assert_eq!(shape.vector_bytes(), 2 * 5 * 2048);
        let (row, layer) = (1, None);
        assert_eq!(shape.vector(1), Vector { row, layer });
        let expected = Sum {
            column: 2,
            layer: None,
            vectors: 0..2,
        };
        assert_eq!(shape.sum(2), expected);
        let terms: Vec<Vec<Term>> = shape.terms().map(Iterator::collect).collect();
        let cells = (0..2).flat_map(|vector| (0..3).map(move |sum| vec![Term { sum, vector }]));
        assert_eq!(terms, cells.collect::<Vec<_>>());
    }

    #[test]
    fn the_terms_of_three_owners_share_row_column_and_layer() {
        let shape = TableShape::three_way(4096, 2, 3, 4).unwrap();
        assert_eq!((shape.vectors(), shape.sums_made()), (10, 15));
        assert_eq!(shape.vector_bytes(), (8 * 5 + 2 * 8) * 4096);
        let mut cell = 0;
        for terms in shape.terms() {
            let terms: Vec<Term> = terms.collect();
            let place = (cell / 12, cell / 4 % 3, cell % 4);
            let of = |term: Term| (shape.vector(term.vector), shape.sum(term.sum));
            let [(by_a, counted), (plain, by_b)] = [of(terms[0]), of(terms[1])];
            assert_eq!((by_a.layer, counted.layer), (Some(place.2), None));
            assert_eq!((plain.layer, by_b.layer), (None, Some(place.2)));
            for (vector, sum) in [(by_a, &counted), (plain, &by_b)] {
                assert_eq!((usize::from(vector.row), sum.column), (place.0, place.1));
            }
            assert!(counted.vectors.contains(&terms[0].vector));
            assert!(by_b.vectors.contains(&terms[1].vector));
            cell += 1;
        }
        assert_eq!(cell, shape.cells());
    }
}
