//! A source in blocks: cheap to read in one thread, taken apart in many.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkage_core::record::RawRecord;
use linkage_core::schema::Schema;
use serde::Serialize;
use zeroize::Zeroizing;

use super::columns::Columns;
use super::encoding::{self, Encoding, PROBE_BYTES};
use super::lines::{LINE_BYTES_MAX, LineBlock, Lines};
use super::parquet::{self, ParquetRows};
use super::split::{Splitter, Values};
use super::values::{Rows, ValueBlock};
use super::xlsx;
use super::{Error, Reason, Reject, Row};

/// What a source is.
#[derive(Debug, Clone, Serialize)]
pub struct Format {
    /// `CSV`, `Parquet`, `XLSX` or `PostgreSQL`.
    pub name: &'static str,
    /// Encoding of the text.
    pub encoding: Encoding,
}

/// An open source whose columns fit the schema: gives blocks, which [`Parser`] takes apart.
pub struct Source {
    reader: Reader,
    format: Format,
    total: u64,
    parser: Parser,
}

enum Reader {
    Csv {
        path: PathBuf,
        lines: Lines<File>,
        first: Option<LineBlock>,
    },
    Rows(Box<dyn Rows>),
}

/// Part of a source.
pub struct Block(Content);

enum Content {
    Lines(LineBlock),
    Values(ValueBlock),
}

impl Block {
    /// How much of the source is read up to the end of this block, of [`Source::total`].
    pub fn read(&self) -> u64 {
        match &self.0 {
            Content::Lines(block) => block.read,
            Content::Values(block) => block.read,
        }
    }
}

/// Shortest line that could hold a record; with it a text's size bounds the number of its rows.
const LINE_BYTES_MIN: u64 = 24;

impl Source {
    /// Opens the file `path` and checks its columns against the schema. Its first bytes tell
    /// what it is: Parquet, XLSX, or CSV in UTF-8 if its beginning is, else in GB 18030 if it is.
    /// Of an XLSX workbook the only sheet with a value is read; [`Self::open_sheet`] names one.
    ///
    /// # Errors
    /// [`Error`], naming file, row, column and what to do.
    pub fn open(path: &Path, schema: &Schema) -> Result<Self, Error> {
        Self::open_sheet(path, None, schema)
    }

