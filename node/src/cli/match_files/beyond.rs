//! Matching beyond main memory: token stores and unfinished searches in a work folder.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use linkage_engine::Error;

use super::super::failure::Failure;
use super::super::outputs;

/// Parses a number of bytes: `512MiB`, `4GiB`, or without a unit.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text.get(digits.len()..) {
        Some("") => 1,
        Some("KiB" | "K") => 1 << 10,
        Some("MiB" | "M") => 1 << 20,
        Some("GiB" | "G") => 1 << 30,
        _ => return Err("the units are KiB, MiB and GiB".into()),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "not a number of bytes, such as 512MiB or 4GiB")?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "too large".to_owned())
}

/// Makes the work folder, which only its owner may enter, if it is not there.
pub fn make(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    Ok(made.map_err(outputs::io_error(folder))?)
}

/// Says whose fault a failed search is.
pub fn blame(error: Error) -> Failure {
    match error {
        Error::Incomparable(_)
        | Error::Changed { .. }
        | Error::Busy { .. }
        | Error::Damaged { .. } => Failure::input(error),
        Error::Memory { .. } => Failure::input(error),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(size("12"), Ok(12));
        assert_eq!(size("2KiB"), Ok(2048));
        assert_eq!(size("3M"), Ok(3 << 20));
        assert_eq!(size("4GiB"), Ok(4 << 30));
        for wrong in [
            "",
            "GiB",
            "4GB",
            "-1",
            "1.5GiB",
            "99999999999999999999",
            "17179869184GiB",
        ] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
