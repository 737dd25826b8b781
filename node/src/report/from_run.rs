//! A linkage run's findings as the report's plain data.

use linkage_core::candidates::Method;
use linkage_core::decide::fellegi_sunter::{PatternReport, Report};
use linkage_core::schema::Schema;
use linkage_core::{decide, quality, run};

use super::count::{COUNT_MIN, by_size, unless_few};
use super::data::{
    BlockKeyUse, CandidateUse, ClusterSize, CurvePoint, FilterWeights, Histogram, LevelWeights,
    PairQuality, PatternWeights, Quality, Weights,
};
use super::page::{PICTURED_MAX, largest};

/// Most bars of all histograms of a report together, about: beyond it neighbours are merged. A bar
/// takes about 100 bytes in `report.json`, its point of the curve included.
const BARS_MAX: usize = 24_000;

/// For each pair how many neighbouring bars of its histogram are merged into one, so that a report
/// on all of them is not too long: none of the pairs whose pictures are shown.
pub fn merged_bars(pairs: &[run::PairReport]) -> Vec<usize> {
    let bars: usize = pairs.iter().map(|pair| pair.histogram.counts.len()).sum();
    let merged = bars.div_ceil(BARS_MAX).max(1);
    let mut pictured = vec![false; pairs.len()];
    for place in largest(pairs.iter().map(|pair| pair.compared), PICTURED_MAX) {
        if let Some(pictured) = pictured.get_mut(place) {
            *pictured = true;
        }
    }
    let merged = |pictured| if pictured { 1 } else { merged };
    pictured.into_iter().map(merged).collect()
}

/// Clusters by size, sizes that do not occur left out.
pub fn clusters(sizes: &[u64]) -> Vec<ClusterSize> {
    let sizes = (1..).zip(sizes).zip(by_size(sizes));
    sizes
        .filter(|((_, exact), _)| **exact > 0)
        .map(|((size, _), count)| ClusterSize { size, count })
        .collect()
}

/// What a run found out about two owners, without truth: `measured` and `curve` are left empty. Of
/// the histogram, `merged` bars become one ([`merged_bars`]), and so do their points of the curve.
pub fn pair(owners: (String, String), pair: &run::PairReport, merged: usize) -> PairQuality {
    let estimate = &pair.calibration.estimate;
    PairQuality {
        owners,
        histogram: histogram(&pair.histogram, merged),
        threshold: pair.calibration.threshold,
        estimated: Some(Quality {
            precision: estimate.precision,
            recall: estimate.recall,
            f1: estimate.f1,
            f1_interval: pair.calibration.interval.map(|interval| {
                let f1 = |precision: f64, recall: f64| {
                    2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE)
                };
                let ([p_low, p_high], [r_low, r_high]) = (interval.precision, interval.recall);
                // F1 rises with both.
                let (low, high) = (f1(p_low, r_low), f1(p_high, r_high));
                (low, high)
            }),
            ..Quality::default()
        }),
        measured: None,
        curve: vec![],
        estimated_curve: every(curve(&pair.calibration.curve), merged),
        candidates: Some(candidates(pair)),
        weights: match &pair.weights {
            Some(run::Weights::Estimated(report)) => Some(weights(report)),
            Some(run::Weights::Unfit(_)) | None => None,
        },
    }
}

/// Block keys are named by their number until [`name_block_keys`] names them.
fn candidates(pair: &run::PairReport) -> CandidateUse {
    let block_keys = (1..).zip(&pair.block_rules);
    let block_keys = block_keys.map(|(number, count)| BlockKeyUse {
        name: format!("block key {number}"),
        pairs: count.pairs,
        blocks_cut: count.blocks_split,
        pairs_left_out: count.pairs_left_out,
    });
    let bits = pair.token_bits.as_ref();
    CandidateUse {
        method: match pair.method {
            Method::AllPairs => "all pairs",
            Method::Keys => "keys",
            Method::TokenBits => "token bits",
            Method::KeysAndTokenBits => "keys and token bits",
        }
        .to_owned(),
        compared: pair.compared,
        reduction_ratio: pair.reduction_ratio,
        pair_completeness: None,
        keyed: pair.keyed.into(),
        only_keyed: pair.keyed > 0 && pair.keyed == pair.links,
        identity_conflicts: pair.identity_conflicts.into(),
        block_keys: block_keys.collect(),
        token_bits: bits.map(|bits| (bits.bits, bits.tables, bits.count.pairs)),
    }
}

/// Gives the block keys the names that the schema has for them.
pub fn name_block_keys(pair: &mut PairQuality, schema: &Schema) {
    let keys = pair.candidates.iter_mut();
    let keys = keys.flat_map(|candidates| &mut candidates.block_keys);
    for (key, declared) in keys.zip(&schema.block_keys) {
        key.name.clone_from(&declared.name);
    }
}

