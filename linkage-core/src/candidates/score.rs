//! Agreement of rows, many at a time. All that the candidates module computes on tokens is here.
//!
//! Rows that meet in a block lie anywhere in their columns. They are gathered first, a few hundred
//! in one go, which lets the memory fetch several at once, and compared in the cache after that;
//! each row of a block is fetched once, however many partners it has there.

#![allow(
    clippy::indexing_slicing,
    reason = "rows are below the number of rows and tiles are cut to the fixed sizes"
)]

use std::ops::Range;

use linkage_kernel::{Counter, Measure, Rule};

use super::Side;
use super::order::unpack;
use crate::encode::Columns;
use crate::schema::{Agreement, Segment};
use crate::similarity::{Comparison, dice, hamming_agreement, segment_agreement};

/// Rows gathered of either side: with 2048-bit tokens 64 KiB each.
pub(super) const TILE_ROWS: usize = 256;

/// Slack of the cheap test that comes before the exact one: far above rounding, far below one bit.
const SLACK: f64 = 1e-6;

/// Compares rows of two sides and passes on the pairs that agree enough.
pub(super) struct Scorer<'a> {
    a: Columns<'a>,
    b: Columns<'a>,
    width: usize,
    agreement: Agreement,
    bits: u32,
    segments: &'a [Segment],
    side: Side,
    counter: Counter,
    /// What agrees enough, where whole tokens are compared and not all pairs are passed on.
    rule: Option<Rule>,
    /// Lowest agreement passed on.
    pub floor: f64,
}

/// Scratch space of one thread.
pub(super) struct Scratch {
    blocks: linkage_kernel::Scorer,
    hits: Vec<linkage_kernel::Hit>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            blocks: linkage_kernel::Scorer::best(),
            hits: Vec::new(),
        }
    }
}

/// Tokens lying one after the other, with their numbers of set bits and their rows.
#[derive(Clone, Copy)]
struct Rows<'t> {
    tokens: &'t [u64],
    ones: &'t [u16],
    ids: Ids<'t>,
}

#[derive(Clone, Copy)]
enum Ids<'t> {
    From(u32),
    List(&'t [u32]),
}

impl Ids<'_> {
    #[inline]
    fn at(self, at: usize) -> u32 {
        match self {
            Self::From(first) => first + at as u32,
            Self::List(rows) => rows[at],
        }
    }
}

impl<'a> Scorer<'a> {
    pub fn new(a: &Columns<'a>, b: &Columns<'a>, side: Side, floor: f64) -> Self {
        let measure = match a.header.agreement {
            Agreement::Dice => Measure::Dice,
            Agreement::Hamming => Measure::Hamming,
        };
        let whole = a.header.segments.is_empty() && floor > 0.0;
        let rule = || Rule::new(measure, floor, a.header.token_bits).ok();
        Self {
            a: a.clone(),
            b: b.clone(),
            width: a.width(),
            agreement: a.header.agreement,
            bits: a.header.token_bits,
            segments: &a.header.segments,
            side,
            counter: Counter::best(),
            rule: whole.then(rule).flatten(),
            floor,
        }
    }

    /// What is compared with what.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Agreement of two rows.
    pub fn pair(&self, row_a: u32, row_b: u32) -> f64 {
        Comparison::new(&self.a, &self.b).score(row_a, row_b)
    }

    /// Agreement of two tokens with their numbers of set bits.
    #[inline]
    fn tokens(&self, (a, ones_a): (&[u64], u16), (b, ones_b): (&[u64], u16)) -> f64 {
        if self.agreement == Agreement::Dice && !self.segments.is_empty() {
            let empty = ones_a == 0 || ones_b == 0;
            return if empty {
                0.0
            } else {
                segment_agreement(a, b, self.segments)
            };
        }
        self.score(self.counter.common(a, b), ones_a.into(), ones_b.into())
    }

