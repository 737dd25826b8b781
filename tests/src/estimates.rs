//! What a run says of its own quality, against the truth.

use anyhow::{Context, Result, ensure};
use linkage_core::quality::{Quality, Truth};
use linkage_core::run::{Outcome, PairReport};

/// Most by which the estimated precision and recall may be off.
pub const ESTIMATE_ERROR_MAX: f64 = 0.02;

/// Most that the threshold may lose in F1 against the best there is.
pub const THRESHOLD_LOSS_MAX: f64 = 0.005;

/// Quality of the two owners' links at the threshold, counted.
///
/// # Errors
/// When the run did not keep the pairs it assigned.
pub fn measured(truth: &Truth, outcome: &Outcome) -> Result<Quality> {
    let (report, assigned) = first(outcome)?;
    let (a, b) = (report.owner_a, report.owner_b);
    let threshold = report.calibration.threshold;
    let (mut found, mut correct) = (0, 0);
    for pair in assigned {
        if pair.link_rule.is_some() || pair.score >= threshold {
            found += 1;
            correct += u64::from(truth.together(a, pair.a, b, pair.b));
        }
    }
    Ok(Quality::of(truth.pairs(a, b), found, correct))
}

/// Compares the first report's threshold and estimates with the truth; the answer is a line about
/// them.
///
/// # Errors
/// When one is further off than it may be.
pub fn judge(truth: &Truth, outcome: &Outcome, error_max: f64) -> Result<String> {
    let (report, assigned) = first(outcome)?;
    let quality = measured(truth, outcome)?;
    let calibration = &report.calibration;
    // Finer than the program's own thresholds, and from the lowest agreement on.
    let thresholds: Vec<f64> = (0..=2000).map(|step| f64::from(step) / 2000.0).collect();
    let curve = truth.curve(report.owner_a, report.owner_b, assigned, &thresholds);
    let best = curve.iter().map(|point| point.f1).fold(0.0, f64::max);
    let estimate = calibration.estimate;
    let interval = calibration.interval.context("no interval")?;
    let [lower, upper] = interval.precision;
    let [lowest, highest] = interval.recall;
    let line = format!(
        "{:?}, {} compared, threshold {:.3}: P {:.4} R {:.4} F1 {:.4} (best {best:.4}); estimated P \
         {:.4} ({lower:.4}-{upper:.4}) R {:.4} ({lowest:.4}-{highest:.4})",
        report.method,
        report.compared,
        calibration.threshold,
        quality.precision,
        quality.recall,
        quality.f1,
        estimate.precision,
        estimate.recall,
    );
    let off = |estimate: f64, measured: f64| (estimate - measured).abs();
    ensure!(
        off(estimate.precision, quality.precision) <= error_max
            && off(estimate.recall, quality.recall) <= error_max,
        "the estimate is off: {line}"
    );
    ensure!(
        best - quality.f1 <= THRESHOLD_LOSS_MAX,
        "the threshold is off: {line}"
    );
    Ok(line)
}

type Assigned = [linkage_core::candidates::ScoredPair];

fn first(outcome: &Outcome) -> Result<(&PairReport, &Assigned)> {
    let report = outcome.pairs.first().context("no pair of owners")?;
    let assigned = outcome.assigned.first().context("no pairs were kept")?;
    Ok((report, assigned))
}
