//! Disclosure control: what may be told about a table, and how much telling is left.
//!
//! | step | module | in -> out |
//! |---|---|---|
//! | price | [`epsilon`] | decimal text -> [`epsilon::Epsilon`], exact |
//! | budget | [`ledger`] | [`ledger::Ledger`] + price -> new ledger, or a refusal |
//! | noise | [`noise`] | price -> [`noise::LaplaceScale`] -> exact discrete Laplace integers |
//! | protect | [`release`] | [`release::NoisedTable`] + [`release::Policy`] -> [`release::ReleasedTable`] |
//!
//! Each of the two owners of a table adds its own noise share before anything leaves it, so a table
//! stays protected by one whole share even against the other owner and the analyst together.

pub mod epsilon;
pub mod ledger;
pub mod noise;
pub mod release;
mod render;
