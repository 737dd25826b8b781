//! All blocks of a pair of stripes to scored pairs, each once, in order of (a, b).

use std::sync::{Mutex, PoisonError};

use linkage_core::candidates::ScoredPair;
use linkage_core::encode::Header;
use linkage_core::schema::LinkRole;
use linkage_core::similarity::Comparison;
use rayon::prelude::*;

use super::block::{self, Block};
use super::hit::{self, NO_RULE};
use super::join::PairCounts;
use super::plan::{BUCKET_ROWS, Plan};
use super::streams::{Extent, Streams, StreamsWriter};
use super::stripe::Stripe;
use crate::error::Error;
use crate::search::Direction;

/// Streams of a finished cell.
pub(crate) const HITS: usize = 0;
pub(crate) const CONFLICTS: usize = 1;
pub(crate) const CELL_STREAMS: usize = 2;

/// Bytes of a pair in conflict: its rows (u32 each).
pub(crate) const CONFLICT_BYTES: usize = 8;

/// Pairs that a thread collects before it hands them over.
const HAND_OVER: usize = 16_384;

/// What the blocks of a pass say of their pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// They are linked by this rule.
    Link(u8),
    /// They share this rule's identity.
    Identity(u8),
    /// They are to be compared.
    Block,
}

/// What all cells of a search have in common.
pub(crate) struct Cells<'a> {
    pub direction: Direction,
    pub header: &'a Header,
    pub plan: &'a Plan,
    pub passes: &'a [(Meaning, Streams)],
    pub pairs: &'a PairCounts,
    /// Lowest agreement of a pair that is kept without a link key.
    pub floor: f64,
}

/// The pairs of a range of rows. A pair is `a << 36 | b << 8 | rule` with rows of the stripes.
#[derive(Default)]
struct Found {
    pairs: Vec<u64>,
    identities: Vec<u64>,
}

fn pack(a: u32, b: u32, rule: u8) -> u64 {
    u64::from(a) << 36 | u64::from(b) << 8 | u64::from(rule)
}

fn unpack(pair: u64) -> (u32, u32, u8) {
    const ROW: u64 = (1 << 28) - 1;
    ((pair >> 36) as u32, (pair >> 8 & ROW) as u32, pair as u8)
}

