//! The bytes of a CSV file to records.

use zeroize::Zeroizing;

use super::super::value::Reason;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a field.
    #[default]
    Start,
    /// In a field that is not quoted, or after its quotation.
    Plain,
    Quoted,
    /// After a quotation mark in a quoted field: the first of two, or the end.
    Mark,
}

/// A record being read.
#[derive(Default)]
pub(super) struct Record {
    bytes: Zeroizing<Vec<u8>>,
    /// Where its fields end.
    pub(super) ends: Vec<usize>,
    state: State,
    /// Whether the last record ended with a carriage return, to which a line feed belongs.
    after_return: bool,
}

impl Record {
    /// Starts the next record.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.state = State::Start;
    }

    /// Bytes read so far, without quotation and separators.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// All fields, one after another.
    pub(super) fn text(&self) -> Result<&str, Reason> {
        if self.state == State::Quoted {
            return Err(Reason::OpenQuote);
        }
        std::str::from_utf8(&self.bytes).map_err(|_| Reason::NotUtf8)
    }

    /// Reads on; how many bytes were used, and whether the record is whole.
    pub(super) fn take(&mut self, buffer: &[u8]) -> (usize, bool) {
        let mut at = 0;
        if std::mem::take(&mut self.after_return) && buffer.first() == Some(&b'\n') {
            at = 1;
        }
        while let Some(rest) = buffer.get(at..).filter(|rest| !rest.is_empty()) {
            match (self.state, rest.first()) {
                (State::Start, Some(b'"')) => {
                    self.state = State::Quoted;
                    at += 1;
                }
                (State::Start | State::Plain, _) => {
                    let (used, whole) = self.plain(rest);
                    at += used;
                    if whole {
                        return (at, true);
                    }
                }
                (State::Quoted, _) => {
                    let mark = rest.iter().position(|byte| *byte == b'"');
                    let (part, _) = rest.split_at(mark.unwrap_or(rest.len()));
                    self.bytes.extend_from_slice(part);
                    at += part.len();
                    if mark.is_some() {
                        at += 1;
                        self.state = State::Mark;
                    }
                }
                (State::Mark, Some(b'"')) => {
                    self.bytes.push(b'"');
                    self.state = State::Quoted;
                    at += 1;
                }
                (State::Mark, _) => self.state = State::Plain,
            }
        }
        (at, false)
    }

    /// Reads a field on up to and with what ends it.
    fn plain(&mut self, rest: &[u8]) -> (usize, bool) {
        let end = |byte: &u8| matches!(byte, b',' | b'\n' | b'\r');
        let length = rest.iter().position(end).unwrap_or(rest.len());
        let (part, rest) = rest.split_at(length);
        self.bytes.extend_from_slice(part);
        if length > 0 {
            self.state = State::Plain;
        }
        match rest.first() {
            None => (length, false),
            Some(b',') => {
                self.ends.push(self.bytes.len());
                self.state = State::Start;
                (length + 1, false)
            }
            Some(end) => {
                self.after_return = *end == b'\r';
                self.end();
                (length + 1, true)
            }
        }
    }

    /// Ends the last field; a record of nothing has none.
    fn end(&mut self) {
        if self.state != State::Start || !self.ends.is_empty() {
            self.ends.push(self.bytes.len());
        }
    }

    /// Ends the record where the file ends; whether there is one.
    pub(super) fn end_of_file(&mut self) -> bool {
        self.end();
        !self.ends.is_empty()
    }
}