/// Filters are named by their number until [`name_filters`] names them.
fn weights(report: &Report) -> Weights {
    let filters = (1..)
        .zip(&report.filters)
        .map(|(number, filter)| FilterWeights {
            name: format!("filter {number}"),
            levels: filter
                .levels
                .iter()
                .map(|level| LevelWeights {
                    level: level.level.to_owned(),
                    m: level.m,
                    u: level.u,
                    bits: level.bits,
                })
                .collect(),
        });
    let names = ["A sure link", "A doubtful pair", "Strangers"];
    let examples = names.into_iter().zip(report.examples());
    let example = |(name, pattern): (&str, Option<&PatternReport>)| {
        let pattern = pattern?;
        let levels = pattern.levels.iter().map(|level| (*level).to_owned());
        Some(PatternWeights {
            name: name.to_owned(),
            steps: levels.zip(pattern.bits.iter().copied()).collect(),
            pairs: pattern.pairs,
            links: pattern.links,
        })
    };
    Weights {
        filters: filters.collect(),
        prior_bits: report.prior_bits,
        examples: examples.filter_map(example).collect(),
    }
}

/// Gives the filters the names that the schema has for them.
pub fn name_filters(pair: &mut PairQuality, schema: &Schema) {
    let filters = pair
        .weights
        .iter_mut()
        .flat_map(|weights| &mut weights.filters);
    for (filter, declared) in filters.zip(&schema.filters) {
        filter.name.clone_from(&declared.name);
    }
}

/// Quality counted against truth.
pub fn counted(quality: &quality::Quality) -> Quality {
    Quality {
        precision: quality.precision,
        recall: quality.recall,
        f1: quality.f1,
        f1_interval: None,
        true_links: Some(quality.true_pairs.into()),
        found_links: Some(quality.found.into()),
        correct_links: Some(quality.correct.into()),
    }
}

/// A curve over thresholds.
pub fn curve(points: &[decide::CurvePoint]) -> Vec<CurvePoint> {
    let point = |point: &decide::CurvePoint| CurvePoint {
        threshold: point.threshold,
        precision: point.precision,
        recall: point.recall,
        f1: point.f1,
    };
    points.iter().map(point).collect()
}

/// The first of each `merged` points, and the last of all.
fn every(points: Vec<CurvePoint>, merged: usize) -> Vec<CurvePoint> {
    let last = points.len().saturating_sub(1);
    let kept = |place: usize| place.is_multiple_of(merged.max(1)) || place == last;
    let places = points.into_iter().enumerate();
    places
        .filter_map(|(place, point)| kept(place).then_some(point))
        .collect()
}

/// No bars where there is no range of agreements to divide.
fn histogram(histogram: &run::Histogram, merged: usize) -> Histogram {
    let bars = histogram.counts.len();
    let width = (histogram.to - histogram.from) / bars as f64;
    if bars == 0 || width.is_nan() || width <= 0.0 {
        return Histogram::default();
    }
    let merged = merged.max(1);
    let edge = |bar: usize| histogram.from + width * bar as f64;
    // Counts are withheld after they are merged: fewer are too small then.
    let counts = histogram.counts.chunks(merged);
    let expected = histogram.expected_false.chunks(merged);
    Histogram {
        edges: (0..bars).step_by(merged).chain([bars]).map(edge).collect(),
        counts: counts.map(|bars| unless_few(bars.iter().sum())).collect(),
        k: Some(COUNT_MIN),
        null_counts: Some(expected.map(|bars| bars.iter().sum()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_without_a_range_has_no_bars() {
        let counts = |from: f64| run::Histogram {
            from,
            to: 1.0,
            counts: vec![3, 4],
            expected_false: vec![0.5, 0.0],
        };
        assert!(histogram(&counts(1.0), 1).edges.is_empty());
        assert_eq!(histogram(&counts(0.5), 1).edges, [0.5, 0.75, 1.0]);
    }

    #[test]
    fn merged_bars_keep_their_sums_and_borders() {
        let bars = run::Histogram {
            from: 0.5,
            to: 1.0,
            counts: vec![3, 4, 1, 0, 9],
            expected_false: vec![0.5, 0.25, 0.0, 0.0, 1.0],
        };
        let merged = histogram(&bars, 2);
        assert_eq!(merged.edges.len(), 4);
        for (edge, expected) in merged.edges.iter().zip([0.5, 0.7, 0.9, 1.0]) {
            assert!((edge - expected).abs() < 1e-12, "{edge}");
        }
        assert_eq!(merged.counts, [Some(7), None, Some(9)]);
        assert_eq!(merged.null_counts, Some(vec![0.75, 0.0, 1.0]));
        let point = |threshold| CurvePoint {
            threshold,
            precision: 1.0,
            recall: 1.0,
            f1: 1.0,
        };
        let kept = every([0.5, 0.6, 0.7, 0.8].map(point).into(), 2);
        let kept: Vec<f64> = kept.iter().map(|point| point.threshold).collect();
        assert_eq!(kept, [0.5, 0.7, 0.8]);
    }
}
