//! The link map: for every record of every owner one position, the same for records of one cluster.
//!
//! Positions are drawn uniformly and afresh for every run, and every record has one, linked or not:
//! an owner that sees its own positions learns nothing about which of its records were linked.
//! Their range depends on the owners' row counts alone, since the number of clusters would tell the
//! number of links.

use rand::CryptoRng;
use rand::seq::SliceRandom;

use crate::decide::Clusters;

/// Positions come in multiples of this: one ciphertext's slots in the oblivious tables.
pub const POSITIONS_STEP: u32 = 2048;

/// Why no link map can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More records than positions can be numbered.
    #[error("{0} records need more positions than the 4 294 967 295 that can be numbered")]
    TooManyRecords(u64),
}

/// Positions by owner and row.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkMap {
    positions: Vec<Vec<u32>>,
    range: u32,
}

impl std::fmt::Debug for LinkMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "LinkMap({} owners, positions below {})",
            self.positions.len(),
            self.range
        )
    }
}

impl LinkMap {
    /// Draws a position for every cluster; a record without links is a cluster of its own.
    ///
    /// # Errors
    /// [`Error::TooManyRecords`].
    pub fn draw(clusters: &Clusters, rng: &mut impl CryptoRng) -> Result<Self, Error> {
        let records: u64 = clusters.owners().map(|owner| owner.len() as u64).sum();
        let range = records.max(1).next_multiple_of(POSITIONS_STEP.into());
        let range = u32::try_from(range).map_err(|_| Error::TooManyRecords(records))?;
        let mut order: Vec<u32> = (0..range).collect();
        order.shuffle(rng);
        let positions = clusters
            .owners()
            .map(|owner| {
                owner
                    .iter()
                    .filter_map(|cluster| order.get(*cluster as usize).copied())
                    .collect()
            })
            .collect();
        Ok(Self { positions, range })
    }

    /// Positions of owner `index`'s records, in the order of its uploaded rows.
    pub fn owner(&self, index: usize) -> Option<&[u32]> {
        self.positions.get(index).map(Vec::as_slice)
    }

    /// All positions are below this multiple of [`POSITIONS_STEP`].
    pub fn range(&self) -> u32 {
        self.range
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::decide::{Link, cluster};

    fn link(owner_a: usize, a: u32, owner_b: usize, b: u32) -> Link {
        Link {
            owner_a,
            a,
            owner_b,
            b,
            link_rule: None,
            score: 1.0,
        }
    }

    #[test]
    fn every_record_has_a_position_and_linked_ones_share_it() {
        let clusters = cluster(&[3, 2, 2], &[link(0, 0, 1, 1), link(1, 1, 2, 0)], &[]);
        let map = LinkMap::draw(&clusters, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        let owner = |i: usize| map.owner(i).unwrap();
        assert_eq!((owner(0).len(), owner(1).len(), owner(2).len()), (3, 2, 2));
        assert_eq!(owner(0)[0], owner(1)[1]);
        assert_eq!(owner(0)[0], owner(2)[0]);
        let mut all: Vec<_> = (0..3).flat_map(|i| owner(i).to_vec()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
        assert_eq!(map.range(), POSITIONS_STEP);
    }

    #[test]
    fn runs_are_fresh_and_the_range_does_not_depend_on_the_links() {
        let linked = cluster(&[4, 4], &[link(0, 0, 1, 0), link(0, 1, 1, 1)], &[]);
        let apart = cluster(&[4, 4], &[], &[]);
        let draw = |c, seed| LinkMap::draw(c, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap();
        assert_ne!(draw(&linked, 1), draw(&linked, 2));
        assert_eq!(draw(&linked, 1).range(), draw(&apart, 1).range());
    }

    #[test]
    fn positions_of_linked_and_unlinked_records_look_alike() {
        // Mean position of linked and of unlinked records over many runs: both half the range.
        let clusters = cluster(&[2, 1], &[link(0, 0, 1, 0)], &[]);
        let mut sums = [0_u64; 2];
        for seed in 0..4000 {
            let map = LinkMap::draw(&clusters, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap();
            sums[0] += u64::from(map.owner(0).unwrap()[0]);
            sums[1] += u64::from(map.owner(0).unwrap()[1]);
        }
        for sum in sums {
            // Standard error of the mean is 9.3; five of them.
            assert!((sum as f64 / 4000.0 - 1023.5).abs() < 47.0, "{sum}");
        }
    }
}
