//! Rows whose values are apart already: of a Parquet file, a sheet, a database.

use std::ops::Range;

use zeroize::Zeroizing;

use super::split::Values;
use super::{Error, Reason};

/// Rows of a block: some milliseconds of work.
pub const BLOCK_ROWS: usize = 2048;

/// Text of a block after which no row is added, in bytes, whatever the number of rows.
const BLOCK_BYTES: usize = 512 * 1024;

/// Room for a block's text at the start, in bytes a row: a name, a number, a date, an address.
const ROW_BYTES: usize = 64;

/// Gives the rows of a source whose columns are known.
pub trait Rows: Send {
    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// [`Error`], naming where the source cannot be read on.
    fn next_block(&mut self) -> Result<Option<ValueBlock>, Error>;

    /// Number of rows at most, as far as is known.
    fn total(&self) -> u64;
}

/// Some rows as text. Wiped when dropped.
pub struct ValueBlock {
    text: Zeroizing<String>,
    /// Places of the values, row after row.
    places: Vec<Range<usize>>,
    width: usize,
    /// Number of each row in the source.
    numbers: Vec<u64>,
    /// Values that cannot be used: place of the row in the block, column, what is wrong.
    faults: Vec<(usize, usize, Reason)>,
    /// How much of the source is read, in the unit of its total.
    pub(super) read: u64,
}

impl ValueBlock {
    /// An empty block for rows of `width` values.
    pub fn new(width: usize) -> Self {
        Self {
            text: Zeroizing::new(String::with_capacity(BLOCK_ROWS * ROW_BYTES)),
            places: Vec::with_capacity(BLOCK_ROWS * width),
            width,
            numbers: Vec::with_capacity(BLOCK_ROWS),
            faults: vec![],
            read: 0,
        }
    }

    /// Whether the block has as many rows or as much text as one should.
    pub fn is_full(&self) -> bool {
        self.numbers.len() >= BLOCK_ROWS || self.text.len() >= BLOCK_BYTES
    }

    /// Whether the block has no row.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Begins the row `number` of the source; numbers rise. As many values follow as the block is
    /// wide.
    pub fn begin_row(&mut self, number: u64) {
        self.numbers.push(number);
    }

    /// Adds the next value of the row.
    pub fn push(&mut self, value: &str) {
        let start = self.text.len();
        append(&mut self.text, value);
        self.places.push(start..self.text.len());
    }

    /// Adds a value that cannot be used to the row, which is thereby set aside.
    pub fn push_fault(&mut self, reason: Reason) {
        let column = self.places.len() % self.width.max(1);
        let row = self.numbers.len().saturating_sub(1);
        self.faults.push((row, column, reason));
        self.push("");
    }

    /// Sets how much of the source is read up to the end of the block.
    pub fn set_read(&mut self, read: u64) {
        self.read = read;
    }

    /// Every row's number and its values, or the column at fault and what is wrong.
    pub(super) fn rows(
        &self,
    ) -> impl Iterator<Item = (u64, Result<Values<'_>, (Option<usize>, Reason)>)> {
        let rows = self.places.chunks_exact(self.width.max(1));
        let rows = self.numbers.iter().zip(rows).enumerate();
        rows.map(|(at, (number, places))| {
            // Sorted by row, as they came.
            let fault = self.faults.partition_point(|(row, ..)| *row < at);
            match self.faults.get(fault) {
                Some((row, column, reason)) if *row == at => {
                    (*number, Err((Some(*column), reason.clone())))
                }
                _ => (*number, Ok(Values::at(&self.text, places))),
            }
        })
    }

    /// The values of row `number` as a line, for the owner's file of rejects.
    pub(super) fn line(&self, number: u64) -> Zeroizing<Vec<u8>> {
        let mut line = Zeroizing::new(Vec::new());
        let Ok(at) = self.numbers.binary_search(&number) else {
            return line;
        };
        let places = self.places.chunks_exact(self.width.max(1)).nth(at);
        let places = places.unwrap_or(&[]);
        let room = places.iter().map(|place| place.len() + 1).sum();
        line.reserve_exact(room);
        for (at, place) in places.iter().enumerate() {
            if at > 0 {
                line.push(b',');
            }
            let value = self.text.get(place.clone()).unwrap_or("");
            line.extend_from_slice(value.as_bytes());
        }
        line
    }
}

/// Appends a text. More room is made by moving, so that no copy is left behind unwiped.
fn append(to: &mut Zeroizing<String>, text: &str) {
    if to.capacity() < to.len() + text.len() {
        let mut larger = Zeroizing::new(String::with_capacity((to.len() + text.len()) * 2));
        larger.push_str(to);
        *to = larger;
    }
    to.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_numbers_and_faults_their_columns() {
        let mut block = ValueBlock::new(2);
        for (number, values) in [(2, ["a", "b"]), (5, ["c", "!"]), (9, ["!", "d"])] {
            block.begin_row(number);
            for value in values {
                match value {
                    "!" => block.push_fault(Reason::Encoding("UTF-8")),
                    value => block.push(value),
                }
            }
        }
        let found: Vec<_> = block
            .rows()
            .map(|(number, row)| match row {
                Ok(values) => (number, format!("{}{}", values.get(0), values.get(1))),
                Err((column, reason)) => (number, format!("{column:?} {}", reason.code())),
            })
            .collect();
        assert_eq!(
            found,
            [
                (2, "ab".to_owned()),
                (5, "Some(1) bad-encoding".to_owned()),
                (9, "Some(0) bad-encoding".to_owned()),
            ]
        );
        assert_eq!(block.line(5).as_slice(), b"c,");
        assert_eq!(block.line(6).as_slice(), b"");
    }
}
