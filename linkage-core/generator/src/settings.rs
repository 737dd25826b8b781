//! What to generate.

use crate::population::PERSONS_MAX;

/// How noisy the departments' copies are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorLevel {
    /// Everyone's present values, right; only formats differ between departments.
    None,
    /// Rates of well-kept sources.
    #[default]
    Routine,
    /// The sources that are often badly kept are so: for persons, health; for enterprises, all
    /// but market regulation. The others keep their routine rates.
    Dirty,
}

/// Why settings are refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Nobody, hence no data.
    #[error("at least one person or enterprise is needed")]
    NoEntities,
    /// Beyond this, identity numbers or codes would repeat.
    #[error("{asked} {what} would be needed, {max} is the most that have distinct numbers")]
    TooMany {
        /// `persons` or `enterprises`.
        what: &'static str,
        /// How many were asked for.
        asked: u64,
        /// How many there can be.
        max: u64,
    },
    /// More records in common than a department has.
    #[error("{common} records in common are more than the {rows} of a department")]
    CommonAboveRows {
        /// Records of each department.
        rows: u32,
        /// Entities that all departments have.
        common: u32,
    },
    /// Rare groups would no longer be rare.
    #[error(
        "rare groups can be made 1 to {} times as frequent, not {asked} times",
        OVERSAMPLE_MAX
    )]
    Oversample {
        /// The factor asked for.
        asked: u32,
    },
    /// Nobody has so many visits.
    #[error("a person has 1 to {} visits, not {asked}", EPISODES_MAX)]
    Episodes {
        /// The number asked for.
        asked: u32,
    },
}

/// Largest factor for the rare groups: they are then about 5 % of all.
pub const OVERSAMPLE_MAX: u32 = 10;

/// Most visits of one person to health services, each entered by another clerk.
pub const EPISODES_MAX: u32 = 6;

/// How much to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every record about this many entities.
    Entities(u32),
    /// This many records of each department.
    Records(u64),
    /// This many records of each department, no two of one entity, of which `common` are about
    /// entities that all departments have and the rest about entities that no other has.
    Overlap { rows: u32, common: u32 },
}

/// A request: equal settings give equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(crate) seed: u64,
    pub(crate) extent: Extent,
    pub(crate) errors: ErrorLevel,
    pub(crate) realistic_ids: bool,
    pub(crate) oversample: u32,
    pub(crate) duplicates: bool,
    pub(crate) episodes: u32,
    pub(crate) individual_businesses: bool,
}

impl Settings {
    /// Every record about `entities` persons or enterprises, with routine errors.
    ///
    /// # Errors
    /// If `entities` is zero or above [`PERSONS_MAX`].
    pub fn new(seed: u64, entities: u32) -> Result<Self, Error> {
        match entities {
            0 => Err(Error::NoEntities),
            1..=PERSONS_MAX => Ok(Self::of(seed, Extent::Entities(entities))),
            _ => Err(Error::TooMany {
                what: "persons",
                asked: u64::from(entities),
                max: u64::from(PERSONS_MAX),
            }),
        }
    }

    /// Exactly `records` in each department. A department takes as many entities, from the first
    /// on, as it needs to reach them, and the first records of a shuffled order: so what one
    /// department holds does not depend on which others are asked for.
    ///
    /// # Errors
    /// If `records` is zero. That there are too many shows when a department is opened.
    pub fn for_records(seed: u64, records: u64) -> Result<Self, Error> {
        if records == 0 {
            return Err(Error::NoEntities);
        }
        Ok(Self::of(seed, Extent::Records(records)))
    }

