//! Blocks that would propose too many pairs, cut into blocks that do not.
//!
//! The rows of such a block are dealt by sub-keys: by what else they share. One draw of sub-keys
//! deals by one after the other until every part is small enough; what is still too large after
//! the last one is left out and counted. Several draws make up for the pairs that one of them
//! parts: a pair is proposed if any draw leaves it together.

#![allow(
    clippy::indexing_slicing,
    reason = "positions are below the lengths of the block's lists of rows"
)]

use super::Side;
use super::lsh::Draws;
use crate::encode::Columns;
use crate::schema::CandidateSettings;

/// Draws of token bits for one block. Records of one person differ in 10 to 15 % of the balanced
/// positions; after the 4 to 8 bits that make a block 16 to 256 times smaller, half of them are
/// still together, and with four draws nine in ten.
const BIT_DRAWS: usize = 4;

/// Positions that one step of a draw deals by.
const STEP_BITS: usize = 4;

/// What rows of a block are told apart by.
enum SubKey {
    /// Another column of block keys. Rows that lack it share it with none.
    Column(usize),
    /// Bits of the token at these positions. Rows without a token share them with none.
    Bits(Vec<u32>),
}

impl SubKey {
    fn of(&self, columns: &Columns<'_>, row: u32) -> Option<u64> {
        let row = row as usize;
        match self {
            Self::Column(rule) => columns.block_key(row, *rule),
            Self::Bits(positions) => {
                if columns.ones(row) == 0 {
                    return None;
                }
                let token = columns.token(row);
                let bit = |at: &u32| token[*at as usize / 64] >> (at % 64) & 1;
                Some(positions.iter().fold(1, |key, at| key << 1 | bit(at)))
            }
        }
    }
}

/// Rows of either side from which a block is left out uncut: a key that a million records share is
/// a default and says nothing, and finding out may take all memory.
const ROWS_MAX: usize = 1 << 20;

/// Cuts blocks that propose too many pairs.
pub struct Splitter<'a> {
    a: Columns<'a>,
    b: Columns<'a>,
    side: Side,
    /// Most pairs of a block.
    pairs_max: u64,
    draws: Vec<Vec<SubKey>>,
}

/// What became of one over-large block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    /// Pairs proposed, each counted once.
    pub proposed: u64,
    /// Pairs not proposed.
    pub left_out: u64,
}

impl<'a> Splitter<'a> {
    /// Most entries of a block that are needed of either side: a block with more is left out
    /// whatever the rows beyond these are.
    pub const ROWS_MAX: usize = ROWS_MAX;

    /// For the blocks of block-key rule `rule` that are found elsewhere; without `b`, of one
    /// owner's records among themselves.
    pub fn new(
        a: &Columns<'a>,
        b: Option<&Columns<'a>>,
        settings: &CandidateSettings,
        rule: usize,
    ) -> Self {
        let side = if b.is_some() {
            Side::Across
        } else {
            Side::Within
        };
        let b = b.unwrap_or(a);
        let draws = Draws::new(a, b);
        let positions = draws.as_ref().map_or(&[][..], Draws::orders);
        Self::by_keys((a, b, side), settings.block_pairs_max, rule, positions)
    }

    /// For the blocks of block-key rule `rule`: by the other rules' keys, in turn, and by draws
    /// from `positions` where tokens may be dealt by bits.
    pub(super) fn by_keys(
        (a, b, side): (&Columns<'a>, &Columns<'a>, Side),
        pairs_max: u64,
        rule: usize,
        positions: &[Vec<u32>],
    ) -> Self {
        let rules = usize::from(a.header.block_keys);
        let others: Vec<usize> = (1..rules).map(|step| (rule + step) % rules).collect();
        let columns = (0..others.len()).map(|first| {
            let (before, from) = others.split_at(first);
            from.iter()
                .chain(before)
                .map(|c| SubKey::Column(*c))
                .collect()
        });
        let bits = positions.iter().take(BIT_DRAWS).map(|draw| steps(draw));
        Self {
            a: a.clone(),
            b: b.clone(),
            side,
            pairs_max,
            draws: columns.chain(bits).collect(),
        }
    }

    /// For the runs of one table of token bits: by the further positions of its draw.
    pub(super) fn by_bits(
        (a, b, side): (&Columns<'a>, &Columns<'a>, Side),
        pairs_max: u64,
        further: &[u32],
    ) -> Self {
        Self {
            a: a.clone(),
            b: b.clone(),
            side,
            pairs_max,
            draws: vec![steps(further)],
        }
    }

    /// Most pairs of a block that is not cut.
    pub fn pairs_max(&self) -> u64 {
        self.pairs_max
    }

    /// Whether the block is to be cut.
    pub fn is_over(&self, rows_a: &[u32], rows_b: &[u32]) -> bool {
        product(rows_a.len(), rows_b.len()) > self.pairs_max
    }

