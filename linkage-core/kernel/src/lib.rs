//! Exact comparison of all pairs of tokens: which records of two registers agree in at least a
//! threshold, found as fast as the processor can.
//!
//! A token is a row of 64-bit words; two tokens agree by Dice's coefficient or by the share of
//! equal bits ([`Measure`]). A [`Rule`] turns measure and threshold into a test on integers, once;
//! every method and instruction set then finds exactly the pairs that this test accepts.
//!
//! | question | function |
//! |---|---|
//! | all pairs over a threshold | [`join`], [`join_with`] |
//! | what would [`join`] do, and what would it cost | [`plan`] |
//! | the best partners of every record | [`nearest`] |
//! | small blocks, one after the other | [`Scorer::block`] |
//! | common bits of tokens laid out by the caller | [`Counter`] |
//!
//! There are two methods ([`Method`]). *Full width* ANDs and counts all words of every pair, in
//! tiles that keep the counters in registers. *Slices* looks up a lower bound of the Hamming
//! distance of 512 pairs at a time in tables of bit planes and compares at full width only what
//! passes; it is several times faster wherever strangers disagree clearly, and useless elsewhere,
//! so a sample of the data decides.
//!
//! ```
//! use linkage_kernel::{Measure, Rows, Rule, Settings, join};
//!
//! let a = Rows::new(&[0b0111, 0b1111_0000], &[3, 4], 64)?;
//! let b = Rows::new(&[0b1111_0000, 0b1111], &[4, 4], 64)?;
//! let rule = Rule::new(Measure::Dice, 0.8, 64)?;
//! let hits = join(&a, &b, &rule, &Settings::default())?;
//! assert_eq!((hits[0].a, hits[0].b, hits[0].intersection), (0, 1, 3));
//! assert_eq!((hits[1].a, hits[1].b, hits[1].intersection), (1, 0, 4));
//! # Ok::<(), linkage_kernel::Error>(())
//! ```
//!
//! Results never depend on the number of threads (rayon's current pool) or on the instruction set.

mod counter;
mod dense;
mod engine;
mod error;
mod filter;
mod isa;
mod join;
mod nearest;
mod order;
mod plan;
mod planes;
mod rows;
mod rule;
mod scorer;
mod sketch;
mod verify;

pub use counter::Counter;
pub use error::Error;
pub use isa::Isa;
pub use join::{Hit, Method, Pairs, Settings, join, join_with, plan};
pub use nearest::nearest;
pub use plan::Plan;
pub use rows::{BITS_MAX, BITS_MIN, Rows};
pub use rule::{Measure, Rule};
pub use scorer::Scorer;
