//! The filter of the slice join: counts, for 512 records at a time, the groups in which they differ
//! from a query, by adding planes bit by bit.

#![allow(
    unsafe_code,
    reason = "a check of bounds for every plane takes as long as adding it"
)]
#![allow(
    clippy::indexing_slicing,
    reason = "constant indices into arrays of constant length"
)]

use std::ops::Range;

use crate::isa::{Cpu, Lanes, Line, Work};
use crate::planes::Planes;
use crate::sketch::{SIZE_MAX, SIZE_MIN, Values};

/// Queries that some record of the block may agree with, and these records.
pub(crate) struct Survivors {
    entries: Vec<(u32, Line)>,
    len: usize,
}

impl Survivors {
    /// Room for `capacity` queries.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: vec![(0, Line::ZERO); capacity + 1],
            len: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Queries that more can be taken of.
    pub(crate) fn room(&self) -> usize {
        self.entries.len() - 1 - self.len
    }

    /// Queries, each with a bit for every record that survived; at least one is set.
    pub(crate) fn entries(&self) -> &[(u32, Line)] {
        self.entries.get(..self.len).unwrap_or(&[])
    }
}

/// Adds to `survivors` what of `live` differs from each query in at most `most` groups. There must
/// be room for all queries.
pub(crate) fn filter(
    cpu: Cpu,
    planes: &Planes,
    values: &Values,
    queries: Range<usize>,
    most: usize,
    live: Line,
    survivors: &mut Survivors,
) {
    let groups = planes.shape().0;
    // A counter of k bits starts so that it overflows at `most + 1`, and must not do so twice.
    let fits = |k: u32| most < 1 << k && groups <= most + (1 << k);
    let job = Filter::<0, 0> {
        planes,
        values,
        queries,
        most,
        live,
        survivors,
    };
    // Constant strides are part of the load instructions.
    if planes.shape().1 == SIZE_MAX {
        match (fits(5), fits(6), fits(7)) {
            (true, _, _) => cpu.run(job.of::<5, SIZE_MAX>()),
            (_, true, _) => cpu.run(job.of::<6, SIZE_MAX>()),
            (_, _, true) => cpu.run(job.of::<7, SIZE_MAX>()),
            _ => cpu.run(job.of::<8, SIZE_MAX>()),
        }
    } else {
        match (fits(5), fits(6), fits(7)) {
            (true, _, _) => cpu.run(job.of::<5, SIZE_MIN>()),
            (_, true, _) => cpu.run(job.of::<6, SIZE_MIN>()),
            (_, _, true) => cpu.run(job.of::<7, SIZE_MIN>()),
            _ => cpu.run(job.of::<8, SIZE_MIN>()),
        }
    }
}

/// A filter with counters of `K` bits, for groups of `SIZE` bits.
struct Filter<'a, const K: usize, const SIZE: usize> {
    planes: &'a Planes,
    values: &'a Values,
    queries: Range<usize>,
    most: usize,
    live: Line,
    survivors: &'a mut Survivors,
}

impl<'a> Filter<'a, 0, 0> {
    fn of<const K: usize, const SIZE: usize>(self) -> Filter<'a, K, SIZE> {
        Filter {
            planes: self.planes,
            values: self.values,
            queries: self.queries,
            most: self.most,
            live: self.live,
            survivors: self.survivors,
        }
    }
}

impl<const K: usize, const SIZE: usize> Work for Filter<'_, K, SIZE> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, proof: L::Proof) {
        let (groups, size) = self.planes.shape();
        let stride = const { Planes::stride(SIZE) };
        // What the reads below rely on; values are below 2^size by construction.
        assert!(size == SIZE && self.values.shape() == (groups, size));
        assert!(groups % 8 == 0 && self.planes.lines().len() == groups * stride);
        let start = ((1_usize << K) - 1).saturating_sub(self.most);
        let mut initial = [L::splat(proof, 0); K];
        for (bit, word) in initial.iter_mut().enumerate() {
            if start >> bit & 1 == 1 {
                *word = L::splat(proof, u64::MAX);
            }
        }
        let zero = L::splat(proof, 0);
        for query in self.queries {
            let values = self.values.of(query);
            let mut line = self.live;
            for at in (0..8).step_by(L::WORDS) {
                let mut sum = Counter {
                    bits: initial,
                    over: zero,
                };
                let mut planes = self.planes.lines();
                let (sixteens, rest) = values.as_chunks::<16>();
                for values in sixteens {
                    sum.add_sixteen(proof, planes, stride, values, at);
                    planes = &planes[16 * stride..];
                }
                for values in rest.as_chunks::<8>().0 {
                    sum.add_eight(proof, planes, stride, values, at);
                }
                let live = L::load(proof, &self.live, at);
                live.without(sum.over).store(&mut line, at);
            }
            let survivors = &mut *self.survivors;
            // Written in any case and kept if not zero: a branch would be mispredicted.
            survivors.entries[survivors.len] = (query as u32, line);
            survivors.len += usize::from(line != Line::ZERO);
        }
    }
}

