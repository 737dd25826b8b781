//! Which method to use: a sample of the data decides.
//!
//! The sample is some blocks of the one side as they are, at even distances in the order by
//! popcount, and for each some queries out of its window. Every number of groups is tried on it by
//! running the filter and counting what is left; costs of an instruction set turn the count into
//! cycles.

use std::ops::Range;

use crate::engine::{TILE, allowed};
use crate::filter::{Survivors, filter};
use crate::isa::{Cpu, Line};
use crate::join::Method;
use crate::order::{Order, pieces};
use crate::planes::{BlockColumns, Planes};
use crate::rule::Rule;
use crate::sketch::{
    CHUNK, Layout, SIZE_MAX, SIZE_MIN, Values, column_lines, columns, sketch, tap,
};

/// What a join does, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The method; never [`Method::Auto`].
    pub method: Method,
    /// Groups of a sketch; 0 at full width.
    pub groups: usize,
    /// Bits of a group; 0 at full width.
    pub group_bits: usize,
    /// Pairs that popcounts leave to compare.
    pub pairs: u64,
    /// Share of them that the sample says the filter leaves; 1 at full width.
    pub left: f64,
    /// Cycles expected for all, on one core of AMD Zen 4, where the costs of the steps were
    /// measured.
    pub cycles: f64,
}

/// A plan and what carrying it out takes.
pub(crate) struct Choice {
    pub(crate) plan: Plan,
    pub(crate) layout: Option<Layout>,
}

/// Cycles of the steps: seconds that scripts/bench-kernel measured on one core of AMD Zen 4 (EPYC
/// 9004, 3.65 GHz) at 512 and 1024 bits, divided by pairs, planes or survivors. For NEON they are
/// counted from the instructions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    /// For a word of a pair at full width.
    word: f64,
    /// For a pair at full width, besides.
    base: f64,
    /// For a plane, 512 pairs.
    plane: f64,
    /// For a query and block in the filter, besides.
    line: f64,
    /// For a pair that the filter leaves.
    survivor: f64,
    /// For a word of it.
    survivor_word: f64,
}

impl Costs {
    pub(crate) fn of(cpu: Cpu) -> Self {
        match cpu {
            #[cfg(target_arch = "x86_64")]
            Cpu::Avx512(_) => Self {
                word: 0.2,
                base: 0.1,
                plane: 1.9,
                line: 8.0,
                survivor: 22.0,
                survivor_word: 0.6,
            },
            #[cfg(target_arch = "x86_64")]
            Cpu::Avx2(_) => Self {
                word: 0.62,
                base: 1.0,
                plane: 5.0,
                line: 30.0,
                survivor: 22.0,
                survivor_word: 1.3,
            },
            #[cfg(target_arch = "aarch64")]
            Cpu::Neon => Self {
                word: 0.7,
                base: 0.5,
                plane: 5.0,
                line: 40.0,
                survivor: 22.0,
                survivor_word: 2.0,
            },
            Cpu::Portable => Self {
                word: 2.6,
                base: 0.5,
                plane: 11.0,
                line: 60.0,
                survivor: 22.0,
                survivor_word: 4.0,
            },
        }
    }

    /// Cycles of a pair at full width.
    pub(crate) fn full(&self, width: usize) -> f64 {
        self.base + self.word * width as f64
    }

    /// Cycles of a pair that the filter leaves.
    pub(crate) fn pair(&self, width: usize) -> f64 {
        self.survivor + self.survivor_word * width as f64
    }

    /// Cycles of a pair in the filter.
    fn filter(&self, groups: usize) -> f64 {
        (self.line + self.plane * groups as f64) / Line::RECORDS as f64
    }

    /// Cycles of making all planes and sketches: those of a block for every tile of queries. Both
    /// are about one operation a bit for 64 records at a time.
    fn prepare(&self, layout: &Layout, (queries, records): (usize, usize), width: usize) -> f64 {
        let planes = (layout.groups << layout.size) as f64 * self.plane;
        let of_block = planes + (Line::RECORDS * width * 4) as f64;
        let blocks = records.div_ceil(Line::RECORDS) * queries.div_ceil(TILE);
        blocks as f64 * of_block + (queries * (width * 8 + layout.groups)) as f64
    }
}

/// Pairs below which trying costs more than it can gain.
const PAIRS_MIN: u64 = 1 << 21;

/// Blocks of the sample.
const BLOCKS: usize = 4;

/// Queries of the sample for each of its blocks.
const QUERIES: usize = 192;

/// Slices are used where they should take at most this share of the time at full width: a sample
/// errs.
const GAIN: f64 = 0.85;

/// Largest tables of a block in lines, 448 KB: they must stay in a second-level cache of 1 MB,
/// beside the block's rows and the queries that pass through.
const TABLE_LINES_MAX: usize = 7000;

