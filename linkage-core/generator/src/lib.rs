//! Seeded data sets of Chinese departments' person records with known truth.
//!
//! A [`Population`] of Guangdong-like households follows from one `u64` seed. Each [`Department`]
//! keeps its own imperfect copy of the persons it covers: other formats, missing values, typing
//! errors, a relative's number, a person entered twice. Which copies belong to one person, and
//! what went wrong in each, is known by construction and written beside the data, so that
//! recall can be split by kind of error.
//!
//! | step | module | in -> out |
//! |---|---|---|
//! | ask | [`settings`] | seed, persons, error level -> [`Settings`] |
//! | people | [`population`] | index -> [`population::Household`] -> [`population::Person`] |
//! | copy | [`department`], [`record`], `noise` | person -> [`Record`] with its error log |
//! | write | [`output`] | records -> CSV, truth, error log |
//!
//! Everything is computed from indices: no set of persons is held, and person 7 is the same
//! person whether 10 or 1 000 000 are asked for. Every department's copy depends on
//! (seed, department, person) alone.
//!
//! What it leaves out: enterprises; holders of Hong Kong, Macau, Taiwan and foreign documents;
//! names with interpunct; people who share a number or own two; changes of legal name. Household
//! members are drawn within one household, so links between households (grown children, divorced
//! parents) do not occur.
//!
//! No identity number it makes can belong to anyone: see [`population::resident_id`].
//!
//! ```
//! use linkage_generator::{Department, ErrorLevel, Settings, output};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::for_records(7, 500)?.with_errors(ErrorLevel::Dirty);
//! let mut csv = Vec::new();
//! let summary = output::write_csv(Department::Health, &settings, &mut csv)?;
//! assert_eq!(summary.rows, 500);
//! # Ok(())
//! # }
//! ```

mod data;
mod noise;
mod permutation;
mod stream;

pub mod department;
pub mod output;
pub mod population;
pub mod record;
pub mod settings;

pub use department::Department;
pub use population::Population;
pub use record::Record;
pub use settings::{ErrorLevel, Settings};
