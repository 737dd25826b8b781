//! Names of persons.

use super::{Parsed, text};
use crate::record::{FieldState, Finding, NormalValue};

/// Reads a cleaned name.
pub(super) fn parse(clean: &str) -> Parsed {
    let name = text::name(clean);
    if name.is_empty() {
        (None, FieldState::Invalid(Finding::BadCharacters))
    } else {
        (Some(NormalValue::text(name)), FieldState::Valid)
    }
}
