//! The full-width kernel: ANDs and counts all words of every pair of some queries and a block of
//! records.
//!
//! The records of a block are interleaved in tiles, so that a register holds the same word of
//! several records and a query's word is broadcast over it: no sum across a register is ever
//! needed, and a few queries against a tile keep all their counters in registers. Each counter is
//! compared with a floor of its query; what reaches it is handed out with its intersection.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use crate::isa::{Cpu, Line};

/// Queries that a tile is compared with at a time.
const QUERIES: usize = 8;

/// Words that can be counted byte by byte before a byte overflows: 31 times 8 bits.
const BYTE_WORDS: usize = 31;

/// A pair that reached its query's floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Number of the query.
    pub(crate) query: u32,
    /// Number of the record in its block.
    pub(crate) record: u32,
    /// Number of bits set in both.
    pub(crate) intersection: u32,
}

/// Records in tiles. Within a tile, line `i` holds word `i` of eight records; on AVX-512, half word
/// `i` of sixteen.
pub(crate) struct Tiles {
    lines: Vec<Line>,
    records: usize,
    width: usize,
}

impl Tiles {
    pub(crate) fn new() -> Self {
        Self {
            lines: Vec::new(),
            records: 0,
            width: 0,
        }
    }

    /// Interleaves tokens of `width` words.
    pub(crate) fn fill(&mut self, cpu: Cpu, tokens: &[&[u64]], width: usize) {
        (self.records, self.width) = (tokens.len(), width);
        let (of_tile, lines) = Self::shape(cpu, width);
        self.lines.clear();
        self.lines
            .resize(tokens.len().div_ceil(of_tile) * lines, Line::ZERO);
        for (tile, tokens) in self
            .lines
            .chunks_exact_mut(lines)
            .zip(tokens.chunks(of_tile))
        {
            for (lane, token) in tokens.iter().enumerate() {
                interleave(tile, lane, token, of_tile);
            }
        }
    }

    /// Records and lines of a tile.
    fn shape(cpu: Cpu, width: usize) -> (usize, usize) {
        match cpu {
            #[cfg(target_arch = "x86_64")]
            Cpu::Avx512(_) => (16, 2 * width),
            _ => (8, width),
        }
    }
}

/// Writes a token into lane `lane` of a tile of eight records of whole words, or sixteen of halves.
fn interleave(tile: &mut [Line], lane: usize, token: &[u64], of_tile: usize) {
    if of_tile == 8 {
        for (line, word) in tile.iter_mut().zip(token) {
            if let Some(to) = line.0.get_mut(lane) {
                *to = *word;
            }
        }
        return;
    }
    let (at, shift) = (lane / 2, 32 * (lane % 2));
    for (pair, word) in tile.as_chunks_mut::<2>().0.iter_mut().zip(token) {
        let [low, high] = pair;
        if let (Some(low), Some(high)) = (low.0.get_mut(at), high.0.get_mut(at)) {
            *low |= (word & 0xffff_ffff) << shift;
            *high |= (word >> 32) << shift;
        }
    }
}

/// Compares all `queries` with all records of `tiles` and adds to `found` the pairs whose
/// intersection reaches the query's floor. Where a floor is zero, so may be records beyond the
/// last: the caller takes none of these.
pub(crate) fn score(
    cpu: Cpu,
    queries: &[&[u64]],
    floors: &[u32],
    tiles: &Tiles,
    found: &mut Vec<Found>,
) {
    let width = tiles.width;
    let (_, lines) = Tiles::shape(cpu, width);
    for (group, (queries, floors)) in (0..).zip(queries.chunks(QUERIES).zip(floors.chunks(QUERIES)))
    {
        let Some(first) = queries.first() else {
            continue;
        };
        // Where queries are missing the first stands in, with a floor that nothing reaches.
        let mut eight = Eight {
            first: group * QUERIES as u32,
            queries: [*first; QUERIES],
            floors: [i32::MAX; QUERIES],
        };
        for (to, query) in eight.queries.iter_mut().zip(queries) {
            *to = query;
        }
        for (to, floor) in eight.floors.iter_mut().zip(floors) {
            *to = (*floor).cast_signed();
        }
        // What the kernels rely on.
        assert!(eight.queries.iter().all(|query| query.len() == width));
        match cpu {
            Cpu::Portable => portable::score(&eight, &tiles.lines, lines, found),
            #[cfg(target_arch = "x86_64")]
            Cpu::Avx2(proof) => avx2::score(proof, &eight, &tiles.lines, lines, found),
            #[cfg(target_arch = "x86_64")]
            Cpu::Avx512(proof) => avx512::score(proof, &eight, &tiles.lines, lines, found),
            #[cfg(target_arch = "aarch64")]
            Cpu::Neon => neon::score(&eight, &tiles.lines, lines, found),
        }
    }
}

/// Eight queries of one length, with their floors; none is negative.
struct Eight<'a> {
    /// Number of the first.
    first: u32,
    queries: [&'a [u64]; QUERIES],
    floors: [i32; QUERIES],
}

/// Adds those of a query's counters that reach its floor.
#[cold]
#[inline(never)]
fn emit(query: u32, floor: i32, first: usize, counts: &[u32], found: &mut Vec<Found>) {
    for (record, &intersection) in (first as u32..).zip(counts) {
        if intersection >= floor.cast_unsigned() {
            found.push(Found {
                query,
                record,
                intersection,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::isa::Isa;

    fn tokens(width: usize) -> impl Strategy<Value = Vec<Vec<u64>>> {
        let word = prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)];
        prop::collection::vec(prop::collection::vec(word, width), 0..40)
    }

    fn sides() -> impl Strategy<Value = (Vec<Vec<u64>>, Vec<Vec<u64>>, usize)> {
        prop_oneof![1..9usize, 30..65usize]
            .prop_flat_map(|width| (tokens(width), tokens(width), Just(width)))
    }

    proptest! {
        #[test]
        fn every_instruction_set_counts_right((a, b, width) in sides(), share in 0.0..1.2f64) {
            let a: Vec<&[u64]> = a.iter().map(Vec::as_slice).collect();
            let b: Vec<&[u64]> = b.iter().map(Vec::as_slice).collect();
            let floors: Vec<u32> =
                (0..a.len()).map(|i| (share * (32 * width + i) as f64) as u32).collect();
            let mut expected = Vec::new();
            for (query, &x) in a.iter().enumerate() {
                for (record, &y) in b.iter().enumerate() {
                    let intersection = x.iter().zip(y).map(|(x, y)| (x & y).count_ones()).sum();
                    if intersection >= floors[query] {
                        expected.push((query as u32, record as u32, intersection));
                    }
                }
            }
            for isa in Isa::available() {
                let cpu = Cpu::new(isa).unwrap();
                let mut tiles = Tiles::new();
                tiles.fill(cpu, &b, width);
                let mut found = Vec::new();
                score(cpu, &a, &floors, &tiles, &mut found);
                let mut found: Vec<_> = found
                    .iter()
                    .map(|f| (f.query, f.record, f.intersection))
                    .filter(|f| (f.1 as usize) < b.len())
                    .collect();
                found.sort_unstable();
                prop_assert_eq!(&found, &expected, "{:?}", isa);
            }
        }
    }
}