    /// Compares all of `rows_a` with all of `rows_b`.
    pub fn ranges(
        &self,
        rows_a: Range<usize>,
        rows_b: Range<usize>,
        sink: &mut impl FnMut(u32, u32, f64),
    ) {
        let mut scratch = Scratch::default();
        for first_b in rows_b.clone().step_by(TILE_ROWS) {
            let tile_b = first_b..rows_b.end.min(first_b + TILE_ROWS);
            for first_a in rows_a.clone().step_by(TILE_ROWS) {
                let tile_a = first_a..rows_a.end.min(first_a + TILE_ROWS);
                // Within one side, a pair's first row comes before its second.
                if self.side == Side::Within && tile_a.start >= tile_b.end {
                    continue;
                }
                self.tile(
                    contiguous(&self.a, tile_a),
                    contiguous(&self.b, tile_b.clone()),
                    &mut scratch,
                    sink,
                );
            }
        }
    }

    /// Compares at most [`TILE_ROWS`] rows of either side with each other.
    fn tile(
        &self,
        a: Rows<'_>,
        b: Rows<'_>,
        scratch: &mut Scratch,
        sink: &mut impl FnMut(u32, u32, f64),
    ) {
        if self.agreement == Agreement::Dice && !self.segments.is_empty() {
            return self.tile_by(a, b, sink, |token, tokens, out| {
                for (out, other) in out.iter_mut().zip(tokens.chunks_exact(self.width)) {
                    *out = segment_agreement(token, other, self.segments);
                }
            });
        }
        let done = self
            .rule
            .as_ref()
            .map(|rule| self.block(a, b, rule, scratch, sink));
        if done.flatten().is_none() {
            self.whole_tile(a, b, sink);
        }
    }

    /// Whole tokens of which few pairs agree enough; `None` if the kernel knows no such tokens.
    fn block(
        &self,
        a: Rows<'_>,
        b: Rows<'_>,
        rule: &Rule,
        scratch: &mut Scratch,
        sink: &mut impl FnMut(u32, u32, f64),
    ) -> Option<()> {
        let [rows_a, rows_b] =
            [a, b].map(|rows| linkage_kernel::Rows::new(rows.tokens, rows.ones, self.bits).ok());
        let Scratch { blocks, hits } = scratch;
        hits.clear();
        blocks.block(&rows_a?, &rows_b?, rule, hits).ok()?;
        for hit in hits.iter() {
            let (at_a, at_b) = (hit.a as usize, hit.b as usize);
            let (ones_a, ones_b) = (a.ones[at_a].into(), b.ones[at_b].into());
            let score = self.score(hit.intersection, ones_a, ones_b);
            let (row_a, row_b) = (a.ids.at(at_a), b.ids.at(at_b));
            if score >= self.floor && self.distinct(row_a, row_b) {
                sink(row_a, row_b, score);
            }
        }
        Some(())
    }

    /// Fields of their own filter: any score that a closure computes row against rows.
    fn tile_by(
        &self,
        a: Rows<'_>,
        b: Rows<'_>,
        sink: &mut impl FnMut(u32, u32, f64),
        scores: impl Fn(&[u64], &[u64], &mut [f64]),
    ) {
        let mut out = [0.0; TILE_ROWS];
        for (at, token) in a.tokens.chunks_exact(self.width).enumerate() {
            let row_a = a.ids.at(at);
            let out = &mut out[..b.ones.len()];
            scores(token, b.tokens, out);
            for (other, score) in out.iter().enumerate() {
                let row_b = b.ids.at(other);
                let empty = a.ones[at] == 0 || b.ones[other] == 0;
                let score = if empty { 0.0 } else { *score };
                if score >= self.floor && self.distinct(row_a, row_b) {
                    sink(row_a, row_b, score);
                }
            }
        }
    }

