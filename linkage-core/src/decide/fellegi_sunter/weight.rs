//! Probabilities of agreement levels and what they weigh.

use super::level::{LEVELS, Level, Pattern};

/// Numbers by level, [`Level::Missing`] unused.
pub type ByLevel = [f64; LEVELS];

/// Least probability of a level among records of one person. A level that was never seen there
/// speaks against a link by at most ten bits against one that is common: a clerk's slip in one
/// field must not outvote five that agree.
const M_MIN: f64 = 1e-3;

/// Imagined pairs of one person behind the first guess of m, whose share fades as real ones come.
const M_PRIOR_PAIRS: f64 = 5.0;

/// What fields of registers are like before anything is known of these: nine in ten equal, of the
/// rest most nearly so or altogether different.
const M_PRIOR: ByLevel = [0.0, 0.88, 0.03, 0.02, 0.015, 0.015, 0.04, 0.004];

/// Imagined pairs of strangers at each level of the random sample: a level that no pair of it
/// shows is rare, not impossible.
const U_PRIOR_PAIRS: f64 = 0.5;

/// One filter's model.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Probability of each level among records of one person that both have a value.
    pub m: ByLevel,
    /// The same among strangers.
    pub u: ByLevel,
    /// Match weight of each level in bits, log2(m / u), falling from [`Level::Exact`] to
    /// [`Level::Apart`]; 0 for [`Level::Missing`].
    pub bits: ByLevel,
}

impl Filter {
    fn new(m: ByLevel, u: ByLevel) -> Self {
        Self {
            m,
            u,
            bits: monotone(&m, &u),
        }
    }
}

/// The model of all filters.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights(Vec<Filter>);

impl Weights {
    /// The first guess: m as registers usually are, u as counted.
    pub(super) fn first(strangers: &[Count]) -> Self {
        let none = |count: &Count| Count {
            pairs: [0.0; LEVELS],
            ..*count
        };
        let none: Vec<Count> = strangers.iter().map(none).collect();
        Self::estimated(&none, strangers)
    }

    /// From numbers of pairs by level, filter by filter: records of one person, and strangers.
    pub(super) fn estimated(matched: &[Count], strangers: &[Count]) -> Self {
        let filter = |(matched, strangers): (&Count, &Count)| {
            let mut m = [0.0; LEVELS];
            let levels = if matched.swaps { LEVELS } else { LEVELS - 1 };
            for (m, (count, prior)) in m
                .iter_mut()
                .zip(matched.pairs.iter().zip(M_PRIOR))
                .take(levels)
            {
                *m = count.max(0.0) + M_PRIOR_PAIRS * prior;
            }
            m[0] = 0.0;
            let mut u = strangers.pairs;
            u[0] = 0.0;
            scale(&mut m);
            m.iter_mut()
                .take(levels)
                .skip(1)
                .for_each(|m| *m = m.max(M_MIN));
            scale(&mut m);
            scale(&mut u);
            Filter::new(m, u)
        };
        Self(matched.iter().zip(strangers).map(filter).collect())
    }

    /// The filters' models, in order.
    pub fn filters(&self) -> &[Filter] {
        &self.0
    }

    /// Sum of the weights of a pattern's levels, in bits.
    pub fn of(&self, pattern: Pattern) -> f64 {
        let weight = |(at, filter): (usize, &Filter)| {
            let bits = filter.bits.get(pattern.level(at));
            bits.copied().unwrap_or(0.0)
        };
        self.0.iter().enumerate().map(weight).sum()
    }

    /// Largest difference of any m between two models.
    pub fn distance(&self, other: &Self) -> f64 {
        let both = self.0.iter().zip(&other.0);
        let each = both.flat_map(|(x, y)| x.m.iter().zip(&y.m));
        each.map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
    }
}

/// Numbers of pairs by level of one filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Count {
    /// By level; not those of [`Level::Missing`].
    pub pairs: ByLevel,
    /// Whether the filter can be found swapped.
    pub swaps: bool,
}

impl Count {
    /// No pair.
    pub fn new(swaps: bool) -> Self {
        Self {
            pairs: [0.0; LEVELS],
            swaps,
        }
    }

    /// Adds `pairs` of the level with this number.
    #[inline]
    pub fn add(&mut self, level: usize, pairs: f64) {
        if let Some(count) = self.pairs.get_mut(level) {
            *count += pairs;
        }
    }

    /// Adds `scale` times the pairs of a sample, and of each level the imagined ones.
    pub fn add_sample(&mut self, sample: &Self, scale: f64) {
        let levels = if self.swaps { LEVELS } else { LEVELS - 1 };
        let both = self.pairs.iter_mut().zip(sample.pairs);
        for (count, sampled) in both.take(levels).skip(1) {
            *count += scale * (sampled + U_PRIOR_PAIRS);
        }
    }
}

fn scale(shares: &mut ByLevel) {
    let sum: f64 = shares.iter().sum();
    if sum > 0.0 {
        shares.iter_mut().for_each(|share| *share /= sum);
    }
}

