//! CSV files, line by line: a record is one line, so that one missing quotation mark cannot swallow
//! the rows after it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use encoding_rs::GB18030;
use linkage_core::record::RawRecord;
use linkage_core::schema::Schema;
use zeroize::Zeroizing;

use super::{Error, Reason, Reject, Row};

/// Longest line; far above any record, low enough that a binary file is not read into memory.
pub(super) const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes looked at to tell the encoding.
const PROBE_BYTES: usize = 1024 * 1024;

/// Text encodings of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without byte-order mark.
    Utf8,
    /// GB 18030, which includes GBK and GB 2312.
    Gb18030,
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB 18030",
        }
    }

    fn decode(self, bytes: &[u8]) -> Option<Zeroizing<String>> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes)
                .ok()
                .map(|text| Zeroizing::new(text.to_owned())),
            Self::Gb18030 => GB18030
                .decode_without_bom_handling_and_without_replacement(bytes)
                .map(|text| Zeroizing::new(text.into_owned())),
        }
    }
}

/// An open CSV file whose header fits the schema. Iterate with [`Source::next_row`].
pub struct Source {
    path: PathBuf,
    reader: BufReader<File>,
    encoding: Encoding,
    header: Vec<String>,
    id: usize,
    fields: Vec<usize>,
    attributes: Vec<Option<(usize, HashMap<String, u16>)>>,
    seen: HashMap<[u8; 16], u64>,
    row: u64,
    bytes_read: u64,
    bytes_total: u64,
}

impl Source {
    /// Opens `path` and checks its header against the schema. The encoding is UTF-8 if the file's
    /// beginning is, else GB 18030 if it is.
    ///
    /// # Errors
    /// [`Error`], naming file, row, column and what to do.
    pub fn open(path: &Path, schema: &Schema) -> Result<Self, Error> {
        let io = |e| Error::io(path, e);
        let mut file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(Error::Directory(path.into()));
        }
        let mut probe = Vec::new();
        file.by_ref()
            .take(PROBE_BYTES as u64)
            .read_to_end(&mut probe)
            .map_err(io)?;
        let (encoding, mark) = detect(path, &probe)?;
        file.seek(std::io::SeekFrom::Start(mark)).map_err(io)?;
        let mut source = Self {
            path: path.into(),
            reader: BufReader::with_capacity(256 * 1024, file),
            encoding,
            header: vec![],
            id: 0,
            fields: vec![],
            attributes: vec![],
            seen: HashMap::new(),
            row: 0,
            bytes_read: mark,
            bytes_total: metadata.len(),
        };
        source.read_header(schema)?;
        Ok(source)
    }

    /// The file's encoding.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Bytes read and bytes in all, for progress.
    pub fn progress(&self) -> (u64, u64) {
        (self.bytes_read, self.bytes_total)
    }

    /// Whether the source has the schema's attribute `index`.
    pub fn has_attribute(&self, index: usize) -> bool {
        self.attributes.get(index).is_some_and(Option::is_some)
    }

    /// The next row, a rejected row, or `None` at the end.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read on.
    pub fn next_row(&mut self) -> Result<Option<Result<Row, Reject>>, Error> {
        loop {
            let Some(line) = self.read_line()? else {
                return Ok(None);
            };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Ok(Some(self.parse(&line).map_err(|(column, reason)| Reject {
                row: self.row,
                column: column.and_then(|at| self.header.get(at).cloned()),
                reason,
                line,
            })));
        }
    }

    fn read_header(&mut self, schema: &Schema) -> Result<(), Error> {
        let path = self.path.clone();
        let line = self
            .read_line()?
            .filter(|line| !line.iter().all(u8::is_ascii_whitespace));
        let line = line.ok_or_else(|| Error::Empty(path.clone()))?;
        let text = self.encoding.decode(&line).ok_or_else(|| Error::Encoding {
            path: path.clone(),
            message: format!("the header is not valid {}", self.encoding.name()),
        })?;
        self.header = split(&text).iter().map(|name| name.to_string()).collect();
        for (at, column) in self.header.iter().enumerate() {
            if self.header.iter().take(at).any(|before| before == column) {
                return Err(Error::DuplicateColumn {
                    path,
                    column: column.clone(),
                });
            }
        }
        let find = |name: &str| self.header.iter().position(|column| column == name);
        let missing: Vec<String> = schema
            .columns()
            .filter(|name| find(name).is_none())
            .map(str::to_owned)
            .collect();
        if !missing.is_empty() {
            return Err(Error::MissingColumns {
                path,
                missing,
                present: self.header.clone(),
            });
        }
        let mut columns = schema.columns().filter_map(find);
        self.id = columns.next().unwrap_or(0);
        self.fields = columns.collect();
        self.attributes = schema
            .attributes
            .iter()
            .map(|attribute| {
                let values = attribute.values.iter().cloned().zip(0_u16..).collect();
                Some((find(attribute.column())?, values))
            })
            .collect();
        Ok(())
    }

    /// One line without its end; `None` at the end of the file. An over-long line is read to its
    /// end and returned cut.
    fn read_line(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let mut line = Zeroizing::new(Vec::with_capacity(256));
        let mut ended = false;
        while !ended {
            let buffer = self
                .reader
                .fill_buf()
                .map_err(|e| Error::io(&self.path, e))?;
            if buffer.is_empty() {
                break;
            }
            let (part, used) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(at) => {
                    ended = true;
                    (buffer.get(..at).unwrap_or(buffer), at + 1)
                }
                None => (buffer, buffer.len()),
            };
            // One byte over the limit marks the line as too long.
            let room = (LINE_BYTES_MAX + 1).saturating_sub(line.len());
            line.extend_from_slice(part.get(..room).unwrap_or(part));
            self.reader.consume(used);
            self.bytes_read += used as u64;
        }
        if line.is_empty() && !ended {
            return Ok(None);
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        self.row += 1;
        Ok(Some(line))
    }

    fn parse(&mut self, line: &[u8]) -> Result<Row, (Option<usize>, Reason)> {
        if line.len() > LINE_BYTES_MAX {
            return Err((None, Reason::TooLong));
        }
        let text = self.encoding.decode(line).ok_or((
            self.bad_column(line),
            Reason::Encoding(self.encoding.name()),
        ))?;
        if text.matches('"').count() % 2 == 1 {
            return Err((None, Reason::Quoting));
        }
        let values = split(&text);
        if values.len() != self.header.len() {
            let (found, expected) = (values.len(), self.header.len());
            return Err((None, Reason::Ragged { found, expected }));
        }
        let value = |at: usize| values.get(at).cloned().unwrap_or_default();
        let id = value(self.id);
        if id.is_empty() {
            return Err((Some(self.id), Reason::NoId));
        }
        if let Some(before) = self.seen.insert(short_digest(&id), self.row) {
            self.seen.insert(short_digest(&id), before);
            return Err((Some(self.id), Reason::DuplicateId(before)));
        }
        let attributes = self
            .attributes
            .iter()
            .map(|attribute| {
                let (column, known) = attribute.as_ref()?;
                known.get(value(*column).as_str()).copied()
            })
            .collect();
        let values = self.fields.iter().map(|at| value(*at)).collect();
        Ok(Row {
            record: RawRecord { id, values },
            attributes,
        })
    }

    /// Column of the first value that does not decode; separators are ASCII in both encodings.
    fn bad_column(&self, line: &[u8]) -> Option<usize> {
        line.split(|byte| *byte == b',')
            .position(|part| self.encoding.decode(part).is_none())
    }
}

