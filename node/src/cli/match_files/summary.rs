//! What a matching found: on the screen, as JSON, as a report.

use std::cmp::Reverse;
use std::path::Path;

use jiff::{Timestamp, Unit};
use linkage_core::decide::CurvePoint;
use linkage_core::encode::Columns;
use linkage_core::quality::Quality;
use linkage_core::run::{Outcome, PairReport};
use linkage_core::schema::{RecordsPerOwner, Schema};
use linkage_node::report::count::{Count, by_size};
use linkage_node::report::data::{PairQuality, Report, Round, Stage};
use linkage_node::report::from_run;
use serde_json::{Value, json};

use super::super::screen;
use super::inputs::Input;
use super::judge::Judge;
use super::links::Counts;
use super::pair_name;
use super::plan::block_key;

/// The result for programs.
pub fn data(
    inputs: &[Input],
    batches: &[Columns<'_>],
    outcome: &Outcome,
    (counts, judge): (&Counts, Option<&Judge>),
) -> Value {
    let datasets = inputs.iter().zip(batches).map(|(input, batch)| {
        json!({ "name": input.name, "rows": batch.len(), "with_ids": input.has_ids() })
    });
    let pairs = outcome.pairs.iter().map(|pair| {
        let calibration = &pair.calibration;
        json!({
            "datasets": pair_name(inputs, pair.owner_a, pair.owner_b),
            "method": pair.method,
            "compared": pair.compared,
            "reduction_ratio": pair.reduction_ratio,
            "block_rules": pair.block_rules,
            "identity_conflicts": Count::from(pair.identity_conflicts),
            "threshold": calibration.threshold,
            "links": Count::from(links(pair, counts)),
            "estimated": calibration.estimate,
            "measured": judge.map(|judge| measured(judge, pair, counts)),
            "pair_completeness": judge.map(|judge| judge.pair_completeness(place(pair))),
            "estimated_true_pairs": calibration.true_pairs,
        })
    });
    json!({
        "datasets": datasets.collect::<Vec<_>>(),
        "pairs": pairs.collect::<Vec<_>>(),
        "clusters": clusters(outcome),
        "clusters_by_size": by_size(&outcome.clusters.sizes()),
    })
}

/// The result for people.
pub fn text(
    inputs: &[Input],
    batches: &[Columns<'_>],
    outcome: &Outcome,
    (counts, judge): (&Counts, Option<&Judge>),
    schema: Option<&Schema>,
    page: &Path,
) -> String {
    let datasets = inputs.iter().zip(batches).map(|(input, batch)| {
        let named = if input.has_ids() {
            "record id (from its .ids.csv)"
        } else {
            "row (no .ids.csv beside it)"
        };
        let rows = screen::count(batch.len() as u64);
        vec![input.name.clone(), named.into(), rows]
    });
    let (listed, unlisted) = listed(outcome);
    let pairs = listed.iter().map(|pair| {
        let (a, b) = pair_name(inputs, pair.owner_a, pair.owner_b);
        let CurvePoint {
            precision,
            recall,
            f1,
            ..
        } = pair.calibration.estimate;
        let mut row = vec![
            format!("{a} - {b}"),
            screen::count(pair.compared),
            screen::percent(pair.reduction_ratio, 2),
            format!("{:.3}", pair.calibration.threshold),
            Count::from(links(pair, counts)).to_string(),
        ];
        row.extend([precision, recall, f1].map(|share| screen::percent(share, 1)));
        row
    });
    let heading = [
        "pair",
        "compared",
        "reduction",
        "threshold",
        "links",
        "precision",
        "recall",
        "F1",
    ];
    let sizes = from_run::clusters(&outcome.clusters.sizes()).into_iter();
    let sizes: Vec<String> = sizes
        .map(|cluster| format!("{} of {}", cluster.count, cluster.size))
        .collect();
    let mut lines = vec![
        screen::table(&["data set", "records named by", "records"], 2, datasets),
        String::new(),
        screen::table(&heading, 1, pairs),
        String::new(),
        assumption(schema).into(),
        format!("Clusters by number of records: {}", sizes.join(", ")),
    ];
    if unlisted > 0 {
        let more = screen::counted(unlisted as u64, "pair");
        lines.insert(
            3,
            format!("{more} of data sets with fewer comparisons: see the report"),
        );
    }
    if let Some(judge) = judge {
        lines.insert(4, truth_table(inputs, &listed, (counts, judge)));
        lines.insert(5, String::new());
    }
    lines.extend(conflicts(inputs, outcome));
    lines.extend(left_out(outcome, schema));
    lines.push(format!("Report: {}", page.display()));
    lines.join("\n")
}

/// What the estimates take for granted.
fn assumption(schema: Option<&Schema>) -> &'static str {
    let decide = schema.map(|schema| schema.decide).unwrap_or_default();
    match decide.records_per_owner {
        RecordsPerOwner::One => {
            "\
Precision, recall and F1 are estimates without truth. They take each person to have at most
one record in each data set; duplicates within a data set stay unlinked."
        }
        RecordsPerOwner::Any => {
            "\
Precision, recall and F1 are estimates without truth, for pairs of records before they are
grouped into clusters."
        }
    }
}

/// Most data sets that a report names in its description.
const NAMED_MAX: usize = 12;

/// Most pairs of data sets that are listed.
const LISTED_MAX: usize = 30;

/// The pairs of data sets to list, in their order: where there are too many, those with
/// the most pairs of records compared; and how many others there are.
fn listed(outcome: &Outcome) -> (Vec<&PairReport>, usize) {
    let mut largest: Vec<(usize, &PairReport)> = outcome.pairs.iter().enumerate().collect();
    largest.sort_by_key(|(_, pair)| Reverse(pair.compared));
    let more = largest.len().saturating_sub(LISTED_MAX);
    largest.truncate(LISTED_MAX);
    largest.sort_by_key(|(place, _)| *place);
    (largest.into_iter().map(|(_, pair)| pair).collect(), more)
}

/// The number of clusters, if no count of a size is withheld: it could be computed from this one.
fn clusters(outcome: &Outcome) -> Count {
    let sizes = by_size(&outcome.clusters.sizes());
    if sizes.iter().all(|count| count.exact().is_some()) {
        Count::Exact(outcome.clusters.count().into())
    } else {
        Count::Withheld
    }
}

/// Pairs that one identity number, say, brings together and everything else contradicts.
fn conflicts(inputs: &[Input], outcome: &Outcome) -> Vec<String> {
    let some = outcome
        .pairs
        .iter()
        .filter(|pair| pair.identity_conflicts > 0);
    let some: Vec<&PairReport> = some.collect();
    let all: u64 = some.iter().map(|pair| pair.identity_conflicts).sum();
    let line = |place: String, count: u64| {
        format!(
            "Identity conflicts {place}: {} pairs with one number and nothing else in common, not linked",
            Count::from(count)
        )
    };
    if some.len() > LISTED_MAX {
        let place = format!(
            "in {} of data sets",
            screen::counted(some.len() as u64, "pair")
        );
        return vec![line(place, all)];
    }
    let named = some.into_iter().map(|pair| {
        let (a, b) = pair_name(inputs, pair.owner_a, pair.owner_b);
        line(format!("{a} - {b}"), pair.identity_conflicts)
    });
    named.collect()
}

/// Block keys whose largest blocks were not compared: pairs may be missing there.
fn left_out(outcome: &Outcome, schema: Option<&Schema>) -> Vec<String> {
    let rules = outcome
        .pairs
        .iter()
        .flat_map(|pair| (0_usize..).zip(&pair.block_rules));
    let mut sums: Vec<(usize, u64, u64)> = vec![];
    for (rule, count) in rules.filter(|(_, count)| count.blocks_split > 0) {
        match sums.iter_mut().find(|sum| sum.0 == rule) {
            Some(sum) => {
                sum.1 += count.blocks_split;
                sum.2 += count.pairs_left_out;
            }
            None => sums.push((rule, count.blocks_split, count.pairs_left_out)),
        }
    }
    let line = |(rule, blocks, pairs): (usize, u64, u64)| {
        let name = block_key(schema, rule);
        let what = if pairs > 0 {
            format!("{} left out", screen::counted(pairs, "pair"))
        } else {
            "no pair left out".to_owned()
        };
        format!(
            "Warning: block key {name}: {} cut as too large, {what}; see block_pairs_max",
            screen::counted(blocks, "block"),
        )
    };
    sums.into_iter().map(line).collect()
}

fn place(pair: &PairReport) -> (usize, usize) {
    (pair.owner_a, pair.owner_b)
}

fn links(pair: &PairReport, counts: &Counts) -> u64 {
    counts.get(&place(pair)).copied().unwrap_or(0)
}

fn measured(judge: &Judge, pair: &PairReport, counts: &Counts) -> Quality {
    judge.quality(place(pair), links(pair, counts))
}

/// What the truth says, a line for each pair of data sets.
fn truth_table(
    inputs: &[Input],
    listed: &[&PairReport],
    (counts, judge): (&Counts, &Judge),
) -> String {
    let rows = listed.iter().map(|pair| {
        let (a, b) = pair_name(inputs, pair.owner_a, pair.owner_b);
        let quality = measured(judge, pair, counts);
        let mut row = vec![
            format!("{a} - {b}"),
            Count::from(quality.true_pairs).to_string(),
        ];
        row.push(screen::percent(judge.pair_completeness(place(pair)), 2));
        let shares = [quality.precision, quality.recall, quality.f1];
        row.extend(shares.map(|share| screen::percent(share, 2)));
        row
    });
    let heading = [
        "against the truth",
        "true pairs",
        "pair completeness",
        "precision",
        "recall",
        "F1",
    ];
    screen::table(&heading, 1, rows)
}

/// The result as a report.
pub fn report(
    schema: Option<&Schema>,
    inputs: &[Input],
    batches: &[Columns<'_>],
    outcome: &Outcome,
    (counts, judge): (&Counts, Option<&Judge>),
    stages: Vec<Stage>,
) -> Report {
    let entity = schema.map_or("records", |schema| schema.entity.as_str());
    let merged = from_run::merged_bars(&outcome.pairs);
    let now = Timestamp::now();
    Report {
        title: format!("Linkage of {entity}"),
        generated_at: now.round(Unit::Second).unwrap_or(now).to_string(),
        linkage_version: env!("CARGO_PKG_VERSION").into(),
        rounds: vec![Round {
            name: entity.to_owned(),
            description: description(inputs, batches, judge.is_some()),
            pairs: outcome
                .pairs
                .iter()
                .zip(merged)
                .map(|(pair, merged)| quality((pair, merged), inputs, (counts, judge), schema))
                .collect(),
            clusters: from_run::clusters(&outcome.clusters.sizes()),
            stages,
            ..Round::default()
        }],
        parties: vec![],
        audit: vec![],
        processes: vec![],
    }
}

/// What was linked, and where its quality is known from.
fn description(inputs: &[Input], batches: &[Columns<'_>], known: bool) -> String {
    let sizes = || batches.iter().map(|batch| batch.len() as u64);
    let what = if inputs.len() > NAMED_MAX {
        let files = screen::counted(inputs.len() as u64, "token file");
        format!(
            "{files} of {} in all.",
            screen::counted(sizes().sum(), "record")
        )
    } else {
        let named = inputs.iter().zip(sizes());
        let named: Vec<String> = named
            .map(|(input, size)| format!("{} ({})", input.name, screen::count(size)))
            .collect();
        format!(
            "Token files and their numbers of records: {}.",
            named.join(", ")
        )
    };
    if known {
        format!("{what} Measured quality is counted against the truth; estimates do not use it.")
    } else {
        format!("{what} The quality is estimated without truth.")
    }
}

fn quality(
    (pair, merged): (&PairReport, usize),
    inputs: &[Input],
    (counts, judge): (&Counts, Option<&Judge>),
    schema: Option<&Schema>,
) -> PairQuality {
    let mut shown = from_run::pair(pair_name(inputs, pair.owner_a, pair.owner_b), pair, merged);
    if let Some(estimated) = &mut shown.estimated {
        estimated.found_links = Some(links(pair, counts).into());
    }
    if let Some(judge) = judge {
        shown.measured = Some(from_run::counted(&measured(judge, pair, counts)));
        if let Some(candidates) = &mut shown.candidates {
            candidates.pair_completeness = Some(judge.pair_completeness(place(pair)));
        }
    }
    if let Some(schema) = schema {
        from_run::name_filters(&mut shown, schema);
        from_run::name_block_keys(&mut shown, schema);
    }
    shown
}