    /// For measuring quality: exactly `rows` records in each department, all of different
    /// entities; `common` entities have a record in every department, and no other entity has
    /// records in two. The persons are 18 to 75 years old, whatever the department; enterprises are
    /// as [`Settings::without_individual_businesses`] leaves them.
    ///
    /// # Errors
    /// If `rows` is zero or `common` above it.
    pub fn overlap(seed: u64, rows: u32, common: u32) -> Result<Self, Error> {
        if rows == 0 {
            return Err(Error::NoEntities);
        }
        if common > rows {
            return Err(Error::CommonAboveRows { rows, common });
        }
        let mut settings = Self::of(seed, Extent::Overlap { rows, common });
        settings.duplicates = false;
        settings.individual_businesses = false;
        Ok(settings)
    }

    fn of(seed: u64, extent: Extent) -> Self {
        Self {
            seed,
            extent,
            errors: ErrorLevel::Routine,
            realistic_ids: false,
            oversample: 1,
            duplicates: true,
            episodes: 1,
            individual_businesses: true,
        }
    }

    /// The same request at another error level.
    pub fn with_errors(self, errors: ErrorLevel) -> Self {
        Self { errors, ..self }
    }

    /// With region codes in use. The numbers then may be those of real people and enterprises;
    /// without, none can be.
    pub fn with_realistic_ids(self) -> Self {
        Self {
            realistic_ids: true,
            ..self
        }
    }

    /// The same request with the rare groups (names with interpunct, documents of Hong Kong,
    /// Macau, Taiwan and foreigners) `factor` times as frequent.
    ///
    /// # Errors
    /// If the factor is not from 1 to [`OVERSAMPLE_MAX`].
    pub fn with_oversample(self, factor: u32) -> Result<Self, Error> {
        if !(1..=OVERSAMPLE_MAX).contains(&factor) {
            return Err(Error::Oversample { asked: factor });
        }
        Ok(Self {
            oversample: factor,
            ..self
        })
    }

    /// The same request without entities entered twice in one department.
    pub fn without_duplicates(self) -> Self {
        Self {
            duplicates: false,
            ..self
        }
    }

    /// With up to `episodes` records of a person in health: one for each visit. It has no effect
    /// on requests made by [`Settings::overlap`].
    ///
    /// # Errors
    /// If the number is not from 1 to [`EPISODES_MAX`].
    pub fn with_episodes(self, episodes: u32) -> Result<Self, Error> {
        if !(1..=EPISODES_MAX).contains(&episodes) {
            return Err(Error::Episodes { asked: episodes });
        }
        Ok(Self { episodes, ..self })
    }

    /// Enterprises without most of the individual businesses (个体工商户): what is left of them is
    /// the share that registers of enterprises show.
    pub fn without_individual_businesses(self) -> Self {
        Self {
            individual_businesses: false,
            ..self
        }
    }

    /// The seed from which everything follows.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

/// Entities needed for `records` of a department that has `per_10_000` records per 10 000
/// entities: the expected number and a margin of about six standard deviations.
pub(crate) fn entities_for_records(records: u64, per_10_000: u64) -> u64 {
    let records = records.min(u64::from(u32::MAX) * 1_000);
    let margin = 6 * (records.isqrt() + 1) + 20;
    (records + margin) * 10_000 / per_10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_cannot_be() {
        assert_eq!(Settings::new(1, 0), Err(Error::NoEntities));
        assert_eq!(Settings::for_records(1, 0), Err(Error::NoEntities));
        assert_eq!(Settings::overlap(1, 0, 0), Err(Error::NoEntities));
        assert_eq!(
            Settings::overlap(1, 5, 6),
            Err(Error::CommonAboveRows { rows: 5, common: 6 })
        );
        assert!(matches!(
            Settings::new(1, PERSONS_MAX + 1),
            Err(Error::TooMany { .. })
        ));
        let settings = || Settings::new(1, PERSONS_MAX).unwrap();
        assert!(settings().with_oversample(0).is_err());
        assert!(settings().with_oversample(OVERSAMPLE_MAX + 1).is_err());
        assert!(settings().with_oversample(OVERSAMPLE_MAX).is_ok());
        assert!(settings().with_episodes(0).is_err());
        assert!(settings().with_episodes(EPISODES_MAX + 1).is_err());
    }
}
