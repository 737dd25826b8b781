//! How many links are right, from the pairs alone: two components, where no sample of strangers is
//! at hand.
//!
//! One data set searched for duplicates has no strangers apart from the pairs in question. Most of
//! these are strangers all the same: they make the highest bar and what lies next to it. A normal
//! curve fitted to that bulk (log-quadratic, by Poisson regression, McCullagh and Nelder 1989) goes
//! on under the pairs that agree more; what is above it there are true pairs. Those under the bulk
//! itself are taken from the pairs that share a link key, as in `estimate`. Strangers with a longer
//! tail than a normal curve's, such as families at one address, are missed.

use super::estimate::{Estimate, buried, clearest};
use super::scores::from_here_on;

/// Share of the highest bar at which the bulk is taken to end. Below 5 % true pairs get into it,
/// above 10 % little of its slope is left.
const BULK_END: f64 = 0.07;

/// The true pairs found are taken off the bulk, and the bulk fitted again; three to five rounds
/// change nothing more.
const ROUNDS: usize = 10;

/// Newton steps of one fit.
const STEPS: usize = 30;

/// Fits the bulk of `free`, counts of pairs without a link key by bar with these middles, and
/// splits what is above it from it. All `keyed` pairs are taken to be right.
pub(super) fn estimate(free: &[f64], keyed: &[f64], middles: &[f64]) -> Estimate {
    let mode = highest(free);
    let mut true_pairs = vec![0.0; free.len()];
    let mut false_links = from_here_on(free);
    let mut true_free = 0.0;
    for _ in 0..ROUNDS {
        let rest: Vec<f64> = free
            .iter()
            .zip(&true_pairs)
            .map(|(found, right)| (found - right).max(0.0))
            .collect();
        let Some((first, last, strangers)) = bulk(&rest, mode, middles) else {
            break;
        };
        // Below the bulk all are strangers, whatever the curve says.
        let by_bar: Vec<f64> = (free.iter().zip(&strangers).enumerate())
            .map(|(bar, (found, curve))| if bar < first { *found } else { *curve })
            .collect();
        false_links = from_here_on(&by_bar);
        let found = from_here_on(free);
        let clear = clearest(&found, &false_links, |bar| bar >= last);
        let at = |values: &[f64]| values.get(clear).copied().unwrap_or(0.0);
        true_pairs = (free.iter().zip(&by_bar).enumerate())
            .map(|(bar, (found, strangers))| match bar {
                bar if bar < clear => 0.0,
                _ => (found - strangers).max(0.0),
            })
            .collect();
        let counted = (at(&found) - at(&false_links)).max(0.0);
        let room = |bar: usize| found.get(bar).map_or(0.0, |found| found - counted);
        true_free = counted + buried(&mut true_pairs, keyed, clear, room);
    }
    Estimate {
        false_links,
        true_free,
        keyed_right: keyed.iter().sum(),
        duplicates: 0.0,
    }
}

/// The bar that is highest when each is averaged with its neighbours.
fn highest(counts: &[f64]) -> usize {
    let mut best = (0.0, 0);
    for (bar, height) in smooth(counts).into_iter().enumerate() {
        if height > best.0 {
            best = (height, bar);
        }
    }
    best.1
}

fn smooth(counts: &[f64]) -> Vec<f64> {
    let at = |bar: Option<usize>| bar.and_then(|bar| counts.get(bar)).copied().unwrap_or(0.0);
    (0..counts.len())
        .map(|bar| (at(bar.checked_sub(1)) + at(Some(bar)) + at(Some(bar + 1))) / 3.0)
        .collect()
}

/// The bulk's first bar and its curve at every bar; none where there is too little to fit.
fn bulk(counts: &[f64], mode: usize, middles: &[f64]) -> Option<(usize, usize, Vec<f64>)> {
    let heights = smooth(counts);
    let end = BULK_END * heights.get(mode)?;
    let fallen = heights
        .iter()
        .skip(mode + 1)
        .position(|height| *height <= end);
    let width = fallen.unwrap_or(heights.len() - mode - 1) + 1;
    let first = mode.saturating_sub(width);
    let last = (mode + width + 1).min(counts.len());
    let some = counts
        .get(first..last)?
        .iter()
        .zip(middles.get(first..last)?);
    let points: Vec<(f64, f64)> = some.map(|(count, middle)| (*middle, *count)).collect();
    let curve = Curve::fit(&points)?;
    Some((first, last, middles.iter().map(|x| curve.at(*x)).collect()))
}

/// exp(c + d z + e z^2), e <= 0, with z the distance from a centre by a scale.
struct Curve {
    centre: f64,
    scale: f64,
    terms: [f64; 3],
}

