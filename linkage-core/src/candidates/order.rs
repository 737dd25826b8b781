//! Pairs in order of (a, b), each once, from lists in any order.

use rayon::prelude::*;

use super::radix::Grouped;

/// log2 of the rows of the first side whose pairs are ordered together.
const SLAB_BITS: u32 = 12;

/// What a list holds of a pair.
pub(super) trait Pair: Copy + Default + Send + Sync {
    /// The pair, packed.
    fn pair(&self) -> u64;

    /// Of several entries of one pair, the one of least rank stays.
    fn rank(&self) -> u8;
}

impl Pair for u64 {
    fn pair(&self) -> u64 {
        *self
    }

    fn rank(&self) -> u8 {
        0
    }
}

/// The entries of all `lists` in order of (a, b), of each pair the one of least rank, cut into
/// slabs: slab `s` has the pairs with `a >> SLAB_BITS == s`.
pub(super) fn ordered<T: Pair>(lists: Vec<Vec<T>>, rows_a: usize) -> Vec<Vec<T>> {
    let slabs = (rows_a >> SLAB_BITS) + 1;
    let row_a = |item: &T| (item.pair() >> 32) as usize;
    let cut: Vec<Grouped<T>> = lists
        .into_par_iter()
        .filter(|list| !list.is_empty())
        .map(|list| Grouped::new(&[&list], slabs, |item| row_a(item) >> SLAB_BITS))
        .collect();
    (0..slabs)
        .into_par_iter()
        .map(|slab| {
            let parts: Vec<&[T]> = cut.iter().map(|list| list.group(slab)).collect();
            let rows = 1 << SLAB_BITS;
            let mut by_row = Grouped::new(&parts, rows, |item| row_a(item) & (rows - 1));
            for row in 0..rows {
                let items = by_row.group_mut(row);
                if items.len() > 1 {
                    items.sort_unstable_by_key(|item| (item.pair(), item.rank()));
                }
            }
            let mut items = by_row.items;
            items.dedup_by_key(|item| item.pair());
            items.shrink_to_fit();
            items
        })
        .collect()
}

/// The packed pairs of slab `slab`, as a range.
pub(super) fn slab_pairs(slab: usize) -> std::ops::Range<u64> {
    let first = |slab: usize| (slab as u64) << (32 + SLAB_BITS);
    first(slab)..first(slab + 1)
}

/// A pair in one number, in the order of (a, b).
#[inline]
pub(super) fn pack(a: u32, b: u32) -> u64 {
    u64::from(a) << 32 | u64::from(b)
}

/// The pair that [`pack`] packed.
#[inline]
pub(super) fn unpack(pair: u64) -> (u32, u32) {
    ((pair >> 32) as u32, pair as u32)
}
