//! A linkage run's findings as the report's plain data.

use linkage_core::candidates::Method;
use linkage_core::decide::fellegi_sunter::{PatternReport, Report};
use linkage_core::schema::Schema;
use linkage_core::{decide, quality, run};

use super::data::{
    BlockKeyUse, COUNT_MIN, CandidateUse, CurvePoint, FilterWeights, Histogram, LevelWeights,
    PairQuality, PatternWeights, Quality, Weights, unless_few,
};

/// What a run found out about two owners, without truth: `measured` and `curve` are left empty.
pub fn pair(owners: (String, String), pair: &run::PairReport) -> PairQuality {
    let estimate = &pair.calibration.estimate;
    PairQuality {
        owners,
        histogram: histogram(&pair.histogram),
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
        estimated_curve: curve(&pair.calibration.curve),
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
        keyed: pair.keyed,
        identity_conflicts: pair.identity_conflicts,
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
        true_links: Some(quality.true_pairs),
        found_links: Some(quality.found),
        correct_links: Some(quality.correct),
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

/// No bars where there is no range of agreements to divide.
fn histogram(histogram: &run::Histogram) -> Histogram {
    let bars = histogram.counts.len();
    let width = (histogram.to - histogram.from) / bars as f64;
    if bars == 0 || width.is_nan() || width <= 0.0 {
        return Histogram::default();
    }
    let edge = |bar: usize| histogram.from + width * bar as f64;
    Histogram {
        edges: (0..=bars).map(edge).collect(),
        counts: histogram.counts.iter().copied().map(unless_few).collect(),
        k: Some(COUNT_MIN),
        null_counts: Some(histogram.expected_false.clone()),
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
        assert!(histogram(&counts(1.0)).edges.is_empty());
        assert_eq!(histogram(&counts(0.5)).edges, [0.5, 0.75, 1.0]);
    }
}