/// log2(m / u) by level, where a level weighs no less than those below it on the scale: neighbours
/// out of order are pooled (pool adjacent violators, Ayer et al., Annals of Mathematical Statistics
/// 26, 1955), which is what keeps a nearly empty level from weighing what chance gave it.
fn monotone(m: &ByLevel, u: &ByLevel) -> ByLevel {
    struct Pool {
        m: f64,
        u: f64,
        levels: usize,
    }
    let ratio = |pool: &Pool| pool.m / pool.u.max(f64::MIN_POSITIVE);
    let mut pools: Vec<Pool> = Vec::with_capacity(LEVELS);
    for level in Level::SCALE {
        let of = |shares: &ByLevel| shares.get(level).copied().unwrap_or(0.0);
        let mut pool = Pool {
            m: of(m),
            u: of(u),
            levels: 1,
        };
        while let Some(before) = pools.pop_if(|before| ratio(before) <= ratio(&pool)) {
            pool = Pool {
                m: before.m + pool.m,
                u: before.u + pool.u,
                levels: before.levels + pool.levels,
            };
        }
        pools.push(pool);
    }
    let pooled = pools
        .iter()
        .flat_map(|pool| std::iter::repeat_n(log_ratio(pool.m, pool.u), pool.levels));
    let mut bits = [0.0; LEVELS];
    bits.iter_mut()
        .skip(1)
        .zip(pooled)
        .for_each(|(to, from)| *to = from);
    let swapped = Level::Swapped as usize;
    if let (Some(to), Some(m), Some(u)) = (bits.get_mut(swapped), m.get(swapped), u.get(swapped)) {
        *to = log_ratio(*m, *u);
    }
    bits
}

/// log2(m / u); 0 where nothing is known of either.
fn log_ratio(m: f64, u: f64) -> f64 {
    if m > 0.0 && u > 0.0 {
        (m / u).log2()
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(pairs: ByLevel) -> Count {
        Count { pairs, swaps: true }
    }

    fn sampled(pairs: ByLevel) -> Count {
        let mut all = Count::new(true);
        all.add_sample(&count(pairs), 1.0);
        all
    }

    fn counts() -> impl Strategy<Value = ByLevel> {
        prop::array::uniform8(prop_oneof![Just(0.0), 0.0..1e6_f64])
    }

    proptest! {
        #[test]
        fn weights_fall_along_the_scale_and_stay_finite(m in counts(), u in counts()) {
            let weights = Weights::estimated(&[count(m)], &[sampled(u)]);
            let filter = &weights.filters()[0];
            for (higher, lower) in Level::SCALE.zip(Level::SCALE.skip(1)) {
                prop_assert!(filter.bits[higher] >= filter.bits[lower]);
            }
            prop_assert!(filter.bits.iter().all(|bits| bits.is_finite()));
            prop_assert!((filter.m.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            prop_assert!((filter.u.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            prop_assert!(filter.m.iter().skip(1).all(|m| *m > 0.5 * M_MIN));
            prop_assert!(filter.bits[0].abs() < f64::EPSILON);
        }
    }

    #[test]
    fn a_filter_that_swaps_with_none_has_no_such_level() {
        let none = Count::new(false);
        let mut strangers = none;
        strangers.add_sample(&none, 1.0);
        let weights = Weights::estimated(&[none], &[strangers]);
        let filter = &weights.filters()[0];
        assert!(filter.m[7] + filter.u[7] + filter.bits[7].abs() < f64::EPSILON);
    }

    #[test]
    fn ordered_levels_keep_their_own_weights() {
        let m = [0.0, 8000.0, 1000.0, 500.0, 250.0, 150.0, 100.0, 0.0];
        let u = [0.0, 10.0, 20.0, 40.0, 80.0, 850.0, 9000.0, 0.0];
        let weights = Weights::estimated(&[count(m)], &[sampled(u)]);
        let filter = &weights.filters()[0];
        for level in Level::SCALE {
            let own = (filter.m[level] / filter.u[level]).log2();
            assert!((filter.bits[level] - own).abs() < 1e-9);
        }
    }

    #[test]
    fn a_nearly_empty_level_is_pooled_with_its_neighbour() {
        // No pair of one person is `Close`, and hardly a stranger.
        let m = [0.0, 9000.0, 0.0, 800.0, 0.0, 0.0, 200.0, 0.0];
        let u = [0.0, 10.0, 1.0, 100.0, 100.0, 1000.0, 9000.0, 0.0];
        let weights = Weights::estimated(&[count(m)], &[sampled(u)]);
        let bits = weights.filters()[0].bits;
        assert!((bits[2] - bits[3]).abs() < 1e-12, "{bits:?}");
        assert!(bits[2] > 2.0 && bits[1] > bits[2], "{bits:?}");
    }

    #[test]
    fn a_pattern_weighs_the_sum_of_its_levels() {
        let m = [0.0, 900.0, 20.0, 20.0, 20.0, 20.0, 20.0, 0.0];
        let u = [0.0, 10.0, 10.0, 10.0, 10.0, 10.0, 950.0, 0.0];
        let weights = Weights::estimated(&[count(m), count(m)], &[count(u), count(u)]);
        let bits = weights.filters()[0].bits;
        let pattern = Pattern::new([Level::Exact, Level::Apart]);
        assert!((weights.of(pattern) - bits[1] - bits[6]).abs() < 1e-12);
        let half = Pattern::new([Level::Exact, Level::Missing]);
        assert!((weights.of(half) - bits[1]).abs() < 1e-12);
    }
}