    /// As [`Self::open`], from one sheet of an XLSX workbook.
    ///
    /// # Errors
    /// [`Error`], naming file, row, column and what to do.
    pub fn open_sheet(path: &Path, sheet: Option<&str>, schema: &Schema) -> Result<Self, Error> {
        let io = |e| Error::io(path, e);
        let mut file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(Error::Directory(path.into()));
        }
        let mut probe = Zeroizing::new(Vec::with_capacity(PROBE_BYTES));
        file.by_ref()
            .take(PROBE_BYTES as u64)
            .read_to_end(&mut probe)
            .map_err(io)?;
        if xlsx::MAGICS.iter().any(|magic| probe.starts_with(magic)) {
            let (rows, columns) = xlsx::open(path, file, sheet, schema)?;
            return Ok(Self::of_rows(
                "XLSX",
                columns,
                Box::new(rows),
                metadata.len(),
            ));
        }
        if sheet.is_some() {
            return Err(Error::NoSheets(path.into()));
        }
        if probe.starts_with(parquet::MAGIC) {
            let (rows, columns) = ParquetRows::open(path, file, schema)?;
            let rows = Box::new(rows);
            return Ok(Self::of_rows("Parquet", columns, rows, metadata.len()));
        }
        Self::open_csv(path, file, &probe, schema)
    }

    fn open_csv(path: &Path, mut file: File, probe: &[u8], schema: &Schema) -> Result<Self, Error> {
        let io = |e| Error::io(path, e);
        let total = file.metadata().map_err(io)?.len();
        let (encoding, mark) = encoding::detect(path, probe)?;
        file.seek(SeekFrom::Start(mark)).map_err(io)?;
        let mut lines = Lines::new(file, mark);
        let mut block = lines.next_block().map_err(io)?;
        let header = block.as_mut().and_then(take_header);
        let header = header.ok_or_else(|| Error::Empty(path.into()))?;
        let text = encoding.decode(&header).ok_or_else(|| Error::Encoding {
            path: path.into(),
            message: format!("the first line is not valid {}", encoding.name()),
        })?;
        let mut splitter = Splitter::default();
        let values = splitter.split(&text);
        let header = (0..values.len()).map(|at| values.get(at).to_owned());
        let place = format!("{}, row 1", path.display());
        let columns = Columns::new(&place, header.collect(), schema)?;
        Ok(Self {
            reader: Reader::Csv {
                path: path.into(),
                lines,
                first: block,
            },
            format: Format {
                name: "CSV",
                encoding,
            },
            total,
            parser: Parser {
                encoding,
                columns: Arc::new(columns),
            },
        })
    }

    /// A source of `rows` with these columns, in all of size `total`, which blocks are measured by.
    pub fn of_rows(name: &'static str, columns: Columns, rows: Box<dyn Rows>, total: u64) -> Self {
        let encoding = Encoding::Utf8;
        Self {
            reader: Reader::Rows(rows),
            format: Format { name, encoding },
            total,
            parser: Parser {
                encoding,
                columns: Arc::new(columns),
            },
        }
    }

    /// What the source is.
    pub fn format(&self) -> Format {
        self.format.clone()
    }

    /// Number of rows that the source can have at most, by its size or its footer.
    pub fn rows_max(&self) -> u64 {
        match &self.reader {
            Reader::Csv { .. } => self.total / LINE_BYTES_MIN + 1,
            Reader::Rows(rows) => rows.total(),
        }
    }

    /// Size of the source for progress: bytes of a file, rows of a query.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What takes this source's blocks apart.
    pub fn parser(&self) -> Parser {
        self.parser.clone()
    }

    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// [`Error`] when the file cannot be read on.
    pub fn next_block(&mut self) -> Result<Option<Block>, Error> {
        match &mut self.reader {
            Reader::Csv { path, lines, first } => {
                if let Some(first) = first.take() {
                    return Ok(Some(Block(Content::Lines(first))));
                }
                let block = lines.next_block().map_err(|e| Error::io(path, e))?;
                Ok(block.map(|block| Block(Content::Lines(block))))
            }
            Reader::Rows(rows) => {
                let block = rows.next_block()?;
                Ok(block.map(|block| Block(Content::Values(block))))
            }
        }
    }
}

/// Why a row cannot be used, and the column at fault.
type Fault = (Option<usize>, Reason);

fn blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// Cuts the first line that is not blank off the block.
fn take_header(block: &mut LineBlock) -> Option<Zeroizing<Vec<u8>>> {
    let (row, line) = block.lines().find(|(_, line)| !blank(line))?;
    let header = Zeroizing::new(line.to_vec());
    let mut ends = memchr::memchr_iter(b'\n', &block.bytes);
    let skipped = usize::try_from(row - block.first_row).unwrap_or(usize::MAX);
    let end = ends.nth(skipped).map_or(block.bytes.len(), |at| at + 1);
    let rest = Zeroizing::new(block.bytes.get(end..).unwrap_or(&[]).to_vec());
    block.bytes = rest;
    block.first_row = row + 1;
    Some(header)
}

/// Takes blocks of one source apart, in any thread.
#[derive(Clone)]
pub struct Parser {
    encoding: Encoding,
    columns: Arc<Columns>,
}

impl Parser {
    /// Whether the source has the schema's attribute `index`.
    pub fn has_attribute(&self, index: usize) -> bool {
        let attribute = self.columns.attributes.get(index);
        attribute.is_some_and(Option::is_some)
    }

