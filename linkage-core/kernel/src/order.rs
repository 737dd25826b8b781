//! A register sorted by number of set bits, so that popcounts bound which pairs are possible.

use std::ops::Range;

use crate::rows::Rows;
use crate::rule::Rule;

/// The rows of a register that have a bit set, by number of set bits, then by row.
pub(crate) struct Order<'a> {
    pub(crate) rows: Rows<'a>,
    /// Row numbers.
    pub(crate) ids: Vec<u32>,
    /// Set bits of the row at each place; never falls.
    pub(crate) ones: Vec<u16>,
}

impl<'a> Order<'a> {
    /// Sorts `rows` by counting.
    pub(crate) fn new(rows: Rows<'a>) -> Self {
        let mut next = vec![0_usize; rows.bits() as usize + 1];
        for &ones in rows.ones() {
            if let Some(count) = next.get_mut(usize::from(ones)) {
                *count += 1;
            }
        }
        let mut total = 0;
        for (ones, count) in next.iter_mut().enumerate() {
            let here = if ones == 0 { 0 } else { *count };
            *count = total;
            total += here;
        }
        let mut ids = vec![0; total];
        let mut sorted = vec![0; total];
        for (row, &ones) in (0..).zip(rows.ones()).filter(|(_, ones)| **ones > 0) {
            let Some(place) = next.get_mut(usize::from(ones)) else {
                continue;
            };
            if let (Some(id), Some(count)) = (ids.get_mut(*place), sorted.get_mut(*place)) {
                (*id, *count) = (row, ones);
            }
            *place += 1;
        }
        Self {
            rows,
            ids,
            ones: sorted,
        }
    }

    /// Number of rows with a bit set.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Words of the row at `place`.
    pub(crate) fn token(&self, place: usize) -> &'a [u64] {
        self.rows.token(self.id(place) as usize)
    }

    /// Row number at `place`.
    pub(crate) fn id(&self, place: usize) -> u32 {
        self.ids.get(place).copied().unwrap_or(u32::MAX)
    }

    /// Set bits of the row at `place`.
    pub(crate) fn count(&self, place: usize) -> usize {
        self.ones.get(place).copied().unwrap_or(0).into()
    }

    /// Set bits of the first and the last of `places`, which must not be empty.
    pub(crate) fn counts(&self, places: &Range<usize>) -> (usize, usize) {
        (
            self.count(places.start),
            self.count(places.end.saturating_sub(1)),
        )
    }

    /// The places whose rows can be accepted with a row of `least` to `most` set bits.
    pub(crate) fn window(&self, rule: &Rule, (least, most): (usize, usize)) -> Range<usize> {
        let too_light = |&p: &u16| {
            let p = usize::from(p);
            p < least && !rule.possible(p, least)
        };
        let light_enough = |&p: &u16| {
            let p = usize::from(p);
            p <= most || rule.possible(p, most)
        };
        let start = self.ones.partition_point(too_light);
        start..self.ones.partition_point(light_enough).max(start)
    }
}

/// Cuts `0..len` into pieces of `size`; the last may be shorter.
pub(crate) fn pieces(len: usize, size: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    (0..len.div_ceil(size)).map(move |i| i * size..((i + 1) * size).min(len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rule::Measure;

    proptest! {
        #[test]
        fn a_window_is_exactly_what_is_possible(
            ones in prop::collection::vec(0..=100u16, 0..40),
            least in 1..=100usize,
            more in 0..20usize,
            threshold in 0.0..=1.0f64,
            dice in any::<bool>(),
        ) {
            let words = vec![0; ones.len() * 2];
            let order = Order::new(Rows::new(&words, &ones, 100).unwrap());
            let measure = if dice { Measure::Dice } else { Measure::Hamming };
            let rule = Rule::new(measure, threshold, 100).unwrap();
            let most = (least + more).min(100);
            let window = order.window(&rule, (least, most));
            for place in 0..order.len() {
                let possible = (least..=most).any(|q| rule.possible(order.count(place), q));
                prop_assert_eq!(window.contains(&place), possible);
            }
        }

        #[test]
        fn an_order_is_stable_and_leaves_out_the_empty(
            ones in prop::collection::vec(0..=9u16, 0..60),
        ) {
            let words = vec![0; ones.len()];
            let order = Order::new(Rows::new(&words, &ones, 9).unwrap());
            let mut expected: Vec<u32> = (0..ones.len() as u32)
                .filter(|&row| ones[row as usize] > 0)
                .collect();
            expected.sort_by_key(|&row| ones[row as usize]);
            prop_assert_eq!(&order.ids, &expected);
            prop_assert!(order.ones.iter().zip(&expected).all(|(&p, &r)| p == ones[r as usize]));
        }
    }
}
