//! Pairs that share a link key, and pairs in identity conflict.

use std::ops::Range;

use rayon::prelude::*;

use super::join::Deal;
use super::keyed::{Sides, join, larger};
use super::order::{Pair, ordered, pack, unpack};
use super::{LINK_PAIRS_MAX, Prefilter, Side};
use crate::encode::Columns;
use crate::schema::{LinkColumn, LinkRole};

/// A pair that shares a link key of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LinkedPair {
    pub pair: u64,
    pub rule: u8,
}

impl Pair for LinkedPair {
    fn pair(&self) -> u64 {
        self.pair
    }

    fn rank(&self) -> u8 {
        self.rule
    }
}

/// What the link keys say about the pairs of two batches.
pub(super) struct Linked {
    /// Pairs that share a link key, in order of (a, b), with the most precise rule that they share.
    pub links: Vec<LinkedPair>,
    /// Pairs that share a rule's identity and contradict each other in all of its supports that
    /// both have, in order of (a, b).
    pub conflicts: Vec<(u32, u32)>,
}

impl Linked {
    /// Joins the batches by every column of link keys.
    pub fn find((a, b, side): Sides<'_, '_>, prefilter: Prefilter) -> Self {
        let (mut links, mut identities) = (Vec::new(), Vec::new());
        for (at, column) in a.header.link_columns.iter().enumerate() {
            let pairs = column_pairs((a, b, side), at, column.rule, prefilter);
            match column.role {
                LinkRole::Link => links.extend(pairs),
                LinkRole::Identity => identities.extend(pairs),
            }
        }
        contradicting((a, b), links, identities)
    }

    /// Whether the pair is in identity conflict.
    pub fn in_conflict(&self, pair: (u32, u32)) -> bool {
        self.conflicts.binary_search(&pair).is_ok()
    }

    /// The links whose packed pairs are in `pairs`.
    pub fn links_in(&self, pairs: &Range<u64>) -> &[LinkedPair] {
        let below = |end: u64| self.links.partition_point(|link| link.pair < end);
        self.links
            .get(below(pairs.start)..below(pairs.end))
            .unwrap_or(&[])
    }
}

/// The links in order, and which of the pairs that share an identity are in conflict.
pub(super) fn contradicting(
    (a, b): (&Columns<'_>, &Columns<'_>),
    links: Vec<Vec<LinkedPair>>,
    identities: Vec<Vec<LinkedPair>>,
) -> Linked {
    let links = ordered(links, a.len()).concat();
    let linked = |pair: u64| links.binary_search_by_key(&pair, |link| link.pair).is_ok();
    let mut conflicts: Vec<(u32, u32)> = identities
        .into_par_iter()
        .flatten_iter()
        .filter(|found: &LinkedPair| {
            !linked(found.pair) && contradict(a, b, unpack(found.pair), found.rule)
        })
        .map(|found| unpack(found.pair))
        .collect();
    conflicts.par_sort_unstable();
    conflicts.dedup();
    Linked { links, conflicts }
}

/// The pairs that share a key in column `at`.
fn column_pairs(
    (a, b, side): Sides<'_, '_>,
    at: usize,
    rule: u8,
    prefilter: Prefilter,
) -> Vec<Vec<LinkedPair>> {
    let key = |columns: &Columns<'_>, row: usize| columns.link_key(row, at);
    let join = join((a, b, side), Deal::whole(larger(a, b)), prefilter, key);
    join.runs(Vec::new, |pairs, rows_a, rows_b| {
        if rows_a.len() as u64 * rows_b.len() as u64 > LINK_PAIRS_MAX {
            return;
        }
        for row_a in rows_a {
            let partners = rows_b
                .iter()
                .filter(|row_b| side == Side::Across || row_a < *row_b);
            pairs.extend(partners.map(|row_b| LinkedPair {
                pair: pack(*row_a, *row_b),
                rule,
            }));
        }
    })
}

/// Whether two records both have a support of `rule`. That none of those is equal is known: the
/// pair is not linked.
fn contradict(a: &Columns<'_>, b: &Columns<'_>, (row_a, row_b): (u32, u32), rule: u8) -> bool {
    let supports =
        |(_, column): &(usize, &LinkColumn)| column.rule == rule && column.role == LinkRole::Link;
    let columns = a.header.link_columns.iter().enumerate();
    columns.filter(supports).any(|(column, _)| {
        let present =
            |batch: &Columns<'_>, row: u32| batch.link_key(row as usize, column).is_some();
        present(a, row_a) && present(b, row_b)
    })
}
