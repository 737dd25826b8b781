//! AVX-512: registers of 512 bits, any function of three bits in one instruction, and a population
//! count.

#![allow(
    unsafe_code,
    reason = "code for instructions that not every processor has"
)]

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_andnot_si512, _mm512_load_si512,
    _mm512_loadu_si512, _mm512_maskz_loadu_epi64, _mm512_or_si512, _mm512_popcnt_epi64,
    _mm512_reduce_add_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_store_si512,
    _mm512_ternarylogic_epi64, _mm512_xor_si512,
};

use super::{Lanes, Line, Work};

/// This processor has AVX-512 F, BW, VL and VPOPCNTDQ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vpopcntdq")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        found.then_some(Self(()))
    }
}

pub(super) fn run<W: Work>(proof: Avx512, work: W) -> W::Output {
    // SAFETY: the proof shows that the processor has these instructions.
    unsafe { with_instructions(proof, work) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vpopcntdq,popcnt,bmi1,bmi2")]
fn with_instructions<W: Work>(proof: Avx512, work: W) -> W::Output {
    work.run::<Zmm>(proof)
}

/// A register of 512 bits. That a value exists shows that the processor has AVX-512: only `splat`
/// and `load` make one, from the proof.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Zmm(__m512i);

/// Truth tables of `_mm512_ternarylogic_epi64`: bit 4a + 2b + c is the function's value.
const XOR3: i32 = 0b1001_0110;
const MAJORITY: i32 = 0b1110_1000;

impl Lanes for Zmm {
    type Proof = Avx512;
    const WORDS: usize = 8;

    #[inline(always)]
    fn splat(_proof: Avx512, word: u64) -> Self {
        // SAFETY: the proof shows that the processor has AVX-512 F.
        Self(unsafe { _mm512_set1_epi64(word.cast_signed()) })
    }

    #[inline(always)]
    fn load(_proof: Avx512, line: &Line, _at: usize) -> Self {
        // SAFETY: the proof shows that the processor has AVX-512 F; a line is 64 aligned bytes.
        Self(unsafe { _mm512_load_si512(line.0.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, line: &mut Line, _at: usize) {
        // SAFETY: the value shows that the processor has AVX-512 F; a line is 64 aligned bytes.
        unsafe { _mm512_store_si512(line.0.as_mut_ptr().cast(), self.0) };
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: the value shows that the processor has AVX-512 F.
        Self(unsafe { _mm512_and_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: the value shows that the processor has AVX-512 F.
        Self(unsafe { _mm512_or_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: the value shows that the processor has AVX-512 F.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn without(self, other: Self) -> Self {
        // SAFETY: the value shows that the processor has AVX-512 F.
        Self(unsafe { _mm512_andnot_si512(other.0, self.0) })
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: the value shows that the processor has AVX-512 F.
        Self(unsafe { _mm512_ternarylogic_epi64::<XOR3>(self.0, b.0, c.0) })
    }

    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        // SAFETY: the value shows that the processor has AVX-512 F.
        Self(unsafe { _mm512_ternarylogic_epi64::<MAJORITY>(self.0, b.0, c.0) })
    }

    #[inline(always)]
    fn common(_proof: Avx512, a: &[u64], b: &[u64]) -> u32 {
        let (a_lines, a_rest) = a.as_chunks::<8>();
        let (b_lines, b_rest) = b.as_chunks::<8>();
        let rest = a_rest.len().min(b_rest.len());
        // SAFETY: the proof shows that the processor has AVX-512 F and VPOPCNTDQ. Each load reads
        // the eight words of a chunk, or under the mask as many words as both remainders have.
        unsafe {
            let mut sum = _mm512_setzero_si512();
            for (a, b) in a_lines.iter().zip(b_lines) {
                let a = _mm512_loadu_si512(a.as_ptr().cast());
                let b = _mm512_loadu_si512(b.as_ptr().cast());
                sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_and_si512(a, b)));
            }
            if rest > 0 {
                let mask = u8::MAX >> (8 - rest);
                let a = _mm512_maskz_loadu_epi64(mask, a_rest.as_ptr().cast());
                let b = _mm512_maskz_loadu_epi64(mask, b_rest.as_ptr().cast());
                sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_and_si512(a, b)));
            }
            _mm512_reduce_add_epi64(sum).cast_unsigned() as u32
        }
    }
}
