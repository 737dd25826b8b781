//! A person's sex.

use zeroize::Zeroizing;

use super::Parsed;
use crate::record::{FieldState, Finding, NormalValue};

/// Reads a cleaned code or word for a sex: `1` (male) or `2` (female) of GB/T 2261.1-2003, whose 0
/// (unknown) and 9 (unstated) count as none. A source that writes other codes (0 for women)
/// declares them in the schema's `map`.
pub(super) fn parse(clean: &str) -> Parsed {
    let code = match clean {
        "1" | "01" | "男" | "男性" | "m" | "male" | "man" => "1",
        "2" | "02" | "女" | "女性" | "f" | "female" | "woman" => "2",
        "0" | "00" | "9" | "09" | "未说明" | "未说明的性别" | "未知的性别" | "u" => {
            return (None, FieldState::Placeholder);
        }
        _ => return (None, FieldState::Invalid(Finding::BadCharacters)),
    };
    (Some(of_code(code)), FieldState::Valid)
}

/// The canonical code for a sex.
pub(super) fn code(male: bool) -> &'static str {
    if male { "1" } else { "2" }
}

/// The canonical value for a sex.
pub(super) fn value(male: bool) -> NormalValue {
    of_code(code(male))
}

fn of_code(code: &str) -> NormalValue {
    NormalValue::text(Zeroizing::new(code.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_words() {
        for (clean, code) in [("1", "1"), ("男", "1"), ("02", "2"), ("female", "2")] {
            let (value, state) = parse(clean);
            assert_eq!(value.unwrap().whole(), code);
            assert_eq!(state, FieldState::Valid);
        }
        assert_eq!(parse("9").1, FieldState::Placeholder);
        assert_eq!(parse("3").1, FieldState::Invalid(Finding::BadCharacters));
        assert_eq!(value(false).whole(), "2");
    }
}