    /// Whole tokens of which all pairs are passed on.
    fn whole_tile(&self, a: Rows<'_>, b: Rows<'_>, sink: &mut impl FnMut(u32, u32, f64)) {
        let mut both = [0_u32; TILE_ROWS];
        let both = &mut both[..b.ones.len()];
        for (at, token) in a.tokens.chunks_exact(self.width).enumerate() {
            let row_a = a.ids.at(at);
            let ones_a = u32::from(a.ones[at]);
            self.counter.with_each(token, b.tokens, both);
            for (other, both) in both.iter().enumerate() {
                let ones_b = u32::from(b.ones[other]);
                if !self.may_pass(*both, ones_a + ones_b) {
                    continue;
                }
                let score = self.score(*both, ones_a, ones_b);
                let row_b = b.ids.at(other);
                if score >= self.floor && self.distinct(row_a, row_b) {
                    sink(row_a, row_b, score);
                }
            }
        }
    }

    /// Necessary for an agreement of `floor`, without a division.
    #[inline]
    fn may_pass(&self, both: u32, ones: u32) -> bool {
        match self.agreement {
            Agreement::Dice => f64::from(2 * both) >= self.floor * f64::from(ones) - SLACK,
            Agreement::Hamming => {
                let differing = f64::from(ones - 2 * both);
                differing <= (1.0 - self.floor) * f64::from(self.bits) + SLACK || self.floor <= 0.0
            }
        }
    }

    #[inline]
    fn score(&self, both: u32, ones_a: u32, ones_b: u32) -> f64 {
        if ones_a == 0 || ones_b == 0 {
            return 0.0;
        }
        match self.agreement {
            Agreement::Dice => dice(both, ones_a, ones_b),
            Agreement::Hamming => hamming_agreement(both, ones_a, ones_b, self.bits),
        }
    }

    /// Whether the pair is one to compare: any, or within one side the one order of the two.
    #[inline]
    pub fn distinct(&self, row_a: u32, row_b: u32) -> bool {
        self.side == Side::Across || row_a < row_b
    }
}

fn contiguous<'t>(columns: &Columns<'t>, rows: Range<usize>) -> Rows<'t> {
    let width = columns.width();
    Rows {
        tokens: &columns.words[rows.start * width..rows.end * width],
        ones: &columns.ones[rows.clone()],
        ids: Ids::From(rows.start as u32),
    }
}

/// Blocks on their way to the scorer: collected until a tile is full, then gathered and compared.
#[derive(Default)]
pub(super) struct Gather {
    rows_a: Vec<u32>,
    rows_b: Vec<u32>,
    /// Which of the rows belong together.
    blocks: Vec<(Range<usize>, Range<usize>)>,
    tokens_a: Vec<u64>,
    tokens_b: Vec<u64>,
    ones_a: Vec<u16>,
    ones_b: Vec<u16>,
    scratch: Scratch,
}

impl Gather {
    /// Compares all of `rows_a` with all of `rows_b`, now or with what comes after.
    pub fn push(
        &mut self,
        scorer: &Scorer<'_>,
        rows_a: &[u32],
        rows_b: &[u32],
        sink: &mut impl FnMut(u32, u32, f64),
    ) {
        for tile_a in rows_a.chunks(TILE_ROWS) {
            for tile_b in rows_b.chunks(TILE_ROWS) {
                if self.rows_a.len() + tile_a.len() > TILE_ROWS
                    || self.rows_b.len() + tile_b.len() > TILE_ROWS
                {
                    self.finish(scorer, sink);
                }
                let (at_a, at_b) = (self.rows_a.len(), self.rows_b.len());
                self.rows_a.extend_from_slice(tile_a);
                self.rows_b.extend_from_slice(tile_b);
                self.blocks
                    .push((at_a..self.rows_a.len(), at_b..self.rows_b.len()));
            }
        }
    }

