//! SSE2, which is part of x86-64: registers of 128 bits.

#![allow(unsafe_code, reason = "loads and stores through addresses")]

use std::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_andnot_si128, _mm_load_si128, _mm_or_si128, _mm_set1_epi64x,
    _mm_store_si128, _mm_xor_si128,
};

use super::{Lanes, Line, portable};

/// A register of 128 bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Xmm(__m128i);

impl Lanes for Xmm {
    type Proof = ();
    const WORDS: usize = 2;

    #[inline(always)]
    fn splat(_proof: (), word: u64) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Self(unsafe { _mm_set1_epi64x(word.cast_signed()) })
    }

    #[inline(always)]
    fn load(_proof: (), line: &Line, at: usize) -> Self {
        assert!(at <= 8 - Self::WORDS && at.is_multiple_of(Self::WORDS));
        // SAFETY: SSE2 is part of x86-64. The words lie within the line and are aligned, as
        // asserted.
        Self(unsafe { _mm_load_si128(line.0.as_ptr().add(at).cast()) })
    }

    #[inline(always)]
    fn store(self, line: &mut Line, at: usize) {
        assert!(at <= 8 - Self::WORDS && at.is_multiple_of(Self::WORDS));
        // SAFETY: SSE2 is part of x86-64. The words lie within the line and are aligned, as
        // asserted.
        unsafe { _mm_store_si128(line.0.as_mut_ptr().add(at).cast(), self.0) };
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Self(unsafe { _mm_and_si128(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Self(unsafe { _mm_or_si128(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Self(unsafe { _mm_xor_si128(self.0, other.0) })
    }

    #[inline(always)]
    fn without(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        Self(unsafe { _mm_andnot_si128(other.0, self.0) })
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
    fn common(_proof: (), a: &[u64], b: &[u64]) -> u32 {
        portable::common(a, b)
    }
}
