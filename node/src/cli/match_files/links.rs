//! Links and clusters as tables.

use std::collections::BTreeMap;
use std::io::Write;

use linkage_core::decide::{Clusters, Link};
use linkage_core::encode::Columns;
use linkage_core::run::Outcome;
use linkage_core::similarity::Comparison;

use super::inputs::Input;

/// Two records of different data sets in one cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkRow {
    owner_a: usize,
    a: u32,
    owner_b: usize,
    b: u32,
    agreement: f64,
    /// The link-key rule that linked the two, if one did.
    rule: Option<u8>,
}

/// Number of links by pair of data sets.
pub type Counts = BTreeMap<(usize, usize), u64>;

/// Every pair of records of one cluster. Two that are in it by way of a third have their tokens'
/// agreement, too.
pub fn of(outcome: &Outcome, batches: &[Columns<'_>]) -> Vec<LinkRow> {
    let place = |link: &Link| (link.owner_a, link.a, link.owner_b, link.b);
    let mut direct: Vec<&Link> = outcome.links.iter().collect();
    direct.sort_unstable_by_key(|link| place(link));
    let mut links = vec![];
    for cluster in members(&outcome.clusters).chunk_by(|x, y| x.0 == y.0) {
        for (at, (_, owner_a, a)) in cluster.iter().enumerate() {
            for (_, owner_b, b) in cluster.iter().skip(at + 1) {
                let this = (*owner_a, *a, *owner_b, *b);
                let link = direct
                    .binary_search_by_key(&this, |link| place(link))
                    .ok()
                    .and_then(|found| direct.get(found));
                let agreement = match (link, batches.get(*owner_a), batches.get(*owner_b)) {
                    (Some(link), ..) => link.score,
                    (None, Some(x), Some(y)) => Comparison::new(x, y).score(*a, *b),
                    (None, ..) => 0.0,
                };
                links.push(LinkRow {
                    owner_a: *owner_a,
                    a: *a,
                    owner_b: *owner_b,
                    b: *b,
                    agreement,
                    rule: link.and_then(|link| link.link_rule),
                });
            }
        }
    }
    links
}

/// Cluster, data set and row of every record, in this order.
fn members(clusters: &Clusters) -> Vec<(u32, usize, u32)> {
    let mut members: Vec<_> = clusters
        .owners()
        .enumerate()
        .flat_map(|(owner, numbers)| {
            let rows = (0_u32..).zip(numbers);
            rows.map(move |(row, cluster)| (*cluster, owner, row))
        })
        .collect();
    members.sort_unstable();
    members
}

/// Counts links by pair of data sets.
pub fn count(links: &[LinkRow]) -> Counts {
    let mut counts = Counts::new();
    for link in links {
        *counts.entry((link.owner_a, link.owner_b)).or_default() += 1;
    }
    counts
}

/// Writes the links.
///
/// # Errors
/// When the writer fails.
pub fn write(
    csv: &mut csv::Writer<impl Write>,
    links: &[LinkRow],
    inputs: &[Input],
    rule_name: &dyn Fn(u8) -> String,
) -> csv::Result<()> {
    csv.write_record([
        "dataset_a",
        "record_a",
        "dataset_b",
        "record_b",
        "agreement",
        "link_key",
    ])?;
    for link in links {
        let (Some(a), Some(b)) = (inputs.get(link.owner_a), inputs.get(link.owner_b)) else {
            continue;
        };
        csv.write_record([
            a.name.as_str(),
            &a.record(link.a),
            &b.name,
            &b.record(link.b),
            &format!("{:.4}", link.agreement),
            &link.rule.map(rule_name).unwrap_or_default(),
        ])?;
    }
    Ok(())
}

/// Writes the clusters, numbered from 1.
///
/// # Errors
/// When the writer fails.
pub fn write_clusters(
    csv: &mut csv::Writer<impl Write>,
    clusters: &Clusters,
    inputs: &[Input],
) -> csv::Result<()> {
    csv.write_record(["cluster", "dataset", "record"])?;
    for (cluster, owner, row) in members(clusters) {
        if let Some(input) = inputs.get(owner) {
            let number = (u64::from(cluster) + 1).to_string();
            csv.write_record([number.as_str(), &input.name, &input.record(row)])?;
        }
    }
    Ok(())
}
