//! How many positions a table draws and how many tables there are.
//!
//! The pairs sought are those of at least a stated agreement. A sample of them says how many
//! positions such pairs differ in, hence how many tables find them; a sample of all records says
//! how many strangers meet. Of the numbers of bits, the one that costs least is taken.

use rayon::prelude::*;

use super::join::{Deal, Dealt, Join};
use super::keyed::Sides;
use super::linked::Linked;
use super::lsh::{Distance, Draws, Tables};
use super::order::unpack;
use super::plan::Costs;
use super::score::Scorer;
use crate::encode::Columns;
use crate::schema::CandidateSettings;

/// Comparisons spent on finding pairs to learn from: half a second to four.
const EVIDENCE_COMPARISONS: usize = 400_000_000;

/// Fewest rows whose pairs are looked for, however many comparisons that takes.
const EVIDENCE_ROWS_MIN: usize = 100;

/// Most pairs learnt from.
const EVIDENCE_PAIRS_MAX: usize = 2000;

/// Fewest pairs learnt from. Below, all pairs sought are taken to be as far apart as they may be,
/// which asks for more tables than needed.
const EVIDENCE_PAIRS_MIN: usize = 16;

/// Rows of either side among which meetings of strangers are counted: at one meeting in 10^6 pairs,
/// a thousand are seen.
const STRANGER_ROWS: usize = 1 << 15;

/// Range of the bits of a table. Below 8, buckets hold a large part of all records.
const BITS: std::ops::RangeInclusive<u32> = 8..=28;

/// Most tables. Where more would be needed, the report's recall says what these reach.
const TABLES_MAX: u32 = 256;

impl Tables {
    /// Chooses for two sides.
    pub fn choose(
        (a, b, side): Sides<'_, '_>,
        draws: &Draws,
        settings: &CandidateSettings,
        costs: &Costs,
    ) -> Self {
        let distances = distances((a, b, side), draws, settings.lsh_agreement());
        let meetings = meetings(a, b, draws);
        let entries = (a.len() + b.len()) as f64;
        let all = a.len() as f64 * b.len() as f64;
        let options = BITS.zip(meetings).map(|(bits, met)| {
            let (count, recall) = tables(draws, &distances, bits, settings.lsh_recall());
            let pairs = met * all * f64::from(count);
            let seconds = costs.pass_seconds(entries, f64::from(count), pairs, a.width());
            let tables = Self {
                bits,
                count,
                recall,
                pairs,
            };
            (seconds, tables)
        });
        // Of those that reach the recall the cheapest; if none does, the one that comes closest.
        let key = |(seconds, tables): &(f64, Self)| {
            let short = (settings.lsh_recall() - tables.recall).max(0.0);
            (short, *seconds)
        };
        let best = options.reduce(|x, y| if key(&y) < key(&x) { y } else { x });
        best.map_or(
            Self {
                bits: *BITS.start(),
                count: 1,
                recall: 0.0,
                pairs: all,
            },
            |(_, tables)| tables,
        )
    }
}

