//! Token stores on disk, and the search for candidate pairs beyond main memory.
//!
//! | step | module | in -> out |
//! |---|---|---|
//! | keep | [`store`] | a batch -> a token store: columns in one checksummed file, read in place |
//! | spread | `spill` | a column of keys -> blocks of rows that share a key, by pairs of stripes |
//! | compare | `spill` | the blocks of two stripes -> scored pairs, each once |
//! | resume | `checkpoint` | a folder that knows which of these pieces are finished |
//! | stand | [`standing`] | the last run and new tokens -> candidates, from those that stood |
//! | search | [`search`] | two stores -> the candidates of [`linkage_core::candidates`], bit for bit |
//!
//! The pairs, their order and all counts are the same for every limit of memory and every number of
//! threads. What lies on disk is as confidential as the tokens: every file is made with mode 0600.

mod checkpoint;
mod durable;
mod error;
#[cfg(test)]
mod sample;
pub mod search;
mod spill;
pub mod standing;
pub mod store;

pub use error::Error;
