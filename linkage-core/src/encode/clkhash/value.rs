//! Values checked against a format, and written canonically.

use zeroize::Zeroizing;

use super::number::{self, NotNumber};
use super::schema::{Case, Encoding, Format, Hashing, TextRule};

/// Why a value is refused. No message shows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The value is empty, which the format does not allow.
    #[error("is empty; write the schema's missingValue sentinel, or declare one")]
    Empty,
    /// Not in the case that the schema asks for.
    #[error("is not in {0} case, which the schema asks for")]
    Case(&'static str),
    /// Fewer characters than allowed.
    #[error("has fewer than {0} characters, the schema's minLength")]
    TooShort(u64),
    /// More characters than allowed.
    #[error("has more than {0} characters, the schema's maxLength")]
    TooLong(u64),
    /// Does not match the pattern as a whole.
    #[error("does not match the schema's pattern")]
    Pattern,
    /// Has characters that are not ASCII.
    #[error("is not ASCII, the schema's encoding")]
    NotAscii,
    /// Not an integer.
    #[error("is no integer")]
    NotInteger,
    /// Less than allowed.
    #[error("is less than {0}, the schema's minimum")]
    BelowMinimum(i64),
    /// More than allowed.
    #[error("is greater than {0}, the schema's maximum")]
    AboveMaximum(i64),
    /// Not a day in the format.
    #[error("is no day in the schema's format {0}")]
    NotDate(String),
    /// Not in the list.
    #[error("is none of the schema's values")]
    NotListed,
    /// The comparison asks for a number.
    #[error("is no finite number, which its numeric comparison asks for")]
    NotNumber,
    /// The comparison takes no number that large.
    #[error("is too large a number for its numeric comparison")]
    TooLarge,
    /// Fields are missing or too many; `expected` and `found` count them.
    #[error("has {found} fields, the schema has {expected} features")]
    Fields {
        /// Features of the schema.
        expected: usize,
        /// Fields of the row.
        found: usize,
    },
    /// A line without anything.
    #[error("is blank; remove the line, or fill it in: rows are known by their number")]
    Blank,
    /// Not UTF-8.
    #[error("is not UTF-8 text")]
    NotUtf8,
    /// The file ends within quotation marks.
    #[error("opens a quotation mark that is not closed before the end of the file")]
    OpenQuote,
}

impl From<NotNumber> for Reason {
    fn from(reason: NotNumber) -> Self {
        match reason {
            NotNumber::Text => Self::NotNumber,
            NotNumber::TooLarge => Self::TooLarge,
        }
    }
}

/// The value that is encoded for `value`: what stands for a missing one, or `value` in canonical
/// form, written to `buffer` where it differs.
///
/// # Errors
/// [`Reason`], when the format does not allow the value.
pub(super) fn canonical<'a>(
    hashing: &'a Hashing,
    value: &'a str,
    buffer: &'a mut Zeroizing<String>,
) -> Result<&'a str, Reason> {
    if let Some(missing) = &hashing.missing
        && *missing.sentinel == value
    {
        return Ok(missing.encoded());
    }
    match &hashing.format {
        Format::Text { encoding, rule } => {
            text(rule, value)?;
            if *encoding == Encoding::Ascii && !value.is_ascii() {
                return Err(Reason::NotAscii);
            }
            Ok(value)
        }
        Format::Enum(values) if values.contains(value) => Ok(value),
        Format::Integer { minimum, maximum } => {
            if !number::integer(value, buffer) {
                return Err(empty_or(value, Reason::NotInteger));
            }
            if let Some(minimum) = minimum.filter(|bound| number::less(buffer, *bound)) {
                return Err(Reason::BelowMinimum(minimum));
            }
            if let Some(maximum) = maximum.filter(|bound| number::greater(buffer, *bound)) {
                return Err(Reason::AboveMaximum(maximum));
            }
            Ok(buffer)
        }
        Format::Date(format) => {
            if format.canonical(value, buffer) {
                return Ok(buffer);
            }
            let reason = Reason::NotDate(format.text().to_owned());
            Err(empty_or(value, reason))
        }
        Format::Enum(_) => Err(empty_or(value, Reason::NotListed)),
    }
}

fn empty_or(value: &str, reason: Reason) -> Reason {
    if value.is_empty() {
        Reason::Empty
    } else {
        reason
    }
}

fn text(rule: &TextRule, value: &str) -> Result<(), Reason> {
    match rule {
        TextRule::Pattern(pattern) if pattern.matches(value) => Ok(()),
        TextRule::Pattern(_) => Err(empty_or(value, Reason::Pattern)),
        TextRule::Shape {
            case,
            chars_min,
            chars_max,
        } => {
            match case {
                Some(Case::Upper) if !is_upper(value) => return Err(Reason::Case("upper")),
                Some(Case::Lower) if !is_lower(value) => return Err(Reason::Case("lower")),
                _ => {}
            }
            if chars_min.is_none() && chars_max.is_none() {
                return Ok(());
            }
            let chars = value.chars().count() as u64;
            if let Some(min) = chars_min.filter(|min| chars < *min) {
                return Err(empty_or(value, Reason::TooShort(min)));
            }
            match chars_max.filter(|max| chars > *max) {
                Some(max) => Err(Reason::TooLong(max)),
                None => Ok(()),
            }
        }
    }
}

/// Whether the value is its own upper case. A value without letters is.
fn is_upper(value: &str) -> bool {
    if value.is_ascii() {
        return !value.bytes().any(|byte| byte.is_ascii_lowercase());
    }
    *Zeroizing::new(value.to_uppercase()) == value
}

/// Whether the value is its own lower case.
fn is_lower(value: &str) -> bool {
    if value.is_ascii() {
        return !value.bytes().any(|byte| byte.is_ascii_uppercase());
    }
    *Zeroizing::new(value.to_lowercase()) == value
}
