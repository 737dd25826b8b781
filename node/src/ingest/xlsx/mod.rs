//! XLSX workbooks (ECMA-376 part 1): the cells of one sheet, brought to text as its CSV would have
//! them.
//!
//! Rows are streamed in a thread of their own. The texts of a workbook lie apart from its rows,
//! each once, and all of them are in memory while it is read: about their size and 24 bytes each.
//! What the library holds is not wiped; what leaves this module is.

mod cell;

use std::fs::File;
use std::io::{self, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use calamine::{Reader as _, SheetType, SheetVisible, Xlsx, XlsxError};
use linkage_core::schema::Schema;

use super::columns::Columns;
use super::values::{Rows, ValueBlock};
use super::{Error, Reason};
use cell::Text;

pub use cell::CellFault;

/// First bytes of a workbook: a ZIP archive, or the compound file in which a password or the old
/// format XLS puts it (MS-CFB section 2.2).
pub(super) const MAGICS: [&[u8]; 2] = [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"];

/// Most rows of a sheet (ECMA-376 limits of the common spreadsheets).
const ROWS_MAX: u64 = 1_048_576;

/// Blocks that are read ahead.
const BLOCKS_AHEAD: usize = 2;

type Book = Xlsx<BufReader<File>>;

/// Rows of a sheet as its thread gives them.
pub(super) struct XlsxRows(Receiver<Result<ValueBlock, Error>>);

/// Opens a workbook and finds the schema's columns in one of its sheets: the named one, or the only
/// one that shows and has a value. The first row with a value names the columns.
///
/// # Errors
/// [`Error`], naming file, sheet and column.
pub(super) fn open(
    path: &Path,
    file: File,
    sheet: Option<&str>,
    schema: &Schema,
) -> Result<(XlsxRows, Columns), Error> {
    let bytes_total = file.metadata().map_err(|e| Error::io(path, e))?.len();
    let place = |sheet: Option<&str>| Place {
        path: path.into(),
        sheet: sheet.map(str::to_owned),
    };
    let opened = guarded(|| Xlsx::new(BufReader::new(file)));
    let mut book = opened.map_err(|fault| place(sheet).refuse_book(fault))?;
    let name = choose(&place(sheet), &mut book, sheet)?;
    let place = place(Some(&name));
    let found = guarded(|| header(&mut book, &name)).map_err(|fault| place.refuse(fault, 0))?;
    let header = found.ok_or_else(|| place.message(EMPTY))?;
    let (cells, names): (Vec<u32>, Vec<String>) = header.names.into_iter().unzip();
    let at = format!(
        "{}, sheet \"{name}\", row {}",
        path.display(),
        header.row + 1
    );
    let (needed, columns) = Columns::chosen(&at, names, schema)?;
    let mut slots = vec![];
    let needed = needed.iter().filter_map(|at| cells.get(*at));
    for (slot, cell) in needed.enumerate() {
        let cell = *cell as usize;
        slots.resize(slots.len().max(cell + 1), None);
        if let Some(place) = slots.get_mut(cell) {
            *place = Some(slot);
        }
    }
    let sheet = Sheet {
        place,
        name,
        width: columns.width(),
        slots,
        header: header.row,
        bytes_total,
    };
    let (sender, blocks) = sync_channel(BLOCKS_AHEAD);
    std::thread::Builder::new()
        .name("xlsx".into())
        .spawn(move || sheet.send(book, &sender))
        .map_err(|e| Error::io(path, e))?;
    Ok((XlsxRows(blocks), columns))
}

impl Rows for XlsxRows {
    fn next_block(&mut self) -> Result<Option<ValueBlock>, Error> {
        // The thread is gone after the last block.
        self.0.recv().ok().transpose()
    }

    fn total(&self) -> u64 {
        ROWS_MAX
    }
}

const EMPTY: &str = "the sheet is empty; its first row must name the columns";

/// The sheet to read.
fn choose(place: &Place, book: &mut Book, wanted: Option<&str>) -> Result<String, Error> {
    let sheets = book.sheets_metadata().iter();
    let sheets = sheets.filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let names = |names: &[String]| {
        let quoted = names.iter().map(|name| format!("\"{name}\""));
        quoted.collect::<Vec<_>>().join(", ")
    };
    if let Some(wanted) = wanted {
        let all: Vec<String> = sheets.map(|sheet| sheet.name.clone()).collect();
        return match all.iter().any(|name| name == wanted) {
            true => Ok(wanted.to_owned()),
            false => {
                let message = format!("there is no such sheet; there are: {}", names(&all));
                Err(place.message(&message))
            }
        };
    }
    let shown = sheets.filter(|sheet| sheet.visible == SheetVisible::Visible);
    let shown: Vec<String> = shown.map(|sheet| sheet.name.clone()).collect();
    let mut filled = vec![];
    for name in &shown {
        let found = guarded(|| header(book, name)).map_err(|fault| place.refuse(fault, 0))?;
        if found.is_some() {
            filled.push(name.clone());
        }
    }
    match filled.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(place.message("no sheet has a value; the first row must name the columns")),
        several => Err(place.message(&format!(
            "there are several sheets: {}; choose one with --sheet, or `sheet = \"...\"` where the \
             file is named in a configuration",
            names(several)
        ))),
    }
}

/// The first row with a value.
struct Header {
    /// Row of the sheet, from 0.
    row: u32,
    /// Column of the sheet, from 0, and name of each that has one.
    names: Vec<(u32, String)>,
}

fn header(book: &mut Book, sheet: &str) -> Result<Option<Header>, XlsxError> {
    let mut cells = book.worksheet_cells_reader(sheet)?;
    let mut header: Option<Header> = None;
    while let Some(cell) = cells.next_cell()? {
        let (row, column) = cell.get_position();
        if header.as_ref().is_some_and(|header| header.row != row) {
            break;
        }
        let mut name = Text::default();
        // A cell without a value names no column; one that is needed will be missed.
        if name.set(cell.get_value(), false).is_err() || name.trim().is_empty() {
            continue;
        }
        let name = name.trim().to_owned();
        let empty = || Header { row, names: vec![] };
        header.get_or_insert_with(empty).names.push((column, name));
    }
    Ok(header)
}

/// A sheet and which of its cells are read.
struct Sheet {
    place: Place,
    name: String,
    /// Number of columns that are read.
    width: usize,
    /// For every column of the sheet its place among those that are read.
    slots: Vec<Option<usize>>,
    /// Row of the header, from 0.
    header: u32,
    bytes_total: u64,
}

impl Sheet {
    /// Sends all rows, then an error if there is one.
    fn send(&self, mut book: Book, blocks: &SyncSender<Result<ValueBlock, Error>>) {
        let mut row = Row::new(self.width);
        let sent = guarded(|| self.send_rows(&mut book, &mut row, blocks));
        if let Err(fault) = sent {
            let error = self.place.refuse(fault, u64::from(row.number) + 1);
            // Nobody waits for it where the reader is gone.
            let _ = blocks.send(Err(error));
        }
    }

    fn send_rows(
        &self,
        book: &mut Book,
        row: &mut Row,
        blocks: &SyncSender<Result<ValueBlock, Error>>,
    ) -> Result<(), XlsxError> {
        let mut cells = book.worksheet_cells_reader(&self.name)?;
        let rows = cells.dimensions().end.0;
        let mut block = ValueBlock::new(self.width);
        loop {
            let cell = cells.next_cell_with_formula_metadata()?;
            let next = cell.as_ref().map(|cell| cell.pos.0);
            if next != Some(row.number) {
                if row.number > self.header {
                    row.put(&mut block);
                }
                if next.is_some_and(|next| next < row.number) {
                    return Err(XlsxError::Unexpected("rows out of order"));
                }
                if block.is_full() || next.is_none() {
                    let share = f64::from(row.number) / f64::from(rows.max(row.number).max(1));
                    block.set_read((self.bytes_total as f64 * share) as u64);
                    let full = std::mem::replace(&mut block, ValueBlock::new(self.width));
                    if !full.is_empty() && blocks.send(Ok(full)).is_err() {
                        return Ok(());
                    }
                }
                row.clear(next.unwrap_or(0));
            }
            let Some(cell) = cell else {
                return Ok(());
            };
            let slot = self.slots.get(cell.pos.1 as usize).copied().flatten();
            row.set(slot, &cell.value, cell.formula.is_some(), || {
                self.name_of(cell.pos)
            });
        }
    }

    /// A cell's name in the workbook, with its sheet.
    fn name_of(&self, (row, column): (u32, u32)) -> String {
        format!("{}!{}{}", self.name, letters(column), row + 1)
    }
}

/// The cells of one row.
struct Row {
    /// Row of the sheet, from 0.
    number: u32,
    /// Whether any cell has a value, read or not.
    filled: bool,
    values: Vec<Text>,
    faults: Vec<Option<Reason>>,
}

impl Row {
    fn new(width: usize) -> Self {
        Self {
            number: 0,
            filled: false,
            values: (0..width).map(|_| Text::default()).collect(),
            faults: vec![None; width],
        }
    }

    fn clear(&mut self, number: u32) {
        self.number = number;
        self.filled = false;
        self.values.iter_mut().for_each(Text::clear);
        self.faults.fill(None);
    }

    fn set(
        &mut self,
        slot: Option<usize>,
        value: &calamine::DataRef<'_>,
        formula: bool,
        name: impl FnOnce() -> String,
    ) {
        self.filled |= formula || *value != calamine::DataRef::Empty;
        let Some(slot) = slot else {
            return;
        };
        let places = self.values.get_mut(slot).zip(self.faults.get_mut(slot));
        if let Some((text, found)) = places
            && let Err(fault) = text.set(value, formula)
        {
            let cell = name();
            *found = Some(Reason::Cell { cell, fault });
        }
    }

    /// Adds the row to a block, unless it is blank.
    fn put(&mut self, block: &mut ValueBlock) {
        if !self.filled {
            return;
        }
        block.begin_row(u64::from(self.number) + 1);
        for (text, fault) in self.values.iter().zip(&self.faults) {
            match fault {
                Some(fault) => block.push_fault(fault.clone()),
                None => block.push(text),
            }
        }
    }
}

/// The letters that a spreadsheet gives a column: A to Z, AA and so on.
fn letters(column: u32) -> String {
    let mut letters = vec![];
    let mut rest = u64::from(column) + 1;
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    letters.iter().rev().collect()
}

/// Why a step of the library failed.
enum Fault {
    Library(XlsxError),
    /// It gave up.
    Panic,
}

/// Runs a step of the library, which is made for files of its own kind: what it gives up on is an
/// error, not the end of the program.
fn guarded<T>(step: impl FnOnce() -> Result<T, XlsxError>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(result) => result.map_err(Fault::Library),
        Err(_) => Err(Fault::Panic),
    }
}