/// Remembers an identity without keeping it: 128 bits of SHA-256.
fn short_digest(id: &str) -> [u8; 16] {
    let digest = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
    digest.as_ref().first_chunk().copied().unwrap_or([0; 16])
}

/// Values of one line, trimmed.
fn split(line: &str) -> Vec<Zeroizing<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    // A line that has been checked to be text has no way to fail here.
    let _ = reader.read_record(&mut record);
    record
        .iter()
        .map(|value| Zeroizing::new(value.to_owned()))
        .collect()
}

fn detect(path: &Path, probe: &[u8]) -> Result<(Encoding, u64), Error> {
    if probe.is_empty() {
        return Err(Error::Empty(path.into()));
    }
    let refuse = |message: &str| Error::Encoding {
        path: path.into(),
        message: message.to_owned(),
    };
    if probe.starts_with(&[0xff, 0xfe]) || probe.starts_with(&[0xfe, 0xff]) {
        return Err(refuse("the file is UTF-16; save it as UTF-8 or GB 18030"));
    }
    if probe.starts_with(b"PK\x03\x04") {
        return Err(refuse(
            "this is a spreadsheet or archive; export the sheet as CSV",
        ));
    }
    if probe.contains(&0) {
        return Err(refuse("the file holds binary data; expected CSV text"));
    }
    let mark = if probe.starts_with(&[0xef, 0xbb, 0xbf]) {
        3
    } else {
        0
    };
    // The probe may end within a character, and single bad values are a row's fault, not the
    // file's: judge by whole lines, and take the encoding in which fewer of them fail.
    let failing = |encoding: Encoding| {
        probe
            .split(|byte| *byte == b'\n')
            .filter(|line| encoding.decode(line).is_none())
            .count()
    };
    let cut_line = usize::from(probe.len() == PROBE_BYTES);
    let (utf8, gb) = (failing(Encoding::Utf8), failing(Encoding::Gb18030));
    let lines = probe.split(|byte| *byte == b'\n').count();
    if utf8 <= cut_line || utf8 <= gb || utf8 * 10 < lines {
        Ok((Encoding::Utf8, mark))
    } else if gb * 10 < lines {
        Ok((Encoding::Gb18030, 0))
    } else {
        Err(refuse(
            "the text is neither UTF-8 nor GB 18030; save it as UTF-8",
        ))
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