    /// Compares what is left.
    pub fn finish(&mut self, scorer: &Scorer<'_>, sink: &mut impl FnMut(u32, u32, f64)) {
        fetch(
            scorer.counter,
            &scorer.a,
            &self.rows_a,
            &mut self.tokens_a,
            &mut self.ones_a,
        );
        fetch(
            scorer.counter,
            &scorer.b,
            &self.rows_b,
            &mut self.tokens_b,
            &mut self.ones_b,
        );
        let width = scorer.width;
        for (a, b) in self.blocks.drain(..) {
            scorer.tile(
                Rows {
                    tokens: &self.tokens_a[a.start * width..a.end * width],
                    ones: &self.ones_a[a.clone()],
                    ids: Ids::List(&self.rows_a[a]),
                },
                Rows {
                    tokens: &self.tokens_b[b.start * width..b.end * width],
                    ones: &self.ones_b[b.clone()],
                    ids: Ids::List(&self.rows_b[b]),
                },
                &mut self.scratch,
                sink,
            );
        }
        self.rows_a.clear();
        self.rows_b.clear();
    }
}

/// Pairs that are compared one by one, in order of (a, b): their first rows lie close together, so
/// that only the second ones are waited for.
#[derive(Default)]
pub(super) struct PairGather {
    rows: [Vec<u32>; 2],
    tokens: [Vec<u64>; 2],
    ones: [Vec<u16>; 2],
}

impl PairGather {
    /// Compares every one of `pairs`, packed.
    pub fn compare(
        &mut self,
        scorer: &Scorer<'_>,
        pairs: &[u64],
        sink: &mut impl FnMut(u32, u32, f64),
    ) {
        for pairs in pairs.chunks(TILE_ROWS) {
            let columns = [&scorer.a, &scorer.b];
            for (side, columns) in columns.into_iter().enumerate() {
                let row = |pair: &u64| {
                    if side == 0 {
                        unpack(*pair).0
                    } else {
                        unpack(*pair).1
                    }
                };
                self.rows[side].clear();
                self.rows[side].extend(pairs.iter().map(row));
                let (tokens, ones) = (&mut self.tokens[side], &mut self.ones[side]);
                fetch(scorer.counter, columns, &self.rows[side], tokens, ones);
            }
            let [tokens_a, tokens_b] = &self.tokens;
            let tokens = tokens_a
                .chunks_exact(scorer.width)
                .zip(tokens_b.chunks_exact(scorer.width));
            for (at, (token_a, token_b)) in tokens.enumerate() {
                let (ones_a, ones_b) = (self.ones[0][at], self.ones[1][at]);
                let score = scorer.tokens((token_a, ones_a), (token_b, ones_b));
                if score >= scorer.floor {
                    sink(self.rows[0][at], self.rows[1][at], score);
                }
            }
        }
    }
}

/// Copies the tokens of at most [`TILE_ROWS`] rows. Set bits are counted in the copy: their column
/// would be one more place in memory to wait for.
fn fetch(
    counter: Counter,
    columns: &Columns<'_>,
    rows: &[u32],
    tokens: &mut Vec<u64>,
    ones: &mut Vec<u16>,
) {
    let width = columns.width();
    // Touching all rows in a loop that does nothing else keeps as many reads under way as the
    // processor can; copying them one by one would wait for each.
    let first = |row: &u32| columns.words[*row as usize * width];
    std::hint::black_box(rows.iter().fold(0, |sum, row| sum ^ first(row)));
    tokens.clear();
    tokens.resize(rows.len() * width, 0);
    match width {
        8 => copy::<8>(columns.words, rows, tokens),
        16 => copy::<16>(columns.words, rows, tokens),
        32 => copy::<32>(columns.words, rows, tokens),
        _ => {
            for (to, row) in tokens.chunks_exact_mut(width).zip(rows) {
                to.copy_from_slice(columns.token(*row as usize));
            }
        }
    }
    let mut counts = [0; TILE_ROWS];
    let counts = &mut counts[..rows.len()];
    counter.one_by_one(width, tokens, tokens, counts);
    ones.clear();
    ones.extend(counts.iter().map(|count| *count as u16));
}

fn copy<const W: usize>(words: &[u64], rows: &[u32], tokens: &mut [u64]) {
    let (from, to) = (words.as_chunks::<W>().0, tokens.as_chunks_mut::<W>().0);
    for (to, row) in to.iter_mut().zip(rows) {
        *to = from[*row as usize];
    }
}