impl Curve {
    /// The most likely curve for Poisson counts at some places.
    fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let ((first, _), (last, _)) = (points.first()?, points.last()?);
        let mean = points.iter().map(|(_, count)| count).sum::<f64>() / points.len() as f64;
        let mut curve = Self {
            centre: f64::midpoint(*first, *last),
            scale: ((last - first) / 2.0).max(f64::EPSILON),
            terms: [mean.max(0.5).ln(), 0.0, -1.0],
        };
        (0..STEPS).for_each(|_| curve.newton(points, 3));
        if curve.terms[2] > 0.0 {
            curve.terms = [mean.max(0.5).ln(), 0.0, 0.0];
            (0..STEPS).for_each(|_| curve.newton(points, 2));
        }
        Some(curve)
    }

    fn powers(&self, x: f64) -> [f64; 3] {
        let z = (x - self.centre) / self.scale;
        [1.0, z, z * z]
    }

    fn at(&self, x: f64) -> f64 {
        let sum: f64 = self
            .powers(x)
            .iter()
            .zip(self.terms)
            .map(|(z, c)| z * c)
            .sum();
        sum.clamp(-30.0, 30.0).exp()
    }

    /// One step towards the most likely first `count` terms.
    fn newton(&mut self, points: &[(f64, f64)], count: usize) {
        let (mut slope, mut bend) = ([0.0; 3], [[0.0; 3]; 3]);
        for (x, found) in points {
            let (expected, powers) = (self.at(*x), self.powers(*x));
            for (power, (slope, bend)) in powers.iter().zip(slope.iter_mut().zip(&mut bend)) {
                *slope += power * (found - expected);
                for (other, cell) in powers.iter().zip(bend) {
                    *cell += power * other * expected;
                }
            }
        }
        for (at, (slope, row)) in slope.iter_mut().zip(&mut bend).enumerate() {
            // Keeps the system solvable where the data say nothing of a term, or it is held fixed.
            if let Some(cell) = row.get_mut(at) {
                *cell += if at < count { 1e-6 } else { 1e30 };
            }
            *slope -= if at < count { 0.0 } else { *slope };
        }
        let step = solve(bend, slope);
        let longest = step.iter().fold(0.0_f64, |most, part| most.max(part.abs()));
        let short = (2.0 / longest.max(2.0)).min(1.0);
        for (term, part) in self.terms.iter_mut().zip(step) {
            *term += part * short;
        }
    }
}

/// Solves a symmetric positive definite system of three equations by Cramer's rule.
fn solve(m: [[f64; 3]; 3], y: [f64; 3]) -> [f64; 3] {
    let determinant = |[a, b, c]: [[f64; 3]; 3]| {
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
            + a[2] * (b[0] * c[1] - b[1] * c[0])
    };
    let whole = determinant(m);
    if !whole.is_normal() {
        return [0.0; 3];
    }
    // The matrix is symmetric: rows may be replaced where the rule replaces columns.
    let [a, b, c] = m;
    [[y, b, c], [a, y, c], [a, b, y]].map(|replaced| determinant(replaced) / whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn middles() -> Vec<f64> {
        (0..100).map(|bar| 0.5 + f64::from(bar) / 200.0).collect()
    }

    fn bell(height: f64, mean: f64, sd: f64) -> Vec<f64> {
        let at = |x: &f64| (height * (-((x - mean) / sd).powi(2) / 2.0).exp()).round();
        middles().iter().map(at).collect()
    }

    #[test]
    fn a_bulk_of_strangers_is_told_from_true_pairs() {
        let (strangers, right) = (bell(1000.0, 0.58, 0.02), bell(60.0, 0.8, 0.05));
        let free: Vec<f64> = strangers.iter().zip(&right).map(|(s, r)| s + r).collect();
        let found = estimate(&free, &[0.1; 100], &middles());
        let true_free: f64 = right.iter().sum();
        assert!(
            (found.true_free / true_free - 1.0).abs() < 0.03,
            "{found:?}"
        );
        assert!((found.keyed_right - 10.0).abs() < 1e-9);
        for bar in [25, 30, 35] {
            let expected: f64 = strangers[bar..].iter().sum();
            let off = (found.false_links[bar] - expected).abs();
            assert!(off < 5.0 + 0.1 * expected, "{bar}: {off} of {expected}");
        }
    }

    #[test]
    fn a_falling_tail_is_a_bulk_too() {
        let strangers: Vec<f64> = (0..100)
            .map(|bar| (1e4 * 0.7_f64.powi(bar)).round())
            .collect();
        let right = bell(60.0, 0.8, 0.05);
        let free: Vec<f64> = strangers.iter().zip(&right).map(|(s, r)| s + r).collect();
        let found = estimate(&free, &[0.0; 100], &middles());
        let true_free: f64 = right.iter().sum();
        assert!(
            (found.true_free / true_free - 1.0).abs() < 0.05,
            "{found:?}"
        );
    }

    proptest! {
        #[test]
        fn any_counts_give_finite_estimates(
            free in prop::collection::vec(0_u32..5000, 0..100),
            keyed in prop::collection::vec(0_u32..50, 100),
        ) {
            let keyed: Vec<f64> = keyed.into_iter().map(f64::from).collect();
            let free: Vec<f64> = free.into_iter().map(f64::from).collect();
            let found = estimate(&free, &keyed[..free.len()], &middles()[..free.len()]);
            prop_assert!(found.true_free.is_finite() && found.true_free >= 0.0);
            prop_assert!(found.false_links.iter().all(|count| count.is_finite() && *count >= 0.0));
        }
    }
}
