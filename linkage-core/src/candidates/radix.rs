//! Grouping by counting: the step that joins and the ordering of pairs are made of.
//!
//! Items are dealt into groups by some bits of theirs, first chunk by chunk (in parallel), then
//! each group again by further bits until what is left together is next to nothing. Two such rounds
//! replace a comparison sort, and each touches memory in few places at a time (radix partitioning
//! as in Manegold, Boncz, Kersten, "Optimizing main-memory join on modern hardware", TKDE 2002).

#![allow(
    clippy::indexing_slicing,
    reason = "groups are clamped below their number and offsets are sums of what was counted"
)]

/// Items of group `g` are `items[bounds[g]..bounds[g + 1]]`, in the order in which they came.
#[derive(Debug)]
pub(super) struct Grouped<T> {
    pub items: Vec<T>,
    bounds: Vec<usize>,
}

impl<T: Copy + Default> Grouped<T> {
    /// Deals the items of `parts`, one part after the other, into `groups` groups.
    pub fn new(parts: &[&[T]], groups: usize, group_of: impl Fn(&T) -> usize) -> Self {
        let last = groups.max(1) - 1;
        let mut bounds = vec![0; last + 2];
        for item in parts.iter().copied().flatten() {
            bounds[group_of(item).min(last) + 1] += 1;
        }
        for group in 0..=last {
            bounds[group + 1] += bounds[group];
        }
        let mut next = bounds.clone();
        let mut items = vec![T::default(); bounds[last + 1]];
        for item in parts.iter().copied().flatten() {
            let at = &mut next[group_of(item).min(last)];
            items[*at] = *item;
            *at += 1;
        }
        Self { items, bounds }
    }

    pub fn group(&self, group: usize) -> &[T] {
        &self.items[self.bounds[group]..self.bounds[group + 1]]
    }

    pub fn group_mut(&mut self, group: usize) -> &mut [T] {
        &mut self.items[self.bounds[group]..self.bounds[group + 1]]
    }
}

/// Bits `skip..skip + bits` of `hash`, counted from its top; `bits` is 1 or more.
#[inline]
pub(super) fn top_bits(hash: u64, skip: u32, bits: u32) -> usize {
    ((hash << skip) >> (64 - bits)) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn grouping_is_a_stable_sort(items in prop::collection::vec((0_usize..9, any::<u8>()), 0..80), cut in 0_usize..80) {
            let (first, second) = items.split_at(cut.min(items.len()));
            let grouped = Grouped::new(&[first, second], 7, |item| item.0);
            let mut expected = items.clone();
            expected.sort_by_key(|item| item.0.min(6));
            prop_assert_eq!(&grouped.items, &expected);
            for group in 0..7 {
                prop_assert!(grouped.group(group).iter().all(|item| item.0.min(6) == group));
            }
        }
    }

    #[test]
    fn top_bits_are_taken_from_the_top() {
        assert_eq!(top_bits(0b1011 << 60, 0, 4), 0b1011);
        assert_eq!(top_bits(0b1011 << 60, 1, 2), 0b01);
    }
}
