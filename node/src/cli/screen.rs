//! What a command shows: results on standard output, remarks and errors on standard error.
//!
//! A reader that went away (`linkage schema template person-cn | head -3`) is no failure: the rest
//! is not shown, the command goes on.

use std::io::{self, Write};
use std::panic::Location;

use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Padding, Style};

/// Why a result cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Standard output, perhaps a file on a full disk.
    #[error("the result cannot be written to standard output")]
    Output(#[source] io::Error),
    /// The result cannot be written as JSON.
    #[error("the result cannot be written as JSON")]
    Json(#[source] serde_json::Error),
}

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs: one JSON object.
    Json,
}

impl Form {
    /// Shows a result: `text` to people, `data` to programs.
    ///
    /// # Errors
    /// [`Error`]; a reader that went away is none.
    pub fn show(self, data: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Error> {
        match self {
            Self::Text => show(&text()),
            Self::Json => show(&serde_json::to_string_pretty(data).map_err(Error::Json)?),
        }
    }
}

/// Shows text as it is, for commands whose result is a text.
///
/// # Errors
/// [`Error::Output`]; a reader that went away is none.
pub fn show(text: &str) -> Result<(), Error> {
    write(io::stdout(), text).map_err(Error::Output)
}

/// A remark beside the result.
pub fn note(text: &str) {
    // Nothing is left to tell the user with when standard error is gone.
    let _ = write(io::stderr(), text);
}

/// An error and its causes.
pub fn failure(error: &anyhow::Error) {
    let mut text = format!("Error: {error}");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("\n  caused by: {cause}"));
    }
    note(&text);
}

/// A fault of the program itself or a library: its place alone, as its message may quote what was
/// being worked on.
pub fn fault(place: Option<&Location<'_>>) {
    let place = place.map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    note(&format!("Internal error at {place}"));
}

fn write(mut to: impl Write, text: &str) -> io::Result<()> {
    let written = to
        .write_all(text.trim_end().as_bytes())
        .and_then(|()| to.write_all(b"\n"))
        .and_then(|()| to.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A table with a heading, two blanks between columns: the first `left` columns flush left, the
/// others, which hold numbers, flush right. Indented by two blanks.
pub fn table(heading: &[&str], left: usize, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut builder = Builder::default();
    builder.push_record(heading.iter().copied());
    for row in rows {
        builder.push_record(row);
    }
    let mut table = builder.build();
    table
        .with(Style::empty())
        .with(Padding::new(2, 0, 0, 0))
        .with(Modify::new(Columns::new(left..)).with(Alignment::right()));
    table
        .to_string()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A count with commas between thousands: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share of 1 as a percentage with `decimals` decimals; never rounded up to 100 %, so that a
/// hundred is a hundred.
pub fn percent(share: f64, decimals: usize) -> String {
    let shown = format!("{:.decimals$} %", share * 100.0);
    if share < 1.0 && shown.starts_with("100") {
        let below = 100.0 - 0.1_f64.powi(i32::try_from(decimals).unwrap_or(0));
        return format!("{below:.decimals$} %");
    }
    shown
}

/// A count and its noun, in the plural unless it is one: `3 records`.
pub fn counted(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {noun}{end}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(counted(1, "record"), "1 record");
        assert_eq!(counted(2000, "record"), "2,000 records");
        assert_eq!(percent(0.5, 1), "50.0 %");
        assert_eq!(percent(0.999_99, 2), "99.99 %");
        assert_eq!(percent(1.0, 2), "100.00 %");
    }

    #[test]
    fn tables_align_han_characters_too() {
        let rows = [("社保", "5"), ("health", "1,000")];
        let shown = table(
            &["name", "rows"],
            1,
            rows.map(|(a, b)| vec![a.into(), b.into()]),
        );
        assert_eq!(shown, "  name     rows\n  社保        5\n  health  1,000");
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        struct Closed(io::ErrorKind);
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(write(Closed(io::ErrorKind::BrokenPipe), "x").is_ok());
        assert!(write(Closed(io::ErrorKind::StorageFull), "x").is_err());
    }
}
