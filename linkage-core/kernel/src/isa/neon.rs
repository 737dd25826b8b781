//! NEON: registers of 128 bits, and a choice between two bits in one instruction.

#![allow(unsafe_code, reason = "loads and stores through addresses")]

use std::arch::aarch64::{
    uint64x2_t, vandq_u64, vbicq_u64, vbslq_u64, vdupq_n_u64, veorq_u64, vld1q_u64, vorrq_u64,
    vst1q_u64,
};

use super::{Lanes, Line, portable};

/// A register of 128 bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon(uint64x2_t);

impl Lanes for Neon {
    type Proof = ();
    const WORDS: usize = 2;

    #[inline(always)]
    fn splat(_proof: (), word: u64) -> Self {
        // SAFETY: NEON is part of the architecture's base.
        Self(unsafe { vdupq_n_u64(word) })
    }

    #[inline(always)]
    fn load(_proof: (), line: &Line, at: usize) -> Self {
        assert!(at <= 8 - Self::WORDS && at.is_multiple_of(Self::WORDS));
        // SAFETY: NEON is part of the architecture's base. The words lie within the line, as
        // asserted.
        Self(unsafe { vld1q_u64(line.0.as_ptr().add(at)) })
    }

    #[inline(always)]
    fn store(self, line: &mut Line, at: usize) {
        assert!(at <= 8 - Self::WORDS && at.is_multiple_of(Self::WORDS));
        // SAFETY: NEON is part of the architecture's base. The words lie within the line, as
        // asserted.
        unsafe { vst1q_u64(line.0.as_mut_ptr().add(at), self.0) };
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: NEON is part of the architecture's base.
        Self(unsafe { vandq_u64(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: NEON is part of the architecture's base.
        Self(unsafe { vorrq_u64(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: NEON is part of the architecture's base.
        Self(unsafe { veorq_u64(self.0, other.0) })
    }

    #[inline(always)]
    fn without(self, other: Self) -> Self {
        // SAFETY: NEON is part of the architecture's base.
        Self(unsafe { vbicq_u64(self.0, other.0) })
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        self.xor(b).xor(c)
    }

    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        let differ = self.xor(b);
        // SAFETY: NEON is part of the architecture's base.
        Self(unsafe { vbslq_u64(differ.0, c.0, self.0) })
    }

    #[inline(always)]
    fn common(_proof: (), a: &[u64], b: &[u64]) -> u32 {
        portable::common(a, b)
    }
}
