//! The privacy price of a table, as an exact number of thousandths.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A differential-privacy parameter epsilon: a positive decimal with at most three places.
///
/// Held as whole thousandths, so that noise scales and ledger sums are exact rationals. In text
/// and JSON it is a decimal string (`"0.5"`); TOML and JSON numbers are read as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epsilon {
    thousandths: u32,
}

/// Why a text or number is not an [`Epsilon`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EpsilonError {
    /// Not of the form `digits` or `digits.digits`.
    #[error("epsilon is not a plain decimal such as 0.5")]
    NotDecimal,
    /// More than three decimal places.
    #[error("epsilon has more than three decimal places")]
    TooPrecise,
    /// Zero, or above [`Epsilon::THOUSANDTHS_MAX`].
    #[error("epsilon lies outside 0.001 to 100")]
    OutOfRange,
}

impl Epsilon {
    /// Largest accepted value, 100: a factor of e^100 between neighbouring data sets protects
    /// nobody, so a larger number can only be a slip of the pen.
    pub const THOUSANDTHS_MAX: u32 = 100_000;

    /// An epsilon of `thousandths` / 1000.
    ///
    /// # Errors
    /// [`EpsilonError::OutOfRange`] for zero and above [`Epsilon::THOUSANDTHS_MAX`].
    pub const fn from_thousandths(thousandths: u32) -> Result<Self, EpsilonError> {
        if thousandths == 0 || thousandths > Self::THOUSANDTHS_MAX {
            return Err(EpsilonError::OutOfRange);
        }
        Ok(Self { thousandths })
    }

    /// This epsilon times 1000, exact.
    pub const fn thousandths(self) -> u32 {
        self.thousandths
    }
}

impl FromStr for Epsilon {
    type Err = EpsilonError;

    fn from_str(text: &str) -> Result<Self, EpsilonError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(EpsilonError::NotDecimal);
        }
        let fraction = match fraction.trim_end_matches('0') {
            significant if significant.len() > 3 => return Err(EpsilonError::TooPrecise),
            significant => format!("{significant:0<3}"),
        };
        // Both parts are digits only, so the sole way to fail is a number too large for u32.
        let whole: u32 = whole.parse().map_err(|_| EpsilonError::OutOfRange)?;
        let fraction: u32 = fraction.parse().map_err(|_| EpsilonError::OutOfRange)?;
        whole
            .checked_mul(1000)
            .and_then(|thousandths| thousandths.checked_add(fraction))
            .ok_or(EpsilonError::OutOfRange)
            .and_then(Self::from_thousandths)
    }
}

impl fmt::Display for Epsilon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Thousandths(self.thousandths.into()).fmt(f)
    }
}

/// Thousandths, shown as a decimal without trailing zeros: 1500 as `1.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thousandths(pub u64);

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 / 1000)?;
        match self.0 % 1000 {
            0 => Ok(()),
            fraction => write!(f, ".{}", format!("{fraction:03}").trim_end_matches('0')),
        }
    }
}

impl Serialize for Epsilon {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Epsilon {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Epsilon;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal from 0.001 to 100 with at most three places")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Epsilon, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Epsilon, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Epsilon, E> {
                self.visit_str(&number.to_string())
            }

            /// `Display` of a float is its shortest decimal that reads back the same, which is
            /// the text the user wrote as long as that had few digits: no arithmetic happens.
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Epsilon, E> {
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_decimals_exactly() {
        for (text, thousandths) in [
            ("0.001", 1),
            ("0.5", 500),
            ("1", 1000),
            ("1.250", 1250),
            ("1.2500000", 1250),
            ("100", 100_000),
        ] {
            assert_eq!(
                text.parse::<Epsilon>().unwrap().thousandths(),
                thousandths,
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_is_not_a_small_positive_decimal() {
        use EpsilonError::{NotDecimal, OutOfRange, TooPrecise};
        for (text, error) in [
            ("", NotDecimal),
            (".5", NotDecimal),
            ("5.", NotDecimal),
            ("-1", NotDecimal),
            ("+1", NotDecimal),
            ("1e3", NotDecimal),
            ("NaN", NotDecimal),
            ("inf", NotDecimal),
            ("٣", NotDecimal),
            ("0.0001", TooPrecise),
            ("0", OutOfRange),
            ("0.000", OutOfRange),
            ("100.001", OutOfRange),
            ("99999999999999", OutOfRange),
        ] {
            assert_eq!(text.parse::<Epsilon>(), Err(error), "{text}");
        }
    }

    #[test]
    fn reads_toml_numbers_and_strings() {
        #[derive(Deserialize)]
        struct Settings {
            epsilon: Epsilon,
        }
        for (text, thousandths) in [
            ("epsilon = 0.1", 100),
            ("epsilon = 2", 2000),
            ("epsilon = \"0.125\"", 125),
            ("epsilon = 0.007", 7),
        ] {
            let settings: Settings = toml::from_str(text).unwrap();
            assert_eq!(settings.epsilon.thousandths(), thousandths);
        }
        for text in [
            "epsilon = -1",
            "epsilon = nan",
            "epsilon = inf",
            "epsilon = true",
            "epsilon = 1e-9",
        ] {
            assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_and_json_read_back(thousandths in 1..=Epsilon::THOUSANDTHS_MAX) {
            let epsilon = Epsilon::from_thousandths(thousandths).unwrap();
            prop_assert_eq!(epsilon.to_string().parse::<Epsilon>(), Ok(epsilon));
            let json = serde_json::to_string(&epsilon).unwrap();
            prop_assert_eq!(serde_json::from_str::<Epsilon>(&json).unwrap(), epsilon);
        }

        #[test]
        fn arbitrary_text_does_not_panic(text in ".*") {
            let _ = text.parse::<Epsilon>();
        }
    }
}
