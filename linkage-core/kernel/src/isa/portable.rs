//! Lanes of one plain word, which every processor has.

#![allow(
    clippy::indexing_slicing,
    reason = "indices are taken modulo the length"
)]

use super::{Lanes, Line};

impl Lanes for u64 {
    type Proof = ();
    const WORDS: usize = 1;

    #[inline(always)]
    fn splat((): (), word: u64) -> Self {
        word
    }

    #[inline(always)]
    fn load((): (), line: &Line, at: usize) -> Self {
        line.0[at % 8]
    }

    #[inline(always)]
    fn store(self, line: &mut Line, at: usize) {
        line.0[at % 8] = self;
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn without(self, other: Self) -> Self {
        self & !other
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        self ^ b ^ c
    }

    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        self & b | c & (self ^ b)
    }

    #[inline(always)]
    fn common((): (), a: &[u64], b: &[u64]) -> u32 {
        common(a, b)
    }

    #[inline(always)]
    fn prefetch((): (), token: &[u64]) {
        prefetch(token);
    }
}

/// Number of bits set in both, by whatever instructions the caller is compiled for.
#[inline(always)]
pub(super) fn common(a: &[u64], b: &[u64]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a & b).count_ones()).sum()
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
