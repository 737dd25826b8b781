//! A cell's value as text.

use std::fmt::{self, Write as _};
use std::ops::Deref;

use calamine::{CellErrorType, DataRef, ExcelDateTime};
use zeroize::Zeroizing;

/// Whole numbers from here on have lost digits: a spreadsheet keeps 15 of them (ECMA-376 has
/// numbers as binary64, and the common spreadsheets round to 15 significant digits).
const CUT_FROM: f64 = 1e15;

/// Room for a value, so that few outgrow it.
const TEXT_BYTES: usize = 64;

/// Why a cell holds no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CellFault {
    /// An error of the spreadsheet, such as `#N/A`.
    Error(&'static str),
    /// A formula that no spreadsheet has computed.
    NoResult,
}

impl fmt::Display for CellFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(name) => write!(f, "holds the error {name} instead of a value"),
            Self::NoResult => f.write_str(
                "has a formula that was never computed; open the workbook in the spreadsheet and \
                 save it",
            ),
        }
    }
}

/// Text that keeps its room from cell to cell and is wiped when dropped.
#[derive(Default)]
pub(super) struct Text(Zeroizing<String>);

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Text {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Becomes a cell's value as CSV would have it; empty for none.
    ///
    /// Dates are written by the cell's type, a day alone where it is midnight. A whole number with
    /// more digits than a spreadsheet keeps is written with its exponent, as the spreadsheet shows
    /// it: its last digits are gone, and a text of zeros would pass for a true number.
    ///
    /// # Errors
    /// [`CellFault`].
    pub(super) fn set(&mut self, value: &DataRef<'_>, formula: bool) -> Result<(), CellFault> {
        self.clear();
        match value {
            DataRef::Empty if formula => return Err(CellFault::NoResult),
            DataRef::Empty => {}
            DataRef::String(text) => self.push(text),
            DataRef::SharedString(text) => self.push(text),
            DataRef::Int(number) => self.number(*number as f64),
            DataRef::Float(number) => self.number(*number),
            DataRef::Bool(true) => self.push("TRUE"),
            DataRef::Bool(false) => self.push("FALSE"),
            DataRef::DateTime(moment) => self.moment(moment),
            DataRef::DateTimeIso(text) => self.iso_moment(text),
            DataRef::DurationIso(text) => self.push(text),
            DataRef::Error(error) => return Err(CellFault::Error(error_name(error))),
        }
        Ok(())
    }

    /// Appends a text. More room is made by moving, so that no copy is left behind unwiped.
    fn push(&mut self, text: &str) {
        let length = self.0.len() + text.len();
        if self.0.capacity() < length {
            let room = length.next_power_of_two().max(TEXT_BYTES);
            let mut larger = Zeroizing::new(String::with_capacity(room));
            larger.push_str(&self.0);
            self.0 = larger;
        }
        self.0.push_str(text);
    }

    fn number(&mut self, number: f64) {
        let mut digits = Digits::default();
        if number.abs() >= CUT_FROM {
            // One digit before the point and 14 after it. Writing to `Digits` does not fail.
            let _ = write!(digits, "{number:.14E}");
            match digits.text().split_once('E') {
                Some((mantissa, exponent)) => {
                    self.push(mantissa.trim_end_matches('0').trim_end_matches('.'));
                    self.push("E+");
                    self.push(exponent);
                }
                None => self.push(digits.text()),
            }
            return;
        }
        if number.fract() == 0.0 {
            let _ = write!(digits, "{number:.0}");
            self.push(digits.text());
            return;
        }
        // To 15 significant digits as the spreadsheet shows it: 0.3, not 0.30000000000000004.
        let _ = write!(digits, "{number:.14e}");
        let rounded: f64 = digits.text().parse().unwrap_or(number);
        let mut shown = Digits::default();
        let _ = write!(shown, "{rounded}");
        self.push(shown.text());
    }

    fn moment(&mut self, moment: &ExcelDateTime) {
        let days = moment.as_f64();
        // Beyond the calendar of spreadsheets, or a length of time: a number like any other.
        if moment.is_duration() || !(0.0..2_958_466.0).contains(&days) {
            return self.number(days);
        }
        let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
        let mut digits = Digits::default();
        let midnight = (hour, minute, second) == (0, 0, 0);
        let _ = match (days < 1.0, midnight) {
            (true, _) => write!(digits, "{hour:02}:{minute:02}:{second:02}"),
            (false, true) => write!(digits, "{year:04}-{month:02}-{day:02}"),
            (false, false) => write!(
                digits,
                "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
            ),
        };
        self.push(digits.text());
    }

    /// A date in ISO 8601, which cells of type `d` hold.
    fn iso_moment(&mut self, text: &str) {
        let Some((date, time)) = text.split_once('T') else {
            return self.push(text);
        };
        self.push(date);
        if time.chars().any(|c| c.is_ascii_digit() && c != '0') {
            self.push(" ");
            self.push(time);
        }
    }
}

