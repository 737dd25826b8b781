//! Codes of enterprises and other organisations.

use zeroize::Zeroizing;

use super::Parsed;
use crate::record::{FieldState, NormalValue};

/// Reads a cleaned code.
pub(super) fn parse(clean: &str) -> Parsed {
    let text = Zeroizing::new(clean.to_owned());
    (Some(NormalValue::text(text)), FieldState::Valid)
}
