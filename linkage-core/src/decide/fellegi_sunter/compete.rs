//! Posterior probabilities where a record has at most one partner per owner: pairs of one record
//! compete.
//!
//! With o the odds of a pair by itself, the probability of a set of pairs of which no two share a
//! record is proportional to the product of their odds. A pair's share of that is exact on chains
//! and trees by passing messages (Bayati, Gamarnik, Katz, Nair, Tetali, "Simple deterministic
//! approximation algorithms for counting matchings", STOC 2007): free(a | b) is the probability
//! that a has no partner among its candidates but b,
//!
//! free(a | b) = 1 / (1 + sum over b' != b of o(a, b') free(b' | a)),
//!
//! and p = o free(a | b) free(b | a) / (1 + o free(a | b) free(b | a)). The first round takes every
//! rival as free, which is the plain rule "odds over the odds of all rivals"; later ones take back
//! the weight of rivals that have a better partner themselves.

use rayon::prelude::*;

/// A pair that may be a link.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contender {
    /// Its index in the list of candidates.
    pub pair: u32,
    /// Row of the first owner.
    pub a: u32,
    /// Row of the second owner.
    pub b: u32,
    /// Odds by itself.
    pub odds: f64,
}

/// Rounds of messages. Groups of rivals are small and mostly trees a few edges deep; an even number
/// ends on the side of caution (rivals then count as too free rather than too taken).
const ROUNDS: usize = 5;

/// A sum that gives back the rest without one of its terms, exactly enough: the largest term is
/// kept apart, as taking it off the sum would leave nothing but rounding.
#[derive(Debug, Clone, Copy, Default)]
struct Terms {
    largest: f64,
    others: f64,
}

impl Terms {
    #[inline]
    fn add(&mut self, term: f64) {
        if term > self.largest {
            self.others += self.largest;
            self.largest = term;
        } else {
            self.others += term;
        }
    }

    /// The sum without `term`, which has been added.
    #[inline]
    fn without(&self, term: f64) -> f64 {
        if term >= self.largest {
            self.others
        } else {
            (self.largest + self.others - term).max(0.0)
        }
    }
}

/// Probability of each contender, in order. With `one_partner` contenders of one record compete;
/// without, each stands for itself. `rows` are the owners' numbers of records.
pub(super) fn posteriors(
    contenders: &[Contender],
    rows: (usize, usize),
    one_partner: bool,
) -> Vec<f64> {
    if !one_partner {
        return contenders.iter().map(|c| c.odds / (1.0 + c.odds)).collect();
    }
    let mut free_a = vec![1.0_f64; contenders.len()];
    let mut free_b = vec![1.0_f64; contenders.len()];
    let (mut of_a, mut of_b) = (
        vec![Terms::default(); rows.0],
        vec![Terms::default(); rows.1],
    );
    for _ in 0..ROUNDS {
        of_a.fill(Terms::default());
        of_b.fill(Terms::default());
        // In the contenders' order, so that sums round alike on any number of threads.
        for ((contender, free_a), free_b) in contenders.iter().zip(&free_a).zip(&free_b) {
            if let Some(terms) = of_a.get_mut(contender.a as usize) {
                terms.add(contender.odds * free_b);
            }
            if let Some(terms) = of_b.get_mut(contender.b as usize) {
                terms.add(contender.odds * free_a);
            }
        }
        let rest = |terms: &[Terms], row: u32, term: f64| {
            let terms = terms.get(row as usize);
            terms.map_or(0.0, |terms| terms.without(term))
        };
        let both = free_a.par_iter_mut().zip(&mut free_b).zip(contenders);
        both.for_each(|((free_a, free_b), contender)| {
            let (term_a, term_b) = (contender.odds * *free_b, contender.odds * *free_a);
            *free_a = 1.0 / (1.0 + rest(&of_a, contender.a, term_a));
            *free_b = 1.0 / (1.0 + rest(&of_b, contender.b, term_b));
        });
    }
    let each = contenders.par_iter().zip(&free_a).zip(&free_b);
    each.map(|((contender, free_a), free_b)| {
        let odds = contender.odds * free_a * free_b;
        odds / (1.0 + odds)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All sets of pairs of which no two share a record, by their odds: each pair's exact share.
    fn exact(contenders: &[Contender]) -> Vec<f64> {
        let (mut all, mut with) = (0.0, vec![0.0; contenders.len()]);
        for set in 0..1_u32 << contenders.len() {
            let chosen: Vec<usize> = (0..contenders.len())
                .filter(|i| set >> i & 1 == 1)
                .collect();
            let share = |x: &usize, y: &usize| {
                let (x, y) = (contenders[*x], contenders[*y]);
                x.a == y.a || x.b == y.b
            };
            let clash = chosen
                .iter()
                .any(|x| chosen.iter().any(|y| x != y && share(x, y)));
            if !clash {
                let odds: f64 = chosen.iter().map(|i| contenders[*i].odds).product();
                all += odds;
                chosen.iter().for_each(|i| with[*i] += odds);
            }
        }
        with.into_iter().map(|sum| sum / all).collect()
    }

    proptest! {
        #[test]
        fn rivals_share_as_their_odds_say(odds in prop::collection::vec(1e-3..1e3_f64, 1..5)) {
            // Rivals for one record: the rule is exact.
            let pair = |(b, odds): (u32, &f64)| Contender { pair: 0, a: 0, b, odds: *odds };
            let contenders: Vec<_> = (0..).zip(&odds).map(pair).collect();
            let found = posteriors(&contenders, (1, 5), true);
            for (found, exact) in found.iter().zip(exact(&contenders)) {
                prop_assert!((found - exact).abs() < 1e-9, "{found} {exact}");
            }
        }

        #[test]
        fn chains_of_rivals_are_settled(odds in prop::collection::vec(-10.0..10.0_f64, 3)) {
            // a0-b0, a1-b0, a1-b1: as deep as the rounds reach.
            let ends = [(0, 0), (1, 0), (1, 1)];
            let pair = |((a, b), bits): ((u32, u32), &f64)| Contender { pair: 0, a, b, odds: bits.exp2() };
            let contenders: Vec<_> = ends.into_iter().zip(&odds).map(pair).collect();
            let found = posteriors(&contenders, (2, 2), true);
            for (found, exact) in found.iter().zip(exact(&contenders)) {
                prop_assert!((found - exact).abs() < 1e-9, "{found} {exact}");
            }
        }

        #[test]
        fn posteriors_are_probabilities(
            pairs in prop::collection::btree_map((0_u32..6, 0_u32..6), -900.0..900.0_f64, 0..30)
        ) {
            let pair = |((a, b), bits): (&(u32, u32), &f64)| Contender { pair: 0, a: *a, b: *b, odds: bits.exp2() };
            let contenders: Vec<_> = pairs.iter().map(pair).collect();
            for one_partner in [true, false] {
                let found = posteriors(&contenders, (6, 6), one_partner);
                prop_assert!(found.iter().all(|p| (0.0..=1.0).contains(p)), "{found:?}");
            }
        }
    }
}
