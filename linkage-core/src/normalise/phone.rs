//! Telephone numbers.

use zeroize::Zeroizing;

use super::Parsed;
use crate::record::{FieldState, NormalValue};

/// Reads a cleaned list of telephone numbers.
pub(super) fn parse(clean: &str) -> Parsed {
    let text = Zeroizing::new(clean.to_owned());
    (Some(NormalValue::text(text)), FieldState::Valid)
}