impl Cells<'_> {
    /// Writes the scored pairs and the conflicts of cell (`at_a`, `at_b`) to `out`; how many pairs
    /// were scored after doubles were taken out: with a floor of zero, all that were compared.
    pub fn run(
        &self,
        (at_a, a): (u32, &Stripe),
        (at_b, b): (u32, &Stripe),
        out: &StreamsWriter,
    ) -> Result<u64, Error> {
        let same = self.direction == Direction::Within && at_a == at_b;
        let mut compared = 0;
        let (columns_a, columns_b) = (a.columns(self.header), b.columns(self.header));
        let comparison = Comparison::new(&columns_a, &columns_b);
        for (rows, room) in self.ranges(at_a, at_b) {
            let mut found = self.expand((at_a, at_b), rows, room, same, &comparison)?;
            found.pairs.par_sort_unstable();
            // Of several rules the most precise comes first; no rule comes last.
            found.pairs.dedup_by_key(|pair| *pair >> 8);
            let conflicts = self.conflicts(&mut found, a, b);
            if !conflicts.is_empty() {
                let apart = |pair: &u64| conflicts.binary_search(&(*pair >> 8)).is_err();
                found.pairs.retain(apart);
            }
            compared += found.pairs.len() as u64;
            self.score(&found.pairs, (a, b), &comparison, out)?;
            let global = |pair: &u64| {
                let (row_a, row_b, _) = unpack(*pair << 8);
                [row_a + a.first, row_b + b.first].map(u32::to_le_bytes)
            };
            for part in conflicts.chunks(HAND_OVER) {
                let bytes: Vec<u8> = part.iter().flat_map(global).flatten().collect();
                out.append(CONFLICTS, &bytes)?;
            }
        }
        Ok(compared)
    }

    /// Ranges of the stripe's rows whose pairs fit in memory, with how many those are at most.
    fn ranges(&self, at_a: u32, at_b: u32) -> Vec<(std::ops::Range<u32>, u64)> {
        let each = self.plan.stripes.rows_a;
        let buckets = each / BUCKET_ROWS;
        let mut ranges: Vec<(std::ops::Range<u32>, u64)> = vec![];
        for bucket in 0..buckets {
            let pairs = self.pairs.get(at_b, at_a * buckets + bucket);
            let end = (bucket + 1) * BUCKET_ROWS;
            match ranges.last_mut() {
                Some((range, sum)) if *sum + pairs <= self.plan.pairs => {
                    range.end = end;
                    *sum += pairs;
                }
                _ => ranges.push((end - BUCKET_ROWS..end, pairs)),
            }
        }
        ranges.retain(|(_, pairs)| *pairs > 0);
        ranges
    }

    /// The pairs of all blocks of a cell with these rows of stripe a, in no order. Where pairs must
    /// reach a floor, those of a larger block are compared at once, while its tokens are in the
    /// cache, and few of them are kept.
    fn expand(
        &self,
        (at_a, at_b): (u32, u32),
        rows: std::ops::Range<u32>,
        room: u64,
        same: bool,
        comparison: &Comparison<'_>,
    ) -> Result<Found, Error> {
        let cell = self.plan.stripes.cell(at_a, at_b);
        let extents: Vec<(&Meaning, &Streams, &Extent)> = self
            .passes
            .iter()
            .flat_map(|(meaning, streams)| {
                let extents = streams.extents(cell).iter();
                extents.map(move |extent| (meaning, streams, extent))
            })
            .collect();
        let found = Mutex::new(Found {
            pairs: Vec::with_capacity(usize::try_from(room).unwrap_or(usize::MAX)),
            identities: vec![],
        });
        extents.into_par_iter().try_for_each_init(
            || (Vec::new(), Vec::with_capacity(HAND_OVER)),
            |(bytes, pairs), (meaning, streams, extent)| {
                streams.read(extent, bytes)?;
                let rule = match meaning {
                    Meaning::Link(rule) | Meaning::Identity(rule) => *rule,
                    Meaning::Block => NO_RULE,
                };
                let hand_over = |pairs: &mut Vec<u64>| {
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    match meaning {
                        Meaning::Identity(_) => found.identities.append(pairs),
                        Meaning::Link(_) | Meaning::Block => found.pairs.append(pairs),
                    }
                };
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let block = block::take(&mut rest);
                    let block = block.ok_or_else(|| Error::damaged(streams.path()))?;
                    let (na, nb) = (block.rows_a.len(), block.rows_b.len());
                    let at_once =
                        *meaning == Meaning::Block && self.floor > 0.0 && na * nb > na + nb;
                    let kept = |a, b| !at_once || comparison.score(a, b) >= self.floor;
                    for row_a in rows_within(&block, &rows) {
                        let partners = block.rows_b.iter().map(|row| u32::from_le_bytes(*row));
                        let partners = partners
                            .filter(|row_b| (!same || row_a < *row_b) && kept(row_a, *row_b));
                        pairs.extend(partners.map(|row_b| pack(row_a, row_b, rule)));
                        if pairs.len() >= HAND_OVER {
                            hand_over(pairs);
                        }
                    }
                }
                hand_over(pairs);
                Ok::<(), Error>(())
            },
        )?;
        Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Pairs that share a rule's identity, are linked by no rule, and contradict each other in a
    /// support of that rule that both have; ascending `a << 28 | b`.
    fn conflicts(&self, found: &mut Found, a: &Stripe, b: &Stripe) -> Vec<u64> {
        let linked = |identity: u64| {
            let at = found
                .pairs
                .binary_search_by_key(&(identity >> 8), |p| p >> 8);
            let pair = at.ok().and_then(|at| found.pairs.get(at));
            pair.is_some_and(|pair| unpack(*pair).2 != NO_RULE)
        };
        let contradict = |identity: u64| {
            let (row_a, row_b, rule) = unpack(identity);
            // That none of the supports is equal is known: the pair is not linked.
            let mut columns = self.header.link_columns.iter().enumerate();
            columns.any(|(column, link)| {
                (link.rule, link.role) == (rule, LinkRole::Link)
                    && a.has_link_key(column, row_a)
                    && b.has_link_key(column, row_b)
            })
        };
        let identities = std::mem::take(&mut found.identities);
        let mut conflicts: Vec<u64> = identities
            .into_par_iter()
            .filter(|identity| !linked(*identity) && contradict(*identity))
            .map(|identity| identity >> 8)
            .collect();
        conflicts.par_sort_unstable();
        conflicts.dedup();
        conflicts
    }

    /// Scores pairs in their order and writes those that are kept.
    fn score(
        &self,
        pairs: &[u64],
        (a, b): (&Stripe, &Stripe),
        comparison: &Comparison<'_>,
        out: &StreamsWriter,
    ) -> Result<(), Error> {
        let encode = |pairs: &[u64]| {
            let mut bytes = Vec::with_capacity(pairs.len() * hit::HIT_BYTES);
            for pair in pairs {
                let (row_a, row_b, rule) = unpack(*pair);
                let score = comparison.score(row_a, row_b);
                if rule != NO_RULE || score > 0.0 && score >= self.floor {
                    let pair = ScoredPair {
                        a: row_a + a.first,
                        b: row_b + b.first,
                        link_rule: (rule != NO_RULE).then_some(rule),
                        score,
                    };
                    hit::put(&pair, &mut bytes);
                }
            }
            bytes
        };
        for part in pairs.chunks(self.plan.scores) {
            let share = part.len().div_ceil(rayon::current_num_threads().max(1));
            let encoded: Vec<Vec<u8>> = part.par_chunks(share.max(1)).map(encode).collect();
            out.append(HITS, &encoded.concat())?;
        }
        Ok(())
    }
}

/// The block's rows of stripe a that lie in a range.
fn rows_within(block: &Block<'_>, range: &std::ops::Range<u32>) -> impl Iterator<Item = u32> {
    let row = |row: &[u8; 4]| u32::from_le_bytes(*row);
    let from = block.rows_a.partition_point(|r| row(r) < range.start);
    let rows = block.rows_a.iter().skip(from).map(row);
    let end = range.end;
    rows.take_while(move |row| *row < end)
}