/// Counters of `K` bits, one for each lane, and whether they have overflowed.
struct Counter<L, const K: usize> {
    bits: [L; K],
    over: L,
}

impl<L: Lanes, const K: usize> Counter<L, K> {
    /// The sum bit stays in `bit`; the carry is returned.
    #[inline(always)]
    fn full_adder(bit: &mut L, x: L, y: L) -> L {
        let old = *bit;
        *bit = old.xor3(x, y);
        old.majority(x, y)
    }

    /// Adds a bit of weight 2^from.
    #[inline(always)]
    fn ripple(&mut self, mut carry: L, from: usize) {
        for level in from..K {
            let old = self.bits[level];
            self.bits[level] = old.xor(carry);
            carry = old.and(carry);
        }
        self.over = self.over.or(carry);
    }

    /// Adds two planes of weight one; the carry has weight two.
    #[inline(always)]
    fn two(
        &mut self,
        proof: L::Proof,
        planes: &[Line],
        stride: usize,
        values: &[u8],
        at: usize,
        group: usize,
    ) -> L {
        let x = plane(proof, planes, stride, values, at, group);
        let y = plane(proof, planes, stride, values, at, group + 1);
        Self::full_adder(&mut self.bits[0], x, y)
    }

    /// Adds four planes; the carry has weight four.
    #[inline(always)]
    fn four(
        &mut self,
        proof: L::Proof,
        planes: &[Line],
        stride: usize,
        values: &[u8],
        at: usize,
        group: usize,
    ) -> L {
        let x = self.two(proof, planes, stride, values, at, group);
        let y = self.two(proof, planes, stride, values, at, group + 2);
        Self::full_adder(&mut self.bits[1], x, y)
    }

    /// Adds eight planes; the carry has weight eight.
    #[inline(always)]
    fn eight(
        &mut self,
        proof: L::Proof,
        planes: &[Line],
        stride: usize,
        values: &[u8],
        at: usize,
        group: usize,
    ) -> L {
        let x = self.four(proof, planes, stride, values, at, group);
        let y = self.four(proof, planes, stride, values, at, group + 4);
        Self::full_adder(&mut self.bits[2], x, y)
    }

    #[inline(always)]
    fn add_eight(
        &mut self,
        proof: L::Proof,
        planes: &[Line],
        stride: usize,
        values: &[u8; 8],
        at: usize,
    ) {
        let carry = self.eight(proof, planes, stride, values, at, 0);
        self.ripple(carry, 3);
    }

    #[inline(always)]
    fn add_sixteen(
        &mut self,
        proof: L::Proof,
        planes: &[Line],
        stride: usize,
        values: &[u8; 16],
        at: usize,
    ) {
        let x = self.eight(proof, planes, stride, values, at, 0);
        let y = self.eight(proof, planes, stride, values, at, 8);
        let carry = Self::full_adder(&mut self.bits[3], x, y);
        self.ripple(carry, 4);
    }
}

/// The plane of group `group` for its value.
#[inline(always)]
fn plane<L: Lanes>(
    proof: L::Proof,
    planes: &[Line],
    stride: usize,
    values: &[u8],
    at: usize,
    group: usize,
) -> L {
    let plane = group * stride + usize::from(values[group]);
    debug_assert!(plane < planes.len());
    // SAFETY: `planes` holds `stride` lines for each of `values`, and a value is below `stride`:
    // both were asserted or hold by construction at the head of the filter.
    L::load(proof, unsafe { planes.get_unchecked(plane) }, at)
}