/// Numbers of groups that are tried first; then the neighbours of the best.
const GROUPS: [usize; 11] = [32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192];

/// Decides how to compare `a`, the queries, with `b`.
pub(crate) fn choose(
    cpu: Cpu,
    rule: &Rule,
    (a, b): (&Order<'_>, &Order<'_>),
    within: bool,
    method: Method,
) -> Choice {
    let pairs = count_pairs(rule, a, b, within);
    let width = a.rows.width();
    let full_cycles = pairs as f64 * Costs::of(cpu).full(width);
    let full = Choice {
        plan: Plan {
            method: Method::FullWidth,
            groups: 0,
            group_bits: 0,
            pairs,
            left: 1.0,
            cycles: full_cycles,
        },
        layout: None,
    };
    if method == Method::FullWidth || (method == Method::Auto && pairs < PAIRS_MIN) {
        return full;
    }
    let sample = Sample::new(cpu, rule, a, b);
    let Some(best) = sample.best(pairs, (a.len(), b.len())) else {
        return full;
    };
    if method == Method::Slices || best.cycles < GAIN * full_cycles {
        Choice {
            plan: Plan {
                method: Method::Slices,
                groups: best.layout.groups,
                group_bits: best.layout.size,
                pairs,
                left: best.left,
                cycles: best.cycles,
            },
            layout: Some(best.layout),
        }
    } else {
        full
    }
}

/// Pairs that popcounts leave.
fn count_pairs(rule: &Rule, a: &Order<'_>, b: &Order<'_>, within: bool) -> u64 {
    pieces(b.len(), Line::RECORDS)
        .map(|places| {
            let mut window = a.window(rule, b.counts(&places));
            if within {
                window.end = window.end.min(places.end - 1).max(window.start);
            }
            (window.len() as u64).saturating_mul(places.len() as u64)
        })
        .sum()
}

/// A way to slice that has been tried.
struct Trial {
    layout: Layout,
    left: f64,
    cycles: f64,
}

struct Sample<'a> {
    cpu: Cpu,
    rule: &'a Rule,
    width: usize,
    blocks: Vec<SampleBlock>,
    /// Columns of a token's bits, from the one in which strangers differ most often.
    taps: Vec<u32>,
}

struct SampleBlock {
    columns: BlockColumns,
    records: usize,
    most_ones: usize,
    /// Columns of the queries, [`CHUNK`] at a time.
    queries: Vec<Vec<Line>>,
    /// Set bits of every query; never falls.
    ones: Vec<u16>,
}

impl<'a> Sample<'a> {
    fn new(cpu: Cpu, rule: &'a Rule, a: &Order<'_>, b: &Order<'_>) -> Self {
        let all: Vec<Range<usize>> = pieces(b.len(), Line::RECORDS).collect();
        let count = all.len().min(BLOCKS);
        let blocks: Vec<SampleBlock> = (0..count)
            .filter_map(|i| all.get((2 * i + 1) * all.len() / (2 * count)))
            .filter_map(|places| SampleBlock::new(cpu, rule, a, b, places.clone()))
            .collect();
        Self {
            cpu,
            rule,
            width: a.rows.width(),
            taps: telling(&blocks, rule.bits() as usize),
            blocks,
        }
    }

    /// The way to slice that should take the fewest cycles; `None` if the sample is empty.
    fn best(&self, pairs: u64, sizes: (usize, usize)) -> Option<Trial> {
        if self.blocks.is_empty() {
            return None;
        }
        let mut best = None;
        for size in [SIZE_MAX, SIZE_MIN] {
            for groups in GROUPS {
                self.attempt(groups, size, pairs, sizes, &mut best);
            }
        }
        let Some(Trial { layout, .. }) = &best else {
            // Tokens too short for any of these: a few groups, some bits of which are empty.
            return Some(self.try_layout(8, SIZE_MIN, pairs, sizes));
        };
        let (groups, size) = (layout.groups, layout.size);
        for groups in [groups - 8, groups + 8] {
            self.attempt(groups, size, pairs, sizes, &mut best);
        }
        best
    }

    /// Tries a layout, where there are bits and room for it and its planes alone do not take longer
    /// than the best.
    fn attempt(
        &self,
        groups: usize,
        size: usize,
        pairs: u64,
        sizes: (usize, usize),
        best: &mut Option<Trial>,
    ) {
        let fits = groups * size <= self.taps.len();
        let least_cycles = pairs as f64 * Costs::of(self.cpu).filter(groups);
        let hopeless = best
            .as_ref()
            .is_some_and(|best| best.cycles <= least_cycles);
        if !fits || hopeless || groups * Planes::stride(size) > TABLE_LINES_MAX {
            return;
        }
        let trial = self.try_layout(groups, size, pairs, sizes);
        if best.as_ref().is_none_or(|best| trial.cycles < best.cycles) {
            *best = Some(trial);
        }
    }

