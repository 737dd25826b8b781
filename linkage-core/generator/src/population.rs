//! The people behind the data: households, their members, and each member's lasting traits.

pub mod address;
pub mod household;
pub mod pattern;
pub mod person;
pub mod resident_id;

pub(crate) mod documents;
pub(crate) mod naming;
pub(crate) mod traits;

use std::sync::Arc;

pub use household::Household;
pub use pattern::{Member, Origin, Role};
pub use person::{Person, Sex};

use crate::settings::Settings;
use pattern::{PATTERN_PERSONS, Pattern};

/// The date on which ages are taken: everyone is as old as this year minus their birth year.
pub const REFERENCE_YEAR: i16 = 2024;

/// The most persons that have distinct identity numbers: see [`resident_id`].
pub const PERSONS_MAX: u32 = resident_id::CYCLES_MAX * PATTERN_PERSONS;

/// The population of a seed: any person, computed when asked for.
#[derive(Clone)]
pub struct Population {
    seed: u64,
    pattern: Arc<Pattern>,
}

impl Population {
    /// The population that the settings describe, as large as it can be.
    pub fn new(settings: &Settings) -> Self {
        Self {
            seed: settings.seed,
            pattern: Arc::new(Pattern::new(settings)),
        }
    }

    /// The household around the person with this index, and their place in it; `None` from
    /// [`PERSONS_MAX`] on.
    pub fn household(&self, index: u32) -> Option<(Household<'_>, usize)> {
        if index >= PERSONS_MAX {
            return None;
        }
        let (cycle, seat) = (index / PATTERN_PERSONS, index % PATTERN_PERSONS);
        let member = self.pattern.member(seat)?;
        let household = Household::new(self.seed, &self.pattern, cycle, seat, member);
        Some((household, usize::from(member.place)))
    }

    /// The person with this index; `None` from [`PERSONS_MAX`] on.
    pub fn person(&self, index: u32) -> Option<Person> {
        let (household, place) = self.household(index)?;
        household.person(place)
    }

    /// Age and origin of the person with this index, without working out the rest.
    pub(crate) fn member(&self, index: u32) -> Option<&Member> {
        self.pattern.member(index % PATTERN_PERSONS)
    }

    /// Index of the person of this rank among those from 18 to 75 years old.
    pub(crate) fn adult(&self, rank: u64) -> Option<u32> {
        let adults = self.pattern.adults();
        let count = adults.len().max(1) as u64;
        let seat = *adults.get((rank % count) as usize)?;
        u32::try_from(rank / count * u64::from(PATTERN_PERSONS) + u64::from(seat)).ok()
    }

    /// How many persons [`Population::adult`] knows.
    pub(crate) fn adults(&self) -> u64 {
        self.pattern.adults().len() as u64 * u64::from(resident_id::CYCLES_MAX)
    }
}
