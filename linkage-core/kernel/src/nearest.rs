//! The best partners of every record.

use std::cmp::Ordering;

use rayon::prelude::*;

use crate::dense::{self, Found, Tiles};
use crate::engine::Packed;
use crate::error::Error;
use crate::isa::{Cpu, Line};
use crate::join::{Hit, Pairs, Settings, check};
use crate::order::{Order, pieces};
use crate::rows::Rows;
use crate::rule::{Measure, Rule};

/// Blocks that are interleaved at a time and then compared with all queries.
const BLOCKS: usize = 64;

/// Queries of a piece of work: what the kernel takes at a time.
const QUERIES: usize = 8;

/// For every row of `a` the `k` rows of `b` that agree with it best, of those that `rule` accepts;
/// of equal ones the earlier rows. By row of `a`, then from the best. [`Pairs::Within`] seeks the
/// partners of each row of `a` among all others of `a`. Works at full width, whatever the method,
/// on rayon's current threads.
///
/// # Errors
///
/// [`Error::Length`] if the rows are of another length than the rule, [`Error::Isa`] if this
/// processor lacks the instructions.
pub fn nearest(
    a: &Rows<'_>,
    b: &Rows<'_>,
    rule: &Rule,
    k: usize,
    settings: &Settings,
) -> Result<Vec<Hit>, Error> {
    let cpu = Cpu::new(settings.isa)?;
    check(a, rule)?;
    let within = settings.pairs == Pairs::Within;
    let a_order = Order::new(*a);
    let other = if within {
        None
    } else {
        check(b, rule)?;
        Some(Order::new(*b))
    };
    if k == 0 {
        return Ok(Vec::new());
    }
    let search = Search {
        cpu,
        rule,
        k,
        within,
        a: &a_order,
    };
    let mut best: Vec<Vec<Partner>> = vec![Vec::new(); a_order.len()];
    let b_order = other.as_ref().unwrap_or(&a_order);
    let blocks: Vec<_> = pieces(b_order.len(), Line::RECORDS).collect();
    for places in blocks.chunks(BLOCKS) {
        let blocks: Vec<Block> = places
            .par_iter()
            .map(|places| Block::new(cpu, b_order, places.clone()))
            .collect();
        best.par_chunks_mut(QUERIES)
            .enumerate()
            .for_each_init(Vec::new, |found, (at, best)| {
                search.add(at * QUERIES, best, &blocks, found);
            });
    }
    let mut hits: Vec<Hit> = a_order
        .ids
        .iter()
        .zip(best)
        .flat_map(|(&a, best)| best.into_iter().map(move |partner| partner.hit(a)))
        .collect();
    // Stable: the partners of a row stay from the best.
    hits.par_sort_by_key(|hit| hit.a);
    Ok(hits)
}

/// Some records, ready to be compared.
struct Block {
    records: Packed,
    tiles: Tiles,
    /// Least and most set bits.
    counts: (usize, usize),
}

impl Block {
    fn new(cpu: Cpu, order: &Order<'_>, places: std::ops::Range<usize>) -> Self {
        let counts = order.counts(&places);
        let mut records = Packed::new();
        records.fill(order, places);
        let mut tiles = Tiles::new();
        tiles.fill(cpu, &records.tokens(), order.rows.width());
        Self {
            records,
            tiles,
            counts,
        }
    }
}

/// A record that is among the best so far.
#[derive(Debug, Clone, Copy)]
struct Partner {
    /// Two different fractions of such small numbers are never the same double, so comparing
    /// doubles is exact.
    score: f64,
    row: u32,
    intersection: u32,
    /// Set bits of the two together.
    sum: usize,
}

impl Partner {
    /// The better first.
    fn order(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then(self.row.cmp(&other.row))
    }

    fn hit(self, a: u32) -> Hit {
        Hit {
            a,
            b: self.row,
            intersection: self.intersection,
        }
    }

    /// Least intersection that agrees as well where two tokens have `sum` bits set together.
    fn need(&self, measure: Measure, sum: usize) -> u32 {
        let common = self.intersection as usize;
        let need = match measure {
            Measure::Dice => (common * sum).div_ceil(self.sum.max(1)),
            Measure::Hamming => sum.saturating_sub(self.sum - 2 * common).div_ceil(2),
        };
        need as u32
    }
}

struct Search<'a> {
    cpu: Cpu,
    rule: &'a Rule,
    k: usize,
    within: bool,
    a: &'a Order<'a>,
}

impl Search<'_> {
    /// Adds what `blocks` hold for the queries at `first..`, whose best so far are `best`.
    fn add(
        &self,
        first: usize,
        best: &mut [Vec<Partner>],
        blocks: &[Block],
        found: &mut Vec<Found>,
    ) {
        let queries = first..first + best.len();
        let tokens: Vec<&[u64]> = queries.clone().map(|place| self.a.token(place)).collect();
        for block in blocks {
            let window = self.a.window(self.rule, block.counts);
            if window.start >= queries.end || window.end <= queries.start {
                continue;
            }
            let floors: Vec<u32> = queries
                .clone()
                .zip(&*best)
                .map(|(place, best)| self.floor(place, best, block))
                .collect();
            dense::score(self.cpu, &tokens, &floors, &block.tiles, found);
            for found in found.drain(..) {
                if let Some(best) = best.get_mut(found.query as usize) {
                    self.take(first + found.query as usize, best, block, found);
                }
            }
        }
    }

    /// Intersection that a record of `block` needs at least to be among the best.
    fn floor(&self, place: usize, best: &[Partner], block: &Block) -> u32 {
        let sum = self.a.count(place) + block.counts.0;
        let last = best.get(self.k - 1);
        let need = last.map_or(0, |last| last.need(self.rule.measure(), sum));
        need.max(self.rule.need(sum))
    }

    fn take(&self, place: usize, best: &mut Vec<Partner>, block: &Block, found: Found) {
        let at = found.record as usize;
        let (p, q) = (self.a.count(place), block.records.count(at));
        let row = block.records.id(found.record);
        let itself = self.within && row == self.a.id(place);
        if at >= block.records.len() || itself {
            return;
        }
        if !self.rule.accepts(found.intersection, p as u32, q as u32) {
            return;
        }
        let partner = Partner {
            score: self.rule.score(found.intersection, p as u32, q as u32),
            row,
            intersection: found.intersection,
            sum: p + q,
        };
        let rank = best.partition_point(|other| other.order(&partner) == Ordering::Less);
        if rank < self.k {
            best.truncate(self.k - 1);
            best.insert(rank, partner);
        }
    }
}
