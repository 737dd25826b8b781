//! AVX2: registers of 256 bits.

#![allow(
    unsafe_code,
    reason = "code for instructions that not every processor has"
)]

use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_andnot_si256, _mm256_load_si256, _mm256_or_si256,
    _mm256_set1_epi64x, _mm256_store_si256, _mm256_xor_si256,
};

use super::{Lanes, Line, Work, portable};

/// This processor has AVX2 and POPCNT.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        found.then_some(Self(()))
    }
}

pub(super) fn run<W: Work>(proof: Avx2, work: W) -> W::Output {
    // SAFETY: the proof shows that the processor has these instructions.
    unsafe { with_instructions(proof, work) }
}

#[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
fn with_instructions<W: Work>(proof: Avx2, work: W) -> W::Output {
    work.run::<Ymm>(proof)
}

/// A register of 256 bits. That a value exists shows that the processor has AVX2: only `splat` and
/// `load` make one, from the proof.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ymm(__m256i);

impl Lanes for Ymm {
    type Proof = Avx2;
    const WORDS: usize = 4;

    #[inline(always)]
    fn splat(_proof: Avx2, word: u64) -> Self {
        // SAFETY: the proof shows that the processor has AVX2.
        Self(unsafe { _mm256_set1_epi64x(word.cast_signed()) })
    }

    #[inline(always)]
    fn load(_proof: Avx2, line: &Line, at: usize) -> Self {
        assert!(at <= 8 - Self::WORDS && at.is_multiple_of(Self::WORDS));
        // SAFETY: the proof shows that the processor has AVX2. The words lie within the line and
        // are aligned, as asserted.
        Self(unsafe { _mm256_load_si256(line.0.as_ptr().add(at).cast()) })
    }

    #[inline(always)]
    fn store(self, line: &mut Line, at: usize) {
        assert!(at <= 8 - Self::WORDS && at.is_multiple_of(Self::WORDS));
        // SAFETY: the value shows that the processor has AVX2. The words lie within the line and
        // are aligned, as asserted.
        unsafe { _mm256_store_si256(line.0.as_mut_ptr().add(at).cast(), self.0) };
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: the value shows that the processor has AVX2.
        Self(unsafe { _mm256_and_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: the value shows that the processor has AVX2.
        Self(unsafe { _mm256_or_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: the value shows that the processor has AVX2.
        Self(unsafe { _mm256_xor_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn without(self, other: Self) -> Self {
        // SAFETY: the value shows that the processor has AVX2.
        Self(unsafe { _mm256_andnot_si256(other.0, self.0) })
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
    fn common(_proof: Avx2, a: &[u64], b: &[u64]) -> u32 {
        portable::common(a, b)
    }
}
