//! Sketches: tokens folded to fewer bits, so that a Hamming distance can only shrink, and dealt to
//! small groups whose distances can be looked up.
//!
//! Every bit of a sketch is the exclusive or of one or more bits of the token, and no bit of the
//! token is used twice: each bit in which two sketches differ needs a bit in which the tokens do.

#![allow(
    clippy::indexing_slicing,
    reason = "indices are taps of the layout, below the number of a token's columns"
)]

use crate::isa::{Cpu, Lanes, Line, Work};

/// Records whose bits are turned into columns at a time.
pub(crate) const CHUNK: usize = 64;

/// Bits of a group at least: smaller groups differ in two bits too seldom.
pub(crate) const SIZE_MIN: usize = 5;

/// Bits of a group at most: a group's table has two to their power planes.
pub(crate) const SIZE_MAX: usize = 6;

/// Which bits of a token make up which group of its sketch.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Number of groups; a multiple of 8.
    pub(crate) groups: usize,
    /// Bits of a group.
    pub(crate) size: usize,
    /// Taps of bit `k` of group `q`: those of bin `q * size + k`.
    bins: Vec<Vec<u32>>,
}

impl Layout {
    /// Deals the bits of a token, named by their columns in `taps` from the most to the least
    /// telling. The most telling stand alone, the others share a bin; neighbours go to different
    /// groups.
    pub(crate) fn new(taps: &[u32], groups: usize, size: usize) -> Self {
        let bins_len = groups * size;
        let mut bins = vec![Vec::new(); bins_len];
        let place = |rank: usize| (rank % groups) * size + rank / groups;
        let (alone, shared) = taps.split_at(taps.len().min(bins_len));
        for (rank, tap) in alone.iter().enumerate() {
            bins[place(rank)].push(*tap);
        }
        for (rank, tap) in (0..bins_len).rev().cycle().zip(shared) {
            bins[place(rank)].push(*tap);
        }
        Self { groups, size, bins }
    }

    /// The columns that bit `k` of group `q` folds together.
    pub(crate) fn taps(&self, group: usize, k: usize) -> &[u32] {
        &self.bins[group * self.size + k]
    }
}

/// Column of a token's bit: where [`columns`] puts it, in words.
pub(crate) fn tap(bit: usize) -> u32 {
    let (word, at) = (bit / 64, bit % 64);
    (((word / 8) * 64 + at) * 8 + word % 8) as u32
}

/// The lines that the columns of tokens of `width` words take.
pub(crate) fn column_lines(width: usize) -> usize {
    width.div_ceil(8) * 64
}

/// Turns up to 64 tokens into columns: bit `r` of word [`tap`]`(i)` is bit `i` of token `r`.
pub(crate) fn columns(cpu: Cpu, tokens: &[&[u64]], out: &mut [Line]) {
    cpu.run(Columns { tokens, out });
}

struct Columns<'a> {
    tokens: &'a [&'a [u64]],
    out: &'a mut [Line],
}

impl Work for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _proof: L::Proof) {
        for (strip, square) in self.out.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            for (r, line) in square.iter_mut().enumerate() {
                *line = Line::ZERO;
                let token = self.tokens.get(r).copied().unwrap_or(&[]);
                let words = token.get(8 * strip..).unwrap_or(&[]);
                for (to, from) in line.0.iter_mut().zip(words) {
                    *to = *from;
                }
            }
            transpose(square);
        }
    }
}

/// Transposes eight matrices of 64 x 64 bits, one for each word of the lines: by halves of the
/// matrix, then of the halves, and so on (Warren, Hacker's Delight, 2nd ed., section 7-3).
#[inline(always)]
fn transpose(square: &mut [Line; 64]) {
    let mut half = 32;
    let mut mask = 0x0000_0000_ffff_ffff_u64;
    while half > 0 {
        for pair in square.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (x, y) in low.iter_mut().zip(high) {
                for (x, y) in x.0.iter_mut().zip(&mut y.0) {
                    let swapped = ((*x >> half) ^ *y) & mask;
                    *y ^= swapped;
                    *x ^= swapped << half;
                }
            }
        }
        half /= 2;
        mask ^= mask << half;
    }
}

/// Sketches of records in a row: for each of them a byte for each group, below two to the power of
/// the group's bits.
pub(crate) struct Values {
    bytes: Vec<u8>,
    groups: usize,
    size: usize,
}

impl Values {
    pub(crate) fn empty() -> Self {
        Self {
            bytes: Vec::new(),
            groups: 0,
            size: 0,
        }
    }

    /// Makes room for the sketches of `records` records, to be written by [`sketch`] in chunks of
    /// [`CHUNK`].
    pub(crate) fn reset<'a>(&'a mut self, layout: &'a Layout, records: usize) -> Vec<Chunk<'a>> {
        (self.groups, self.size) = (layout.groups, layout.size);
        self.bytes.clear();
        self.bytes.resize(records * layout.groups, 0);
        self.bytes
            .chunks_mut(CHUNK * layout.groups)
            .map(|bytes| Chunk { bytes, layout })
            .collect()
    }