/// A number's digits on their way into a text: on the stack, wiped when dropped.
struct Digits {
    bytes: Zeroizing<[u8; Self::BYTES]>,
    length: usize,
}

impl Default for Digits {
    fn default() -> Self {
        Self {
            bytes: Zeroizing::new([0; Self::BYTES]),
            length: 0,
        }
    }
}

impl Digits {
    /// The longest is the smallest binary64 without exponent: a sign, 324 places, 17 digits.
    const BYTES: usize = 352;

    fn text(&self) -> &str {
        let written = self.bytes.get(..self.length).unwrap_or(&[]);
        std::str::from_utf8(written).unwrap_or("")
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

fn error_name(error: &CellErrorType) -> &'static str {
    match error {
        CellErrorType::Div0 => "#DIV/0!",
        CellErrorType::NA => "#N/A",
        CellErrorType::Name => "#NAME?",
        CellErrorType::Null => "#NULL!",
        CellErrorType::Num => "#NUM!",
        CellErrorType::Ref => "#REF!",
        CellErrorType::Value => "#VALUE!",
        CellErrorType::GettingData => "#DATA!",
    }
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;

    use super::*;

    fn text(value: &DataRef<'_>) -> String {
        let mut text = Text::default();
        text.set(value, false).unwrap();
        text.to_string()
    }

    #[test]
    fn numbers_are_written_as_a_spreadsheet_shows_them() {
        for (number, shown) in [
            (0.0, "0"),
            (29_221.0, "29221"),
            (-7.5, "-7.5"),
            (0.1 + 0.2, "0.3"),
            (1e-20, "0.00000000000000000001"),
            // 15 digits are whole, a resident number of the first generation among them.
            (440_106_801_010_101.0, "440106801010101"),
            (999_999_999_999_999.0, "999999999999999"),
            // What is longer has lost its end, whether the file shows it or not.
            (440_106_198_010_101_000.0, "4.40106198010101E+17"),
            (440_106_198_010_101_234.0, "4.40106198010101E+17"),
            (4.401_06e17, "4.40106E+17"),
            (-1e300, "-1E+300"),
        ] {
            assert_eq!(text(&DataRef::Float(number)), shown);
        }
        // The longest that can be.
        assert!(text(&DataRef::Float(f64::from_bits(1))).len() > 300);
    }

    #[test]
    fn dates_are_written_by_the_type_of_the_cell() {
        let moment = |days, kind, is_1904| {
            let moment = ExcelDateTime::new(days, kind, is_1904);
            text(&DataRef::DateTime(moment))
        };
        let day = |days| moment(days, ExcelDateTimeType::DateTime, false);
        assert_eq!(day(29_221.0), "1980-01-01");
        assert_eq!(day(45_943.5), "2025-10-13 12:00:00");
        assert_eq!(day(0.25), "06:00:00");
        assert_eq!(day(-1.0), "-1");
        assert_eq!(day(19_800_101.0), "19800101");
        assert_eq!(
            moment(27_759.0, ExcelDateTimeType::DateTime, true),
            "1980-01-01"
        );
        assert_eq!(moment(1.5, ExcelDateTimeType::TimeDelta, false), "1.5");
        for (iso, shown) in [
            ("1980-01-01", "1980-01-01"),
            ("1980-01-01T00:00:00Z", "1980-01-01"),
            ("1980-01-01T08:00:00", "1980-01-01 08:00:00"),
        ] {
            assert_eq!(text(&DataRef::DateTimeIso(iso.into())), shown);
        }
    }

    #[test]
    fn what_is_no_value_is_a_fault() {
        let fault = |value, formula| Text::default().set(&value, formula).unwrap_err();
        let error = fault(DataRef::Error(CellErrorType::NA), true);
        assert_eq!(error.to_string(), "holds the error #N/A instead of a value");
        assert_eq!(fault(DataRef::Empty, true), CellFault::NoResult);
        assert_eq!(text(&DataRef::Empty), "");
        assert_eq!(text(&DataRef::Bool(true)), "TRUE");
    }
}