    /// Pairs of a block that is not cut.
    pub fn pairs(&self, rows_a: &[u32], rows_b: &[u32]) -> u64 {
        let rows = rows_a.len() as u64;
        match self.side {
            Side::Across => product(rows_a.len(), rows_b.len()),
            Side::Within => rows * rows.saturating_sub(1) / 2,
        }
    }

    /// Cuts the block of `rows_a` and `rows_b`; within one side, the two are the same. The parts
    /// may share pairs.
    pub fn split(
        &self,
        rows_a: &[u32],
        rows_b: &[u32],
        on_part: &mut impl FnMut(&[u32], &[u32]),
    ) -> Cut {
        if rows_a.len().max(rows_b.len()) > ROWS_MAX {
            let left_out = self.pairs(rows_a, rows_b);
            return Cut {
                proposed: 0,
                left_out,
            };
        }
        let mut before: Vec<[Vec<u32>; 2]> = Vec::new();
        let mut proposed = 0;
        for draw in &self.draws {
            // The part in which a row ended, by its place in the block; 0 for none.
            let mut ends = [vec![0; rows_a.len()], vec![0; rows_b.len()]];
            let mut number = 0;
            self.parts(draw, rows_a, rows_b, &mut |places_a, places_b| {
                number += 1;
                places_a
                    .iter()
                    .for_each(|at| ends[0][*at as usize] = number);
                places_b
                    .iter()
                    .for_each(|at| ends[1][*at as usize] = number);
                proposed += self.fresh((rows_a, places_a), (rows_b, places_b), &before);
                let rows = |all: &[u32], places: &[u32]| -> Vec<u32> {
                    places.iter().map(|at| all[*at as usize]).collect()
                };
                on_part(&rows(rows_a, places_a), &rows(rows_b, places_b));
            });
            before.push(ends);
        }
        Cut {
            proposed,
            left_out: self.pairs(rows_a, rows_b) - proposed,
        }
    }

    /// Pairs of a part that no draw before has left together.
    fn fresh(
        &self,
        (rows_a, places_a): (&[u32], &[u32]),
        (rows_b, places_b): (&[u32], &[u32]),
        before: &[[Vec<u32>; 2]],
    ) -> u64 {
        let mut count = 0;
        for at_a in places_a.iter().map(|at| *at as usize) {
            for at_b in places_b.iter().map(|at| *at as usize) {
                let once = self.side == Side::Across || rows_a[at_a] < rows_b[at_b];
                let met = |[a, b]: &[Vec<u32>; 2]| a[at_a] != 0 && a[at_a] == b[at_b];
                if once && !before.iter().any(met) {
                    count += 1;
                }
            }
        }
        count
    }

    /// The parts of one draw that are small enough, as places in the block's lists.
    fn parts(
        &self,
        draw: &[SubKey],
        rows_a: &[u32],
        rows_b: &[u32],
        on_part: &mut impl FnMut(&[u32], &[u32]),
    ) {
        let all = |rows: &[u32]| (0..rows.len() as u32).collect::<Vec<u32>>();
        let mut open = vec![(all(rows_a), all(rows_b), 0)];
        while let Some((places_a, places_b, step)) = open.pop() {
            if product(places_a.len(), places_b.len()) <= self.pairs_max {
                on_part(&places_a, &places_b);
                continue;
            }
            let Some(sub_key) = draw.get(step) else {
                continue;
            };
            let keyed = |columns: &Columns<'_>, rows: &[u32], places: Vec<u32>| {
                let key = |at: u32| Some((sub_key.of(columns, rows[at as usize])?, at));
                let mut keyed: Vec<(u64, u32)> = places.into_iter().filter_map(key).collect();
                keyed.sort_unstable();
                keyed
            };
            let keyed_a = keyed(&self.a, rows_a, places_a);
            let keyed_b = keyed(&self.b, rows_b, places_b);
            let mut rest = keyed_b.as_slice();
            for group in keyed_a.chunk_by(|x, y| x.0 == y.0) {
                rest = &rest[rest.partition_point(|(key, _)| *key < group[0].0)..];
                let equal = rest.partition_point(|(key, _)| *key == group[0].0);
                if equal > 0 {
                    let places = |keyed: &[(u64, u32)]| keyed.iter().map(|(_, at)| *at).collect();
                    open.push((places(group), places(&rest[..equal]), step + 1));
                }
            }
        }
    }
}

fn steps(positions: &[u32]) -> Vec<SubKey> {
    positions
        .chunks(STEP_BITS)
        .map(|step| SubKey::Bits(step.to_vec()))
        .collect()
}

fn product(rows_a: usize, rows_b: usize) -> u64 {
    rows_a as u64 * rows_b as u64
}
