//! Lanes of plain words: the compiler makes them into what vector registers there are.

use super::{Lanes, Line};

impl<const N: usize> Lanes for [u64; N] {
    type Proof = ();
    const WORDS: usize = N;

    #[inline(always)]
    fn splat((): (), word: u64) -> Self {
        [word; N]
    }

    #[inline(always)]
    fn load((): (), line: &Line, at: usize) -> Self {
        let mut lanes = [0; N];
        for (lane, word) in lanes.iter_mut().zip(line.0.iter().skip(at)) {
            *lane = *word;
        }
        lanes
    }

    #[inline(always)]
    fn store(self, line: &mut Line, at: usize) {
        for (word, lane) in line.0.iter_mut().skip(at).zip(self) {
            *word = lane;
        }
    }

    #[inline(always)]
    fn and(mut self, other: Self) -> Self {
        for (x, y) in self.iter_mut().zip(other) {
            *x &= y;
        }
        self
    }

    #[inline(always)]
    fn or(mut self, other: Self) -> Self {
        for (x, y) in self.iter_mut().zip(other) {
            *x |= y;
        }
        self
    }

    #[inline(always)]
    fn xor(mut self, other: Self) -> Self {
        for (x, y) in self.iter_mut().zip(other) {
            *x ^= y;
        }
        self
    }

    #[inline(always)]
    fn without(mut self, other: Self) -> Self {
        for (x, y) in self.iter_mut().zip(other) {
            *x &= !y;
        }
        self
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        self.xor(b).xor(c)
    }

    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        self.and(b).or(c.and(self.xor(b)))
    }

    #[inline(always)]
    fn common((): (), a: &[u64], b: &[u64]) -> u32 {
        a.iter().zip(b).map(|(a, b)| (a & b).count_ones()).sum()
    }

    #[inline(always)]
    fn prefetch((): (), token: &[u64]) {
        prefetch(token);
    }
}

/// Asks for the lines of `token`: every processor of the architecture knows how, and none fails.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "the instruction takes an address")]
#[inline(always)]
pub(super) fn prefetch(token: &[u64]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    for line in token.chunks(8) {
        // SAFETY: a prefetch reads nothing and cannot fault; SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}

/// No instruction for it outside x86-64 is stable in Rust.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn prefetch(_token: &[u64]) {}
