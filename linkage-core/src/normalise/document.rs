//! Numbers of persons' documents.

use super::{Parsed, plain, text};
use crate::record::Day;

/// Reads a cleaned document number. A date of birth after `today` is invalid.
pub(super) fn parse(clean: &str, _today: Day) -> Parsed {
    plain(text::code(clean))
}
