//! Links and clusters as tables.

use std::collections::BTreeMap;
use std::io::Write;

use linkage_core::decide::Clusters;
use linkage_core::encode::Columns;
use linkage_core::schema::LinkRole;
use linkage_core::similarity::Comparison;

use super::inputs::Input;

/// Two records in one cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkRow {
    owner_a: usize,
    a: u32,
    owner_b: usize,
    b: u32,
    agreement: f64,
    /// The most precise link-key rule that the two share, if they share one.
    rule: Option<u8>,
}

impl LinkRow {
    /// The two data sets, and the row in each.
    pub fn ends(&self) -> ((usize, usize), (u32, u32)) {
        ((self.owner_a, self.owner_b), (self.a, self.b))
    }
}

/// Number of links by pair of data sets.
pub type Counts = BTreeMap<(usize, usize), u64>;

/// Every pair of records of one cluster, whatever brought them together, with the agreement of
/// their tokens.
pub fn of(clusters: &Clusters, batches: &[Columns<'_>]) -> Vec<LinkRow> {
    let mut links = vec![];
    for cluster in members(clusters).chunk_by(|x, y| x.0 == y.0) {
        for (at, (_, owner_a, a)) in cluster.iter().enumerate() {
            for (_, owner_b, b) in cluster.iter().skip(at + 1) {
                let (Some(x), Some(y)) = (batches.get(*owner_a), batches.get(*owner_b)) else {
                    continue;
                };
                links.push(LinkRow {
                    owner_a: *owner_a,
                    a: *a,
                    owner_b: *owner_b,
                    b: *b,
                    agreement: Comparison::new(x, y).score(*a, *b),
                    rule: shared_rule(x, *a, y, *b),
                });
            }
        }
    }
    links
}

/// The most precise link-key rule that two records share.
fn shared_rule(x: &Columns<'_>, a: u32, y: &Columns<'_>, b: u32) -> Option<u8> {
    let columns = x.header.link_columns.iter().enumerate();
    let shared = columns.filter(|(at, column)| {
        let key = x.link_key(a as usize, *at);
        column.role == LinkRole::Link && key.is_some() && key == y.link_key(b as usize, *at)
    });
    shared.map(|(_, column)| column.rule).min()
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
