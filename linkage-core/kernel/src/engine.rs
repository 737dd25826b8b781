//! The join itself: every tile of one side against every block of the other.

use std::ops::Range;

use rayon::prelude::*;

use crate::dense::{self, Found, Tiles};
use crate::filter::{Survivors, filter};
use crate::isa::{Cpu, Line};
use crate::join::Hit;
use crate::order::{Order, pieces};
use crate::plan::Costs;
use crate::planes::{BlockColumns, DISTANCE, Planes};
use crate::rule::Rule;
use crate::sketch::{CHUNK, Layout, Values, column_lines, columns, sketch};
use crate::verify::{Parts, verify};

/// Queries of a tile: their tokens and sketches stay in the last level of the cache, where all
/// threads read them.
pub(crate) const TILE: usize = 32_768;

/// Queries that are filtered before what is left of them is compared.
const BATCH: usize = 1024;

/// After a batch of which too much was left, as many batches are not filtered at all.
const REST: usize = 15;

/// Hits that are collected before they are handed out.
const HITS: usize = 8192;

/// Some records in a row, copied together: places `start..` of an order.
pub(crate) struct Packed {
    start: usize,
    width: usize,
    words: Vec<u64>,
    ones: Vec<u16>,
    ids: Vec<u32>,
}

impl Packed {
    pub(crate) fn new() -> Self {
        Self {
            start: 0,
            width: 1,
            words: Vec::new(),
            ones: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// Copies the records at `places`.
    pub(crate) fn fill(&mut self, order: &Order<'_>, places: Range<usize>) {
        (self.start, self.width) = (places.start, order.rows.width());
        self.words.clear();
        self.words.reserve(places.len() * self.width);
        for place in places.clone() {
            self.words.extend_from_slice(order.token(place));
        }
        self.ones.clear();
        let ones = order.ones.get(places.clone()).unwrap_or(&[]);
        self.ones.extend_from_slice(ones);
        self.ids.clear();
        let ids = order.ids.get(places).unwrap_or(&[]);
        self.ids.extend_from_slice(ids);
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    #[inline(always)]
    pub(crate) fn token(&self, at: usize) -> &[u64] {
        let words = at * self.width..(at + 1) * self.width;
        self.words.get(words).unwrap_or(&[])
    }

    pub(crate) fn tokens(&self) -> Vec<&[u64]> {
        (0..self.len()).map(|at| self.token(at)).collect()
    }

    #[inline(always)]
    pub(crate) fn count(&self, at: usize) -> usize {
        self.ones.get(at).copied().unwrap_or(0).into()
    }

    pub(crate) fn id(&self, at: u32) -> u32 {
        self.ids.get(at as usize).copied().unwrap_or(u32::MAX)
    }
}

/// All that a join is made of.
pub(crate) struct Engine<'a> {
    pub(crate) cpu: Cpu,
    pub(crate) rule: &'a Rule,
    /// The queries, in tiles.
    pub(crate) a: &'a Order<'a>,
    /// The records, in blocks; the same order where pairs within one register are sought.
    pub(crate) b: &'a Order<'a>,
    pub(crate) within: bool,
    /// Whether `a` and `b` have changed roles.
    pub(crate) swapped: bool,
    /// How to filter; `None`: not at all.
    pub(crate) layout: Option<&'a Layout>,
}

impl Engine<'_> {
    /// Hands all hits to `sink`, some at a time and in no order.
    pub(crate) fn run(&self, sink: &(impl Fn(&[Hit]) + Sync)) {
        let mut tile = Packed::new();
        let mut values = Values::empty();
        for places in pieces(self.a.len(), TILE) {
            tile.fill(self.a, places);
            if let Some(layout) = self.layout {
                self.sketch(layout, &tile, &mut values);
            }
            let blocks: Vec<_> = pieces(self.b.len(), Line::RECORDS).collect();
            blocks
                .into_par_iter()
                .for_each_init(Scratch::new, |scratch, places| {
                    self.block(&tile, &values, places, scratch, sink);
                    scratch.hand_out(1, sink);
                });
        }
    }

    fn sketch(&self, layout: &Layout, tile: &Packed, values: &mut Values) {
        let chunks = values.reset(layout, tile.len());
        let lines = column_lines(tile.width);
        chunks.into_par_iter().enumerate().for_each_init(
            || vec![Line::ZERO; lines],
            |lines, (at, chunk)| {
                let end = tile.len().min((at + 1) * CHUNK);
                let tokens: Vec<&[u64]> = (at * CHUNK..end).map(|at| tile.token(at)).collect();
                columns(self.cpu, &tokens, lines);
                sketch(self.cpu, lines, chunk);
            },
        );
    }

    /// Compares a tile with the block at `places`.
    fn block(
        &self,
        tile: &Packed,
        values: &Values,
        places: Range<usize>,
        scratch: &mut Scratch,
        sink: &impl Fn(&[Hit]),
    ) {
        let mut window = self.a.window(self.rule, self.b.counts(&places));
        if self.within {
            // Every pair once, the earlier place as the query.
            window.end = window.end.min(places.end - 1);
        }
        let start = window.start.max(tile.start) - tile.start;
        let end = window
            .end
            .min(tile.start + tile.len())
            .saturating_sub(tile.start);
        if start >= end {
            return;
        }
        scratch.block.fill(self.b, places);
        scratch.tiles_ready = false;
        let Some(layout) = self.layout else {
            self.compare(tile, start..end, scratch, sink);
            return;
        };
        let tokens = scratch.block.tokens();
        scratch.columns.fill(self.cpu, &tokens, tile.width);
        scratch.planes.fill(self.cpu, layout, &scratch.columns);
        self.slices(tile, values, start..end, scratch, sink);
    }

    /// The slice join of a block: filters queries of equal popcount together, because they share a
    /// limit.
    fn slices(
        &self,
        tile: &Packed,
        values: &Values,
        queries: Range<usize>,
        scratch: &mut Scratch,
        sink: &impl Fn(&[Hit]),
    ) {
        let most_ones = scratch.block.count(scratch.block.len() - 1);
        let live = Line::first(scratch.block.len());
        // Queries from here on are filtered, but not yet compared.
        let mut pending = queries.start;
        let mut at = queries.start;
        while at < queries.end {
            let ones = tile.count(at);
            let rest = tile.ones.get(at..queries.end).unwrap_or(&[]);
            let run = at..at
                + rest
                    .partition_point(|&other| usize::from(other) == ones)
                    .max(1);
            match allowed(self.rule, ones + most_ones) {
                None => {}
                Some(most) => {
                    let mut from = run.start;
                    while from < run.end {
                        let to = run.end.min(from + scratch.survivors.room());
                        filter(
                            self.cpu,
                            &scratch.planes,
                            values,
                            from..to,
                            most,
                            live,
                            &mut scratch.survivors,
                        );
                        from = to;
                        if scratch.survivors.room() == 0 {
                            let crowded = self.settle(tile, pending..to, scratch, sink);
                            if crowded {
                                from = queries.end.min(to + REST * BATCH);
                                self.compare(tile, to..from, scratch, sink);
                            }
                            pending = from;
                        }
                    }
                    at = from;
                    continue;
                }
            }
            at = run.end;
        }
        self.settle(tile, pending..queries.end, scratch, sink);
    }

    /// Compares what the filter has left of `queries`; whether that was so much that comparing all
    /// was cheaper, and was done.
    fn settle(
        &self,
        tile: &Packed,
        queries: Range<usize>,
        scratch: &mut Scratch,
        sink: &impl Fn(&[Hit]),
    ) -> bool {
        let left: u32 = scratch
            .survivors
            .entries()
            .iter()
            .flat_map(|(_, line)| line.0)
            .map(u64::count_ones)
            .sum();
        let costs = Costs::of(self.cpu);
        let pairs = (queries.len() * scratch.block.len()) as f64;
        let crowded = f64::from(left) * costs.pair(tile.width) > pairs * costs.full(tile.width);
        if crowded {
            self.compare(tile, queries, scratch, sink);
        } else {
            verify(
                self.cpu,
                self.rule,
                (tile, &scratch.block),
                &scratch.survivors,
                &mut scratch.parts,
                &mut scratch.found,
            );
            self.take(tile, scratch, sink);
        }
        scratch.survivors.clear();
        crowded
    }

    /// Compares `queries` with the whole block at full width.
    fn compare(
        &self,
        tile: &Packed,
        queries: Range<usize>,
        scratch: &mut Scratch,
        sink: &impl Fn(&[Hit]),
    ) {
        if !scratch.tiles_ready {
            let tokens = scratch.block.tokens();
            scratch.tiles.fill(self.cpu, &tokens, tile.width);
            scratch.tiles_ready = true;
        }
        let least_ones = scratch.block.count(0);
        for batch in pieces(queries.len(), BATCH / 4) {
            let first = queries.start + batch.start;
            let batch = first..queries.start + batch.end;
            let floor = |at| self.rule.need(tile.count(at) + least_ones);
            let floors: Vec<u32> = batch.clone().map(floor).collect();
            let tokens: Vec<&[u64]> = batch.map(|at| tile.token(at)).collect();
            dense::score(
                self.cpu,
                &tokens,
                &floors,
                &scratch.tiles,
                &mut scratch.found,
            );
            for found in &mut scratch.found {
                found.query += first as u32;
            }
            self.take(tile, scratch, sink);
        }
    }

    /// Turns what was found into hits.
    fn take(&self, tile: &Packed, scratch: &mut Scratch, sink: &impl Fn(&[Hit])) {
        let block = &scratch.block;
        for found in scratch.found.drain(..) {
            let (query, record) = (found.query as usize, found.record as usize);
            let sum = tile.count(query) + block.count(record);
            let ordered = !self.within || tile.start + query < block.start + record;
            let accepted = found.intersection >= self.rule.need(sum);
            if record < block.len() && ordered && accepted {
                let (mut a, mut b) = (tile.id(found.query), block.id(found.record));
                if self.swapped || (self.within && a > b) {
                    (a, b) = (b, a);
                }
                scratch.hits.push(Hit {
                    a,
                    b,
                    intersection: found.intersection,
                });
            }
        }
        scratch.hand_out(HITS, sink);
    }
}

/// Groups in which two tokens may differ that have at most `sum` bits set together; `None` if no
/// such pair is accepted.
pub(crate) fn allowed(rule: &Rule, sum: usize) -> Option<usize> {
    usize::try_from(rule.limit(sum) / DISTANCE)
        .ok()
        .filter(|_| rule.limit(sum) >= 0)
}

/// What a thread needs for a block, kept from one to the next.
struct Scratch {
    block: Packed,
    columns: BlockColumns,
    planes: Planes,
    tiles: Tiles,
    /// Whether `tiles` are those of `block`.
    tiles_ready: bool,
    survivors: Survivors,
    parts: Parts,
    found: Vec<Found>,
    hits: Vec<Hit>,
}

impl Scratch {
    fn new() -> Self {
        Self {
            block: Packed::new(),
            columns: BlockColumns::new(),
            planes: Planes::new(),
            tiles: Tiles::new(),
            tiles_ready: false,
            survivors: Survivors::new(BATCH),
            parts: Parts::new(),
            found: Vec::new(),
            hits: Vec::new(),
        }
    }

    /// Hands the hits to `sink` if there are at least `least`.
    fn hand_out(&mut self, least: usize, sink: &impl Fn(&[Hit])) {
        if self.hits.len() >= least {
            sink(&self.hits);
            self.hits.clear();
        }
    }
}
