//! Which block keys are worth asking each owner for.
//!
//! A record is *settled* with another owner when the two link keys could make only one pair of
//! them: each is the other's only partner there, and their component over all owners has at most
//! one record of each. Whatever their tokens say, that pair is linked. All other records of an
//! owner may be linked by token to a record of the owner asked, and their block keys are wanted of
//! it.

use rand::{CryptoRng, RngExt as _};
use rayon::prelude::*;

use super::filter::{AskFilter, FilterError};
use crate::candidates;
use crate::decide::Components;
use crate::encode::Columns;

/// Settled pairs of two owners that are asked for all the same, about: how true pairs agree tells
/// how much strangers may, and what the threshold is estimated from must not be too few. Ten times
/// as many as the estimate needs at least.
const SAMPLE_PAIRS: f64 = 500.0;

/// Owners are numbered in the bits of a word.
const OWNERS_MAX: usize = 64;

/// More owners than a project can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at most {OWNERS_MAX} owners can be asked, not {0}")]
pub struct TooManyOwners(usize);

/// The wanted block keys of every owner, sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    keys: Vec<Vec<u64>>,
    columns: usize,
}

impl Wanted {
    /// Finds them from the owners' keys. `rng` draws the sample of settled pairs.
    ///
    /// # Errors
    /// [`TooManyOwners`].
    pub fn find(batches: &[Columns<'_>], rng: &mut impl CryptoRng) -> Result<Self, TooManyOwners> {
        if batches.len() > OWNERS_MAX {
            return Err(TooManyOwners(batches.len()));
        }
        let settled = settled(batches, rng);
        let columns = batches.iter().map(|batch| batch.block_keys.len()).max();
        let columns = columns.unwrap_or(0);
        let mut keys = vec![vec![]; batches.len()];
        for column in 0..columns {
            for (key, seen, wanted) in wanted_in(batches, &settled, column) {
                // A key that an owner does not have need not travel to it.
                let mut owners = seen & wanted;
                while owners != 0 {
                    let owner = owners.trailing_zeros() as usize;
                    owners &= owners - 1;
                    if let Some(keys) = keys.get_mut(owner) {
                        keys.push(key);
                    }
                }
            }
        }
        for keys in &mut keys {
            keys.sort_unstable();
            keys.dedup();
        }
        Ok(Self { keys, columns })
    }

    /// The wanted keys of an owner.
    pub fn keys(&self, owner: usize) -> &[u64] {
        self.keys.get(owner).map_or(&[], Vec::as_slice)
    }

    /// The filter for an owner, under a public seed.
    ///
    /// # Errors
    /// [`FilterError::TooLarge`].
    pub fn filter(&self, owner: usize, seed: &[u8; 32]) -> Result<AskFilter, FilterError> {
        AskFilter::over(self.keys(owner), self.columns, seed)
    }
}

/// For each record of each owner, the owners that it is settled with, itself among them.
fn settled(batches: &[Columns<'_>], rng: &mut impl CryptoRng) -> Vec<Vec<u64>> {
    let mut start = 0_u32;
    let starts: Vec<u32> = batches
        .iter()
        .map(|batch| {
            let first = start;
            start = start.saturating_add(u32::try_from(batch.len()).unwrap_or(u32::MAX));
            first
        })
        .collect();
    let mut components = Components::new(start);
    let own = batches.iter().enumerate();
    let mut settled: Vec<Vec<u64>> = own
        .map(|(owner, batch)| vec![1 << owner; batch.len()])
        .collect();
    for (owner_a, a) in batches.iter().enumerate() {
        for (owner_b, b) in batches.iter().enumerate().skip(owner_a + 1) {
            let pairs = candidates::linked(a, b);
            let number = |owner: usize, row: u32| starts.get(owner).map_or(0, |first| first + row);
            let joined = pairs.joined();
            components.join_all(joined.map(|(a, b)| (number(owner_a, a), number(owner_b, b))));
            let single = pairs.single(a.len(), b.len());
            let sample = (SAMPLE_PAIRS / single.len().max(1) as f64).min(1.0);
            for (row_a, row_b) in single {
                if rng.random_bool(sample) {
                    continue;
                }
                for (owner, row, other) in [(owner_a, row_a, owner_b), (owner_b, row_b, owner_a)] {
                    let records = settled.get_mut(owner);
                    if let Some(record) = records.and_then(|rows| rows.get_mut(row as usize)) {
                        *record |= 1 << other;
                    }
                }
            }
        }
    }
    unsettle_doubtful(&mut settled, &mut components);
    settled
}

/// A record whose component has two records of one owner is settled with nobody.
fn unsettle_doubtful(settled: &mut [Vec<u64>], components: &mut Components) {
    let mut owners = vec![0_u64; components.nodes() as usize];
    let mut doubtful = vec![false; owners.len()];
    let mut number = 0_u32;
    for (owner, records) in settled.iter().enumerate() {
        for _ in records {
            let root = components.root(number) as usize;
            if let (Some(owners), Some(doubtful)) = (owners.get_mut(root), doubtful.get_mut(root)) {
                *doubtful |= *owners >> owner & 1 == 1;
                *owners |= 1 << owner;
            }
            number += 1;
        }
    }
    let mut number = 0_u32;
    for (owner, records) in settled.iter_mut().enumerate() {
        for record in records {
            let root = components.root(number) as usize;
            if doubtful.get(root).copied().unwrap_or(true) {
                *record = 1 << owner;
            }
            number += 1;
        }
    }
}

/// Every key of a column with the owners that have it, and those that it is wanted of: all that one
/// of its records is not settled with. In order of the keys.
fn wanted_in(batches: &[Columns<'_>], settled: &[Vec<u64>], column: usize) -> Vec<(u64, u64, u64)> {
    let mut entries: Vec<(u64, u64, u64)> = vec![];
    for (owner, (batch, settled)) in batches.iter().zip(settled).enumerate() {
        let keys = batch.block_keys.get(column).copied().unwrap_or(&[]);
        let rows = keys.iter().zip(settled).filter(|(key, _)| **key != 0);
        entries.extend(rows.map(|(key, settled)| (*key, 1 << owner, !settled)));
    }
    entries.par_sort_unstable();
    entries.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 |= next.1;
            kept.2 |= next.2;
        }
        same
    });
    entries
}