/// Where something is wrong.
struct Place {
    path: PathBuf,
    sheet: Option<String>,
}

impl Place {
    fn message(&self, message: &str) -> Error {
        Error::Xlsx {
            path: self.path.clone(),
            sheet: self.sheet.clone(),
            message: message.to_owned(),
        }
    }

    /// A workbook that cannot be opened. The library's own words may quote a value, so they are not
    /// used.
    fn refuse_book(&self, fault: Fault) -> Error {
        let compound = || {
            let mut magic = [0; 8];
            let read = File::open(&self.path).and_then(|mut file| {
                use io::Read as _;
                file.read_exact(&mut magic)
            });
            read.is_ok() && magic.starts_with(b"\xd0\xcf\x11\xe0")
        };
        match fault {
            Fault::Library(XlsxError::Password) => self.message(
                "the workbook is locked with a password; open it in the spreadsheet, save a copy \
                 without password and remove the copy when it is encoded",
            ),
            Fault::Library(XlsxError::Io(source)) if !is_content(&source) => {
                Error::io(&self.path, source)
            }
            _ if compound() => self.message(
                "this is an old workbook (XLS) or another compound file; save it as XLSX or CSV",
            ),
            Fault::Library(XlsxError::FileNotFound(_) | XlsxError::RelationshipNotFound) => {
                self.message("this archive holds no XLSX workbook; save the sheet as XLSX or CSV")
            }
            _ => self.message(
                "the workbook is damaged; open it in the spreadsheet and save it again, or take \
                 another copy",
            ),
        }
    }

    /// A sheet that cannot be read, or not beyond `row`, from 1.
    fn refuse(&self, fault: Fault, row: u64) -> Error {
        match fault {
            Fault::Library(XlsxError::Io(source)) if !is_content(&source) => {
                Error::io(&self.path, source)
            }
            Fault::Library(XlsxError::NotAWorksheet(_)) => {
                self.message("this sheet has no cells; choose another with --sheet")
            }
            _ if row == 0 => self.message(
                "the sheet is damaged; open the workbook in the spreadsheet and save it again",
            ),
            _ => self.message(&format!(
                "the sheet is damaged in row {row} or after it; open the workbook in the \
                 spreadsheet and save it again"
            )),
        }
    }
}

/// Whether an error comes from what the file holds, not from reading it.
fn is_content(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::Other
    )
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
