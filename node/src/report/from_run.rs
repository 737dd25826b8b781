//! A linkage run's findings as the report's plain data.

use linkage_core::{decide, quality, run};

use super::data::{CurvePoint, Histogram, PairQuality, Quality};

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
            ..Quality::default()
        }),
        measured: None,
        curve: vec![],
        estimated_curve: curve(&pair.calibration.curve),
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
        counts: histogram.counts.iter().map(|count| Some(*count)).collect(),
        k: None,
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