/// Fewest tables that find a share `target` of pairs with these distances, and the share found.
fn tables(draws: &Draws, distances: &[f64], bits: u32, target: f64) -> (u32, f64) {
    let missed: Vec<f64> = distances
        .iter()
        .map(|differing| 1.0 - draws.meet(*differing, bits))
        .collect();
    let recall = |count: u32| 1.0 - lost(missed.iter().map(|missed| missed.powi(count as i32)));
    let (mut low, mut high) = (1, TABLES_MAX);
    while low < high {
        let middle = low.midpoint(high);
        if recall(middle) >= target {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    (low, recall(low))
}

/// Mean of the shares lost, and one standard error of it: few pairs know it badly.
fn lost(shares: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = shares.clone().count().max(1) as f64;
    let mean = shares.clone().sum::<f64>() / count;
    let variance = shares.map(|share| (share - mean).powi(2)).sum::<f64>() / count;
    mean + (variance / count).sqrt()
}

/// Numbers of positions at which pairs of at least this agreement differ: of pairs that share a
/// link key, or of those that some rows of the one side have on the other.
fn distances((a, b, side): Sides<'_, '_>, draws: &Draws, agreement: f64) -> Vec<f64> {
    let scorer = Scorer::new(a, b, side, agreement);
    let mut pairs = linked_pairs((a, b, side), &scorer);
    if pairs.len() < EVIDENCE_PAIRS_MIN {
        pairs = sampled_pairs(a.len(), b.len(), &scorer);
    }
    if pairs.len() < EVIDENCE_PAIRS_MIN {
        return vec![Distance::new(a, b, draws).at(agreement)];
    }
    let step = pairs.len().div_ceil(EVIDENCE_PAIRS_MAX);
    pairs
        .into_iter()
        .step_by(step)
        .map(|(row_a, row_b)| {
            let (token_a, token_b) = (a.token(row_a as usize), b.token(row_b as usize));
            draws.differing(token_a, token_b) as f64
        })
        .collect()
}

fn linked_pairs(sides: Sides<'_, '_>, scorer: &Scorer<'_>) -> Vec<(u32, u32)> {
    let linked = Linked::find(sides, super::Prefilter::Off);
    let pairs = linked.links.iter().map(|link| unpack(link.pair));
    pairs
        .filter(|(a, b)| scorer.pair(*a, *b) >= scorer.floor)
        .collect()
}

/// The pairs that evenly spread rows of the first side have on the second.
fn sampled_pairs(rows_a: usize, rows_b: usize, scorer: &Scorer<'_>) -> Vec<(u32, u32)> {
    let rows = (EVIDENCE_COMPARISONS / rows_b.max(1)).clamp(EVIDENCE_ROWS_MIN, EVIDENCE_PAIRS_MAX);
    let step = rows_a.div_ceil(rows).max(1);
    let rows: Vec<usize> = (0..rows_a).step_by(step).collect();
    let tiles: Vec<usize> = (0..rows_b).step_by(1 << 14).collect();
    let mut pairs: Vec<(u32, u32)> = tiles
        .into_par_iter()
        .flat_map_iter(|first| {
            let tile = first..rows_b.min(first + (1 << 14));
            let mut found = Vec::new();
            for row in &rows {
                scorer.ranges(*row..row + 1, tile.clone(), &mut |a, b, _| {
                    found.push((a, b));
                });
            }
            found
        })
        .collect();
    pairs.sort_unstable();
    pairs
}

/// Share of all pairs that meet in a table, for each number of bits.
fn meetings(a: &Columns<'_>, b: &Columns<'_>, draws: &Draws) -> Vec<f64> {
    let step = |columns: &Columns<'_>| columns.len().div_ceil(STRANGER_ROWS).max(1);
    let (step_a, step_b) = (step(a), step(b));
    let (rows_a, rows_b) = (a.len().div_ceil(step_a), b.len().div_ceil(step_b));
    let all = (rows_a as f64 * rows_b as f64).max(1.0);
    let bits: Vec<u32> = BITS.collect();
    bits.into_par_iter()
        .map(|bits| {
            let mask = draws.mask(0, bits);
            let deal = Deal::whole(rows_a.max(rows_b));
            let join = Join {
                a: Dealt::new(rows_a, deal, |row| mask.key(a, row * step_a)),
                b: Some(Dealt::new(rows_b, deal, |row| mask.key(b, row * step_b))),
            };
            let met = join.runs(
                || 0.0,
                |sum, rows_a, rows_b| *sum += rows_a.len() as f64 * rows_b.len() as f64,
            );
            met.iter().sum::<f64>() / all
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_reach_the_target_and_no_more_are_taken() {
        let draws = Draws::of_positions(256);
        for bits in [8, 16, 20] {
            let distances = [10.0, 25.0, 40.0];
            let (count, recall) = tables(&draws, &distances, bits, 0.99);
            assert!(recall >= 0.99);
            let missed = |n: i32| {
                let shares = distances.map(|d| (1.0 - draws.meet(d, bits)).powi(n));
                lost(shares.into_iter())
            };
            assert!(1.0 - missed(count as i32 - 1) < 0.99, "one table fewer");
        }
    }

    #[test]
    fn what_few_pairs_say_is_taken_with_a_margin() {
        assert!((lost([0.2; 5].into_iter()) - 0.2).abs() < 1e-12);
        // Standard deviation 0.5; of the mean of four, 0.25.
        assert!((lost([0.0, 1.0, 0.0, 1.0].into_iter()) - 0.75).abs() < 1e-12);
        assert!(lost(std::iter::empty()).abs() < 1e-12);
    }

    #[test]
    fn a_target_out_of_reach_is_reported_as_such() {
        let draws = Draws::of_positions(256);
        let (count, recall) = tables(&draws, &[128.0], 28, 0.99);
        assert_eq!(count, TABLES_MAX);
        assert!(recall < 0.99);
    }
}