    /// Hands every row of `block` that is not blank to `each`, or why it cannot be used. The row is
    /// good until the next one comes.
    pub fn rows(&self, block: &Block, each: &mut dyn FnMut(Result<&Row, Reject>)) {
        let mut splitter = Splitter::default();
        let mut row = Row {
            number: 0,
            record: RawRecord {
                id: Zeroizing::default(),
                values: vec![Zeroizing::default(); self.columns.fields.len()],
            },
            attributes: Vec::with_capacity(self.columns.attributes.len()),
        };
        match &block.0 {
            Content::Lines(block) => {
                for (number, line) in block.lines().filter(|(_, line)| !blank(line)) {
                    row.number = number;
                    match self.parse(line, &mut splitter, &mut row) {
                        Ok(()) => each(Ok(&row)),
                        Err(fault) => each(Err(self.set_aside(number, line, fault))),
                    }
                }
            }
            Content::Values(block) => {
                for (number, values) in block.rows() {
                    row.number = number;
                    let filled = match values {
                        Err(fault) => Err(fault),
                        Ok(values) => fill(&self.columns, &values, &mut row),
                    };
                    match filled {
                        Ok(()) => each(Ok(&row)),
                        Err(fault) => {
                            each(Err(self.set_aside(number, &block.line(number), fault)));
                        }
                    }
                }
            }
        }
    }

    /// Sets row `number` of `block` aside for a reason that its own line does not show.
    pub fn reject(&self, block: &Block, number: u64, reason: Reason) -> Reject {
        let fault = (Some(self.columns.id), reason);
        match &block.0 {
            Content::Lines(block) => {
                let found = block.lines().find(|(row, _)| *row == number);
                self.set_aside(number, found.map_or(&[], |(_, line)| line), fault)
            }
            Content::Values(block) => self.set_aside(number, &block.line(number), fault),
        }
    }

    fn set_aside(&self, row: u64, line: &[u8], (column, reason): Fault) -> Reject {
        Reject {
            row,
            column: column.and_then(|at| self.columns.header.get(at).cloned()),
            reason,
            line: Zeroizing::new(line.to_vec()),
        }
    }

    fn parse(&self, line: &[u8], splitter: &mut Splitter, row: &mut Row) -> Result<(), Fault> {
        if line.len() > LINE_BYTES_MAX {
            return Err((None, Reason::TooLong));
        }
        let text = self.encoding.decode(line).ok_or_else(|| {
            let reason = Reason::Encoding(self.encoding.name());
            (self.bad_column(line), reason)
        })?;
        if memchr::memchr_iter(b'"', text.as_bytes()).count() % 2 == 1 {
            return Err((None, Reason::Quoting));
        }
        let values = splitter.split(&text);
        let columns = &self.columns;
        if values.len() != columns.header.len() {
            let (found, expected) = (values.len(), columns.header.len());
            return Err((None, Reason::Ragged { found, expected }));
        }
        fill(columns, &values, row)
    }

    /// Column of the first value that does not decode; separators are ASCII in both encodings.
    fn bad_column(&self, line: &[u8]) -> Option<usize> {
        line.split(|byte| *byte == b',')
            .position(|part| self.encoding.decode(part).is_none())
    }
}

fn fill(columns: &Columns, values: &Values<'_>, row: &mut Row) -> Result<(), Fault> {
    let id = values.get(columns.id);
    if id.is_empty() {
        return Err((Some(columns.id), Reason::NoId));
    }
    set(&mut row.record.id, id);
    for (to, at) in row.record.values.iter_mut().zip(&columns.fields) {
        set(to, values.get(*at));
    }
    row.attributes.clear();
    let attributes = columns.attributes.iter().map(|attribute| {
        let attribute = attribute.as_ref()?;
        attribute.values.get(values.get(attribute.column)).copied()
    });
    row.attributes.extend(attributes);
    Ok(())
}

/// Replaces a text. A larger one gets new room, so that the old one is wiped where it was.
fn set(to: &mut Zeroizing<String>, text: &str) {
    if to.capacity() < text.len() {
        *to = Zeroizing::new(String::with_capacity(
            text.len().next_power_of_two().max(32),
        ));
    }
    to.clear();
    to.push_str(text);
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
