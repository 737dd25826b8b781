//! Seeded data sets of Chinese departments' records of persons and enterprises, with known truth.
//!
//! A [`Population`] of Guangdong-like households, and a register of [`enterprise`]s, follow from
//! one `u64` seed. Each [`Department`] keeps its own imperfect copy of those it covers, as of its
//! own date: earlier addresses and phones, other formats, missing values, typing errors, a
//! relative's number, someone entered twice. Which copies belong to one person, and what went
//! wrong in each, is known by construction and written beside the data, so that recall can be
//! split by kind of error.
//!
//! | step | module | in -> out |
//! |---|---|---|
//! | ask | [`settings`] | seed, how many, error level -> [`Settings`] |
//! | people | [`population`] | index -> [`population::Household`] -> [`population::Person`] |
//! | enterprises | [`enterprise`] | index -> [`enterprise::Enterprise`] |
//! | copy | [`department`], [`record`], [`enterprise::record`], `clerk`, `noise` | entity -> [`output::Row`] with its [`errors`] |
//! | write | [`output`] | rows -> CSV, truth, error log |
//!
//! Everything is computed from indices: no set of persons is held, and person 7 is the same
//! person whether 10 or 100 000 000 are asked for. Every department's copy depends on
//! (seed, department, person) alone.
//!
//! What it leaves out: household members are drawn within one household, so links between
//! households (grown children, divorced parents) do not occur; legal representatives of
//! enterprises are not members of the population.
//!
//! No identity number or credit code it makes can belong to anyone, unless asked for: see
//! [`population::resident_id`] and [`enterprise::codes`].
//!
//! ```
//! use linkage_generator::{Department, ErrorLevel, Settings, output};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::for_records(7, 500)?.with_errors(ErrorLevel::Dirty);
//! let mut csv = Vec::new();
//! let summary = output::write_csv(&Department::Health.records(&settings)?, &mut csv)?;
//! assert_eq!(summary.rows, 500);
//! # Ok(())
//! # }
//! ```

mod book;
mod clerk;
mod data;
mod noise;
mod permutation;
mod plan;
mod stream;

pub mod department;
pub mod enterprise;
pub mod errors;
pub mod output;
pub mod population;
pub mod record;
pub mod settings;

pub use department::Department;
pub use population::Population;
pub use record::Record;
pub use settings::{ErrorLevel, Settings};