    /// The groups of a record and the bits of a group.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.groups, self.size)
    }

    /// The groups of record `at`: [`Values::shape`] says how many.
    #[inline(always)]
    pub(crate) fn of(&self, at: usize) -> &[u8] {
        &self.bytes[at * self.groups..(at + 1) * self.groups]
    }
}

/// Room for the sketches of one chunk. Only [`sketch`] writes them, by the layout that they were
/// made for: so no value is larger than its group allows.
pub(crate) struct Chunk<'a> {
    bytes: &'a mut [u8],
    layout: &'a Layout,
}

/// Sketches the records behind `columns`.
pub(crate) fn sketch(cpu: Cpu, columns: &[Line], out: Chunk<'_>) {
    cpu.run(Sketch {
        layout: out.layout,
        columns,
        out: out.bytes,
    });
}

struct Sketch<'a> {
    layout: &'a Layout,
    columns: &'a [Line],
    out: &'a mut [u8],
}

impl Work for Sketch<'_> {
    type Output = ();

    /// Eight groups make eight bytes, the rows of a matrix that is transposed back into records.
    #[inline(always)]
    fn run<L: Lanes>(self, _proof: L::Proof) {
        let Self {
            layout,
            columns,
            out,
        } = self;
        let octets = layout.groups / 8;
        for first in (0..octets).step_by(8) {
            let mut square = [Line::ZERO; 64];
            let here = (octets - first).min(8);
            for octet in 0..here {
                for group in 0..8 {
                    for k in 0..layout.size {
                        let taps = layout.taps(8 * (first + octet) + group, k);
                        square[8 * group + k].0[octet] = fold(columns, taps);
                    }
                }
            }
            transpose(&mut square);
            for (record, line) in out.chunks_exact_mut(layout.groups).zip(&square) {
                let bytes = &mut record[8 * first..8 * (first + here)];
                for (eight, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(line.0) {
                    *eight = word.to_le_bytes();
                }
            }
        }
    }
}

#[inline(always)]
fn fold(columns: &[Line], taps: &[u32]) -> u64 {
    taps.iter().fold(0, |sum, &tap| {
        sum ^ columns[tap as usize / 8].0[tap as usize % 8]
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::isa::Isa;

    fn words(bits: usize) -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(any::<u64>(), bits.div_ceil(64))
    }

    fn distance(a: &[u64], b: &[u64]) -> u32 {
        a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
    }

    proptest! {
        #[test]
        fn columns_are_the_bits(
            tokens in (1..20usize).prop_flat_map(|w| prop::collection::vec(words(64 * w), 1..=64)),
        ) {
            let width = tokens[0].len();
            let refs: Vec<&[u64]> = tokens.iter().map(Vec::as_slice).collect();
            for isa in Isa::available() {
                let mut out = vec![Line([7; 8]); column_lines(width)];
                columns(Cpu::new(isa).unwrap(), &refs, &mut out);
                for bit in 0..64 * width {
                    let tap = tap(bit) as usize;
                    let column = out[tap / 8].0[tap % 8];
                    for r in 0..64 {
                        let set = |t: &Vec<u64>| t[bit / 64] >> (bit % 64) & 1 == 1;
                        let expected = tokens.get(r).is_some_and(set);
                        prop_assert_eq!(column >> r & 1 == 1, expected);
                    }
                }
            }
        }

        #[test]
        fn a_sketch_is_never_farther_apart_than_its_tokens(
            a in words(320), b in words(320), flips in prop::collection::vec(0..320usize, 0..40),
            groups in 1..20usize, size in SIZE_MIN..=SIZE_MAX,
        ) {
            let mut close = a.clone();
            for flip in flips {
                close[flip / 64] ^= 1 << (flip % 64);
            }
            let taps: Vec<u32> = (0..320).map(tap).collect();
            let layout = Layout::new(&taps, 8 * groups, size);
            let cpu = Cpu::new(Isa::best()).unwrap();
            let mut lines = vec![Line::ZERO; column_lines(5)];
            columns(cpu, &[&a, &b, &close], &mut lines);
            let mut values = Values::empty();
            for chunk in values.reset(&layout, 3) {
                sketch(cpu, &lines, chunk);
            }
            let sketched = |x: usize, y: usize| -> u32 {
                values.of(x).iter().zip(values.of(y)).map(|(x, y)| (x ^ y).count_ones()).sum()
            };
            prop_assert!(values.bytes.iter().all(|v| usize::from(*v) < 1 << size));
            prop_assert!(sketched(0, 1) <= distance(&a, &b));
            prop_assert!(sketched(0, 2) <= distance(&a, &close));
            if groups * 8 * size >= 320 {
                prop_assert_eq!(sketched(0, 1), distance(&a, &b));
            }
        }
    }
}
