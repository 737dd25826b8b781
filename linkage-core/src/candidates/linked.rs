//! Pairs that share a link key, and pairs in identity conflict.

use rayon::prelude::*;

use super::keyed::{collect, join, unpack};
use super::{LINK_PAIRS_MAX, Prefilter, ScoredPair, Side};
use crate::encode::Columns;
use crate::schema::LinkRole;

/// What the link keys say about the pairs of two batches.
pub(super) struct Linked {
    /// Pairs that share a link key, in order of (a, b), with the most precise rule that they share.
    pub links: Vec<(u32, u32, u8)>,
    /// Pairs that share a rule's identity and contradict each other in all of its supports that
    /// both have, in order of (a, b).
    pub conflicts: Vec<(u32, u32)>,
}

impl Linked {
    /// Joins the batches by every column of link keys.
    pub fn find(a: &Columns<'_>, b: &Columns<'_>, side: Side, prefilter: Prefilter) -> Self {
        let (mut links, mut identities) = (Vec::new(), Vec::new());
        let columns = &a.header.link_columns;
        let joined: Vec<_> = (0..columns.len())
            .into_par_iter()
            .map(|column| {
                let key = |batch: &Columns<'_>, row: usize| batch.link_key(row, column);
                join(collect(a, b, key, side, prefilter), side, LINK_PAIRS_MAX).0
            })
            .collect();
        for (column, pairs) in columns.iter().zip(joined) {
            let pairs = pairs.into_iter().map(|pair| {
                let (a, b) = unpack(pair);
                (a, b, column.rule)
            });
            match column.role {
                LinkRole::Link => links.extend(pairs),
                LinkRole::Identity => identities.extend(pairs),
            }
        }
        links.par_sort_unstable();
        links.dedup_by_key(|(a, b, _)| (*a, *b));
        let linked = |a: u32, b: u32| {
            let at = links.binary_search_by_key(&(a, b), |(a, b, _)| (*a, *b));
            at.is_ok()
        };
        let mut conflicts: Vec<(u32, u32)> = identities
            .into_par_iter()
            .filter(|(row_a, row_b, rule)| {
                !linked(*row_a, *row_b) && contradict(a, b, (*row_a, *row_b), *rule)
            })
            .map(|(a, b, _)| (a, b))
            .collect();
        conflicts.par_sort_unstable();
        conflicts.dedup();
        Self { links, conflicts }
    }

    /// Whether the pair is in identity conflict.
    pub fn in_conflict(&self, pair: (u32, u32)) -> bool {
        self.conflicts.binary_search(&pair).is_ok()
    }

    /// Notes the shared rule in every pair that has one; `pairs` are in order of (a, b).
    pub fn mark(&self, pairs: &mut [ScoredPair]) {
        let mut linked = self.links.iter().peekable();
        for pair in pairs {
            while linked
                .next_if(|(a, b, _)| (*a, *b) < (pair.a, pair.b))
                .is_some()
            {}
            if let Some((_, _, rule)) = linked.next_if(|(a, b, _)| (*a, *b) == (pair.a, pair.b)) {
                pair.link_rule = Some(*rule);
            }
        }
    }
}

/// Whether two records both have a support of `rule`. That none of those is equal is known: the
/// pair is not linked.
fn contradict(a: &Columns<'_>, b: &Columns<'_>, (row_a, row_b): (u32, u32), rule: u8) -> bool {
    let supports = |(_, column): &(usize, &crate::schema::LinkColumn)| {
        column.rule == rule && column.role == LinkRole::Link
    };
    let columns = a.header.link_columns.iter().enumerate();
    columns.filter(supports).any(|(column, _)| {
        let present =
            |batch: &Columns<'_>, row: u32| batch.link_key(row as usize, column).is_some();
        present(a, row_a) && present(b, row_b)
    })
}