    fn try_layout(&self, groups: usize, size: usize, pairs: u64, sizes: (usize, usize)) -> Trial {
        let layout = Layout::new(&self.taps, groups, size);
        let (left, tried) = self.blocks.iter().fold((0, 0), |(left, tried), block| {
            let pairs = block.records * block.ones.len();
            (
                left + block.left(self.cpu, self.rule, &layout),
                tried + pairs,
            )
        });
        let left = left as f64 / (tried as f64).max(1.0);
        let costs = Costs::of(self.cpu);
        // A crowded batch is compared at full width.
        let compared = (left * costs.pair(self.width)).min(costs.full(self.width));
        let of_pair = costs.filter(groups) + compared;
        let cycles = pairs as f64 * of_pair + costs.prepare(&layout, sizes, self.width);
        Trial {
            layout,
            left,
            cycles,
        }
    }
}

impl SampleBlock {
    fn new(
        cpu: Cpu,
        rule: &Rule,
        a: &Order<'_>,
        b: &Order<'_>,
        places: Range<usize>,
    ) -> Option<Self> {
        let counts = b.counts(&places);
        let window = a.window(rule, counts);
        let len = window.len().min(QUERIES);
        if len == 0 {
            return None;
        }
        let chosen: Vec<usize> = (0..len)
            .map(|i| window.start + (2 * i + 1) * window.len() / (2 * len))
            .collect();
        let width = a.rows.width();
        let queries = chosen
            .chunks(CHUNK)
            .map(|places| {
                let tokens: Vec<&[u64]> = places.iter().map(|&place| a.token(place)).collect();
                let mut lines = vec![Line::ZERO; column_lines(width)];
                columns(cpu, &tokens, &mut lines);
                lines
            })
            .collect();
        let tokens: Vec<&[u64]> = places.clone().map(|place| b.token(place)).collect();
        let mut columns = BlockColumns::new();
        columns.fill(cpu, &tokens, width);
        Some(Self {
            columns,
            records: places.len(),
            most_ones: counts.1,
            queries,
            ones: chosen.iter().map(|&place| a.count(place) as u16).collect(),
        })
    }

    /// Pairs that the filter leaves.
    fn left(&self, cpu: Cpu, rule: &Rule, layout: &Layout) -> u64 {
        let mut planes = Planes::new();
        planes.fill(cpu, layout, &self.columns);
        let mut values = Values::empty();
        for (chunk, lines) in values
            .reset(layout, self.ones.len())
            .into_iter()
            .zip(&self.queries)
        {
            sketch(cpu, lines, chunk);
        }
        let mut survivors = Survivors::new(self.ones.len());
        let live = Line::first(self.records);
        let mut start = 0;
        for run in self.ones.chunk_by(|x, y| x == y) {
            let sum = run.first().map_or(0, |&ones| usize::from(ones)) + self.most_ones;
            let queries = start..start + run.len();
            start = queries.end;
            if let Some(most) = allowed(rule, sum) {
                filter(cpu, &planes, &values, queries, most, live, &mut survivors);
            }
        }
        let lines = survivors.entries().iter().flat_map(|(_, line)| line.0);
        lines.map(|word| u64::from(word.count_ones())).sum()
    }
}

/// The columns of a token's bits, from the one in which a query and a record of the sample differ
/// most often.
fn telling(blocks: &[SampleBlock], bits: usize) -> Vec<u32> {
    let count = |word: u64| f64::from(word.count_ones());
    let records: usize = blocks.iter().map(|block| block.records).sum();
    let queries: usize = blocks.iter().map(|block| block.ones.len()).sum();
    let mut ranked: Vec<(f64, u32)> = (0..bits)
        .map(|bit| {
            let tap = tap(bit);
            let (line, word) = (tap as usize / 8, tap as usize % 8);
            let mut set_b = 0.0;
            let mut set_a = 0.0;
            for block in blocks {
                let column = block.columns.lines().get(tap as usize);
                set_b += column.map_or(0.0, |line| line.0.into_iter().map(count).sum());
                for chunk in &block.queries {
                    let column = chunk.get(line).and_then(|line| line.0.get(word));
                    set_a += column.map_or(0.0, |&word| count(word));
                }
            }
            let p = set_a / (queries as f64).max(1.0);
            let q = set_b / (records as f64).max(1.0);
            (p * (1.0 - q) + q * (1.0 - p), tap)
        })
        .collect();
    ranked.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
    ranked.into_iter().map(|(_, tap)| tap).collect()
}
