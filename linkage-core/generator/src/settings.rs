//! What to generate.

use crate::population::PERSONS_MAX;

/// How noisy the departments' copies are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorLevel {
    /// Rates of well-kept sources.
    #[default]
    Routine,
    /// Rates of badly kept ones.
    Dirty,
}

/// Why settings are refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No persons, hence no data.
    #[error("at least one person is needed")]
    NoPersons,
    /// Beyond this, identity numbers could repeat.
    #[error("{asked} persons asked for, {max} is the most that have distinct identity numbers")]
    TooManyPersons {
        /// How many were asked for.
        asked: u64,
        /// How many there can be.
        max: u32,
    },
}

/// A request: equal settings give equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    seed: u64,
    persons: u32,
    errors: ErrorLevel,
    records_max: Option<u64>,
}

impl Settings {
    /// A population of `persons`, routine errors, every record of every department.
    ///
    /// # Errors
    /// If `persons` is zero or above [`PERSONS_MAX`].
    pub fn new(seed: u64, persons: u32) -> Result<Self, Error> {
        match persons {
            0 => Err(Error::NoPersons),
            1..=PERSONS_MAX => Ok(Self {
                seed,
                persons,
                errors: ErrorLevel::Routine,
                records_max: None,
            }),
            _ => Err(Error::TooManyPersons {
                asked: u64::from(persons),
                max: PERSONS_MAX,
            }),
        }
    }

    /// A population large enough for `records` in every department, each cut to exactly that
    /// many. The cut takes the first of a shuffled order: a random sample of the department.
    ///
    /// # Errors
    /// As [`Settings::new`], for the number of persons that [`persons_for_records`] gives.
    pub fn for_records(seed: u64, records: u64) -> Result<Self, Error> {
        if records == 0 {
            return Err(Error::NoPersons);
        }
        let asked = persons_for_records(records);
        let persons = u32::try_from(asked).map_err(|_| Error::TooManyPersons {
            asked,
            max: PERSONS_MAX,
        })?;
        Ok(Self {
            records_max: Some(records),
            ..Self::new(seed, persons)?
        })
    }

    /// The same request at another error level.
    pub fn with_errors(self, errors: ErrorLevel) -> Self {
        Self { errors, ..self }
    }

    /// The seed from which everything follows.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Persons in the population; departments cover parts of it.
    pub fn persons(&self) -> u32 {
        self.persons
    }

    /// How noisy the copies are.
    pub fn errors(&self) -> ErrorLevel {
        self.errors
    }

    /// At most this many records per department; `None` for all.
    pub fn records_max(&self) -> Option<u64> {
        self.records_max
    }
}

/// Records of the smallest department (credit) per 1 000 persons, rounded down from measurement;
/// the test `every_department_reaches_the_target` fails if the population drifts away from it.
const RECORDS_PER_1000_PERSONS: u64 = 570;

/// Persons needed for `records` in every department: the expected number, and a margin of about
/// six standard deviations for the draw.
pub fn persons_for_records(records: u64) -> u64 {
    let records = records.min(u64::from(u32::MAX) * 1_000);
    let margin = 6 * (records.isqrt() + 1) + 20;
    (records + margin) * 1_000 / RECORDS_PER_1000_PERSONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_none_and_too_many() {
        assert_eq!(Settings::new(1, 0), Err(Error::NoPersons));
        assert_eq!(Settings::for_records(1, 0), Err(Error::NoPersons));
        let asked = u64::from(PERSONS_MAX) + 1;
        let refusal = Err(Error::TooManyPersons {
            asked,
            max: PERSONS_MAX,
        });
        assert_eq!(Settings::new(1, PERSONS_MAX + 1), refusal);
        assert!(Settings::new(1, PERSONS_MAX).is_ok());
        assert!(matches!(
            Settings::for_records(1, u64::MAX),
            Err(Error::TooManyPersons { .. })
        ));
        assert!(Settings::for_records(1, 1_000_000).is_ok());
    }
}
