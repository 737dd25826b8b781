//! Tables of bit planes: for a block of records, each group and each value that a sketch can have
//! in it, one bit for each record that says whether the two differ there in at least two bits.

#![allow(
    clippy::indexing_slicing,
    reason = "indices are taps of the layout and values below the group's number of planes"
)]

use crate::isa::{Cpu, Lanes, Line, Work};
use crate::sketch::{CHUNK, Layout, SIZE_MAX, column_lines, columns};

/// Bits in which a group must differ to count. Counting groups that differ in two or more and
/// taking twice their number bounds the distance from below; with one bit fewer groups would tell
/// strangers apart, with three too few would count.
pub(crate) const DISTANCE: i32 = 2;

/// The columns of the records of a block: bit `r` of line `tap(i)` is bit `i` of record `r`.
pub(crate) struct BlockColumns {
    lines: Vec<Line>,
    /// Columns of 64 records each, before they are put together.
    chunks: Vec<Line>,
}

impl BlockColumns {
    pub(crate) fn new() -> Self {
        Self {
            lines: Vec::new(),
            chunks: Vec::new(),
        }
    }

    /// The columns, by tap.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Turns the tokens of a block, at most 512, into columns.
    pub(crate) fn fill(&mut self, cpu: Cpu, tokens: &[&[u64]], width: usize) {
        let len = column_lines(width);
        self.chunks.resize(8 * len, Line::ZERO);
        self.lines.resize(8 * len, Line::ZERO);
        for (at, chunk) in self.chunks.chunks_exact_mut(len).enumerate() {
            let start = (at * CHUNK).min(tokens.len());
            let end = (start + CHUNK).min(tokens.len());
            columns(cpu, &tokens[start..end], chunk);
        }
        for (at, eight) in self.lines.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            for chunk in 0..8 {
                let words = self.chunks[chunk * len + at].0;
                for (line, word) in eight.iter_mut().zip(words) {
                    line.0[chunk] = word;
                }
            }
        }
    }
}

/// The planes of a block.
pub(crate) struct Planes {
    lines: Vec<Line>,
    groups: usize,
    size: usize,
}

impl Planes {
    pub(crate) fn new() -> Self {
        Self {
            lines: Vec::new(),
            groups: 0,
            size: 0,
        }
    }

    /// Number of groups, and bits of a group.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.groups, self.size)
    }

    /// Lines of a group: a plane for each value, and one line more, so that equal values of
    /// different groups do not share a set of the cache.
    pub(crate) const fn stride(size: usize) -> usize {
        (1 << size) + 1
    }

    /// All groups' lines, [`Planes::stride`] for each.
    #[inline(always)]
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Makes the planes of the block behind `columns`.
    pub(crate) fn fill(&mut self, cpu: Cpu, layout: &Layout, columns: &BlockColumns) {
        (self.groups, self.size) = (layout.groups, layout.size);
        let stride = Self::stride(layout.size);
        self.lines.resize(layout.groups * stride, Line::ZERO);
        cpu.run(Fill {
            layout,
            columns: &columns.lines,
            planes: &mut self.lines,
        });
    }
}

struct Fill<'a> {
    layout: &'a Layout,
    columns: &'a [Line],
    planes: &'a mut [Line],
}

impl Work for Fill<'_> {
    type Output = ();

    /// A group's bits are split in two halves of at most three; for each half and each value of it
    /// two planes say whether at least one and at least two bits differ.
    #[inline(always)]
    fn run<L: Lanes>(self, proof: L::Proof) {
        let size = self.layout.size;
        let stride = Planes::stride(size);
        let low_len = 1 << size.min(3);
        for (group, planes) in self.planes.chunks_exact_mut(stride).enumerate() {
            for at in (0..8).step_by(L::WORDS) {
                let mut bits = [L::splat(proof, 0); SIZE_MAX];
                for (k, bit) in bits.iter_mut().enumerate().take(size) {
                    for &tap in self.layout.taps(group, k) {
                        *bit = bit.xor(L::load(proof, &self.columns[tap as usize], at));
                    }
                }
                let low = half::<L>(proof, [bits[0], bits[1], bits[2]]);
                let high = half::<L>(proof, [bits[3], bits[4], bits[5]]);
                for (eight, (high_one, high_two)) in planes.chunks_mut(low_len).zip(high) {
                    // The line that pads a group may be written as well; it is never read.
                    for (plane, (low_one, low_two)) in eight.iter_mut().zip(low) {
                        let two = low_two.or(high_two).or(low_one.and(high_one));
                        two.store(plane, at);
                    }
                }
            }
        }
    }
}

/// For each value of three bits: the records that differ from it in at least one, at least two.
#[inline(always)]
fn half<L: Lanes>(proof: L::Proof, bits: [L; 3]) -> [(L, L); 8] {
    let zero = L::splat(proof, 0);
    let ones = L::splat(proof, u64::MAX);
    let mut table = [(zero, zero); 8];
    for (value, entry) in table.iter_mut().enumerate() {
        let [x, y, z] = bits;
        let x = if value & 1 == 1 { x.xor(ones) } else { x };
        let y = if value & 2 == 2 { y.xor(ones) } else { y };
        let z = if value & 4 == 4 { z.xor(ones) } else { z };
        *entry = (x.or(y).or(z), x.majority(y, z));
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::isa::Isa;
    use crate::sketch::{SIZE_MIN, Values, sketch, tap};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn a_plane_says_who_differs_in_two_bits(
            tokens in prop::collection::vec(prop::collection::vec(any::<u64>(), 3), 1..=512),
            groups in 1..4usize,
            size in SIZE_MIN..=SIZE_MAX,
        ) {
            let taps: Vec<u32> = (0..150).map(tap).collect();
            let layout = Layout::new(&taps, 8 * groups, size);
            let refs: Vec<&[u64]> = tokens.iter().map(Vec::as_slice).collect();
            for isa in Isa::available() {
                let cpu = Cpu::new(isa).unwrap();
                let mut block = BlockColumns::new();
                block.fill(cpu, &refs, 3);
                let mut planes = Planes::new();
                planes.fill(cpu, &layout, &block);
                let mut values = Values::empty();
                let chunks = values.reset(&layout, tokens.len());
                for (chunk, tokens) in chunks.into_iter().zip(refs.chunks(CHUNK)) {
                    let mut lines = vec![Line::ZERO; column_lines(3)];
                    columns(cpu, tokens, &mut lines);
                    sketch(cpu, &lines, chunk);
                }
                for record in 0..tokens.len() {
                    for group in 0..layout.groups {
                        let own = values.of(record)[group];
                        for value in 0..1_u8 << size {
                            let line = planes.lines()[group * Planes::stride(size) + value as usize];
                            let differs = line.0[record / 64] >> (record % 64) & 1 == 1;
                            prop_assert_eq!(differs, (own ^ value).count_ones() >= 2);
                        }
                    }
                }
            }
        }
    }
}
