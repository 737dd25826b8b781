//! A report on many data sets stays short enough to be opened and sent.

use std::fs;

use linkage_core::candidates::{Method, RuleCount};
use linkage_core::decide::{Calibration, CurvePoint};
use linkage_core::run::{self, PairReport};
use linkage_node::report::data::{Report, Round};
use linkage_node::report::{DATA_FILE, from_run, write};

const OWNERS: usize = 60;

/// Bars of a histogram, as many as runs on diffused tokens have.
const BARS: usize = 97;

/// Figures that no rounding makes short.
fn irregular(pair: usize, bar: usize) -> f64 {
    0.1 + 0.8 * ((pair * 31 + bar * 17) as f64 * 0.618_034).fract()
}

fn pair(number: usize, (owner_a, owner_b): (usize, usize)) -> PairReport {
    let point = |bar: usize| CurvePoint {
        threshold: 0.503_117 + 0.005 * bar as f64,
        precision: irregular(number, bar),
        recall: irregular(number, bar + 1),
        f1: irregular(number, bar + 2),
    };
    let curve: Vec<CurvePoint> = (0..BARS).map(point).collect();
    let counts: Vec<u64> = (0..BARS as u64).map(|bar| bar * 7919 % 100_000).collect();
    let expected_false: Vec<f64> = (0..BARS).map(|bar| 1e4 * irregular(number, bar)).collect();
    let rule = RuleCount {
        pairs: 1_234_567,
        ..RuleCount::default()
    };
    PairReport {
        owner_a,
        owner_b,
        method: Method::Keys,
        compared: 12_345_678,
        reduction_ratio: 0.999_876_543_21,
        block_rules: vec![rule; 8],
        token_bits: None,
        identity_conflicts: 3,
        keyed: 4,
        links: 54_321,
        components_beyond: 0,
        histogram: run::Histogram {
            from: 0.503_117,
            to: 1.0,
            counts: counts.clone(),
            expected_false: expected_false.clone(),
        },
        calibration: Calibration {
            threshold: point(30).threshold,
            estimate: point(30),
            interval: None,
            true_pairs: 55_555.5,
            strangers: 0.5,
            curve,
            intervals: vec![],
            counts,
            expected_false,
        },
        weights: None,
    }
}

fn report(owners: usize) -> Report {
    let ends = (0..owners).flat_map(|a| (a + 1..owners).map(move |b| (a, b)));
    let pairs: Vec<PairReport> = (0..)
        .zip(ends)
        .map(|(number, ends)| pair(number, ends))
        .collect();
    let merged = from_run::merged_bars(&pairs);
    let name = |owner: usize| format!("department-{owner:02}");
    let shown = |(pair, merged): (&PairReport, usize)| {
        let owners = (name(pair.owner_a), name(pair.owner_b));
        from_run::pair(owners, pair, merged)
    };
    Report {
        title: "many".into(),
        generated_at: "2026-01-01T00:00:00Z".into(),
        linkage_version: "0".into(),
        rounds: vec![Round {
            name: "persons".into(),
            pairs: pairs.iter().zip(merged).map(shown).collect(),
            ..Round::default()
        }],
        parties: vec![],
        audit: vec![],
        processes: vec![],
    }
}

#[test]
fn many_data_sets_make_a_report_that_can_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let report = report(OWNERS);
    assert_eq!(report.rounds[0].pairs.len(), 1770);
    // Those that are pictured have every bar.
    let bars = |at: usize| report.rounds[0].pairs[at].histogram.counts.len();
    assert_eq!((bars(0), bars(11)), (BARS, BARS));
    assert!(bars(12) < BARS / 4);
    let page = fs::read_to_string(write(folder.path(), &report).unwrap()).unwrap();
    let data = fs::read_to_string(folder.path().join(DATA_FILE)).unwrap();
    assert!(data.len() < 5_000_000, "{} bytes of data", data.len());
    assert!(page.len() < 2_500_000, "{} bytes of page", page.len());
    // A map of all pairs, and two pictures of each of the twelve largest.
    assert_eq!(page.matches("<figure class=\"picture pairs\">").count(), 1);
    assert_eq!(page.matches("<figure").count(), 1 + 2 * 12);
    // Every pair is in the map and in its table.
    assert_eq!(page.matches("class=\"cell\"").count(), 1770);
    // Small counts are withheld in either form.
    assert!(data.contains("\"identity_conflicts\":\"< 5\""));
    assert!(!data.contains("\"keyed\":4"));
}

#[test]
fn a_report_on_few_data_sets_has_every_bar() {
    let report = report(6);
    let bars = |at: usize| report.rounds[0].pairs[at].histogram.counts.len();
    assert_eq!((bars(0), bars(14)), (BARS, BARS));
    let points = report.rounds[0].pairs[0].estimated_curve.len();
    assert_eq!(points, BARS);
}
