//! How far chance may have moved an estimate: bootstrap intervals.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::estimate::Counts;

/// Draws of a bootstrap. The ends of an interval are then the third draw from below and above.
const DRAWS: u64 = 100;

const OUTSIDE: usize = 2;

/// Counts above this are drawn from a normal curve, which is then close enough to Poisson's.
const COUNT_NORMAL: f64 = 64.0;

/// Where the estimates of precision and recall lie with a probability of about 95 %, if the model
/// is right: bootstrap percentiles (Efron 1979), every count of the evidence redrawn from a Poisson
/// distribution. Errors of the model itself, and pairs that were never compared, are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower and upper end for the precision.
    pub precision: [f64; 2],
    /// Lower and upper end for the recall.
    pub recall: [f64; 2],
}

/// For each of `bars` thresholds the interval of what `estimate` says of redrawn counts: precision
/// and recall by threshold. The draws are always the same.
pub(super) fn intervals(
    counts: &Counts,
    bars: usize,
    estimate: impl Fn(&Counts) -> Vec<(f64, f64)> + Sync,
) -> Vec<Interval> {
    let draws: Vec<Vec<(f64, f64)>> = (0..DRAWS)
        .into_par_iter()
        .map(|seed| estimate(&redrawn(counts, &mut ChaCha20Rng::seed_from_u64(seed))))
        .collect();
    let between = |bar: usize, of: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = draws
            .iter()
            .filter_map(|draw| draw.get(bar).map(of))
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(0.0);
        [
            at(OUTSIDE),
            at((DRAWS as usize - 1).saturating_sub(OUTSIDE)),
        ]
    };
    (0..bars)
        .map(|bar| Interval {
            precision: between(bar, |(precision, _)| *precision),
            recall: between(bar, |(_, recall)| *recall),
        })
        .collect()
}

fn redrawn(counts: &Counts, rng: &mut impl Rng) -> Counts {
    let mut redraw = |counts: &[f64]| counts.iter().map(|mean| poisson(*mean, rng)).collect();
    Counts {
        free: redraw(&counts.free),
        keyed: redraw(&counts.keyed),
        strangers: redraw(&counts.strangers),
        keyed_strangers: redraw(&counts.keyed_strangers),
    }
}

/// A Poisson count: by its arrivals (Knuth), or from twelve uniform numbers as a normal one.
fn poisson(mean: f64, rng: &mut impl Rng) -> f64 {
    if mean > COUNT_NORMAL {
        let sum: f64 = (0..12).map(|_| rng.random::<f64>()).sum();
        return (mean + mean.sqrt() * (sum - 6.0)).round().max(0.0);
    }
    let (end, mut product, mut count) = ((-mean).exp(), rng.random::<f64>(), 0.0);
    while product > end {
        product *= rng.random::<f64>();
        count += 1.0;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_mean_and_variance_of_poisson() {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        for mean in [0.0, 0.5, 20.0, 400.0] {
            let draws: Vec<f64> = (0..4000).map(|_| poisson(mean, &mut rng)).collect();
            let got = draws.iter().sum::<f64>() / 4000.0;
            let variance = draws.iter().map(|d| (d - got).powi(2)).sum::<f64>() / 4000.0;
            assert!(
                (got - mean).abs() <= 5.0 * (mean / 4000.0).sqrt(),
                "{mean}: {got}"
            );
            assert!((variance - mean).abs() <= 0.15 * mean, "{mean}: {variance}");
        }
    }

    #[test]
    fn an_interval_holds_its_estimate_and_narrows_with_the_counts() {
        let width = |scale: f64| {
            let counts = Counts {
                free: vec![100.0 * scale],
                keyed: vec![25.0 * scale],
                strangers: vec![],
                keyed_strangers: vec![],
            };
            let share = |counts: &Counts| {
                let share = counts.keyed[0] / (counts.keyed[0] + counts.free[0]);
                vec![(share, 1.0 - share)]
            };
            let found = intervals(&counts, 1, share);
            let [low, high] = found[0].precision;
            assert!(low < 0.2 && 0.2 < high, "{low} {high}");
            assert!((found[0].recall[0] + high - 1.0).abs() < 1e-12);
            high - low
        };
        // The standard error of the share is 0.036 and 0.0036.
        assert!((0.1..0.18).contains(&width(1.0)));
        assert!((0.01..0.018).contains(&width(100.0)));
    }
}
