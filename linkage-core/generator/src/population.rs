//! The people behind the data: households, their members, and each member's lasting traits.

pub mod address;
pub mod household;
pub mod person;
pub mod resident_id;

pub(crate) mod naming;
pub(crate) mod traits;

pub use household::{Household, Member, Population};
pub use person::{Person, Sex};

/// The date on which ages are taken: everyone is as old as this year minus their birth year.
pub const REFERENCE_YEAR: i16 = 2024;

/// The most persons that have distinct identity numbers: see [`resident_id`].
pub const PERSONS_MAX: u32 = resident_id::HOUSEHOLDS_MAX / 100 * household::PERSONS_PER_BLOCK;
