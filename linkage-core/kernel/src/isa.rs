//! Instruction sets: which there are, and how one algorithm runs on each.
//!
//! Bit-sliced code is written once, over [`Lanes`]. A piece of it is a [`Work`]; [`Cpu::run`]
//! compiles it for every instruction set, inside a function that enables the instructions.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod sse2;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;

use crate::error::Error;

/// An instruction set that the kernels are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isa {
    /// What every processor of the architecture has: SSE2 on x86-64, plain words elsewhere.
    Portable,
    /// x86-64 with AVX2 and POPCNT.
    Avx2,
    /// x86-64 with AVX-512 F, BW, VL and VPOPCNTDQ.
    Avx512,
    /// AArch64 with NEON.
    Neon,
}

impl Isa {
    /// All instruction sets of this processor, the fastest last.
    pub fn available() -> Vec<Self> {
        [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512]
            .into_iter()
            .filter(|isa| Cpu::new(*isa).is_ok())
            .collect()
    }

    /// The fastest instruction set of this processor.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }
}

/// An instruction set that this processor has been found to have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cpu {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Cpu {
    pub(crate) fn new(isa: Isa) -> Result<Self, Error> {
        let found = match isa {
            Isa::Portable => Some(Self::Portable),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Avx2::detect().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Avx512::detect().map(Self::Avx512),
            // NEON is part of the architecture's base.
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Some(Self::Neon),
            #[allow(
                unreachable_patterns,
                reason = "what else there is, differs by architecture"
            )]
            _ => None,
        };
        found.ok_or(Error::Isa(isa))
    }

    /// The fastest instructions of this processor.
    pub(crate) fn best() -> Self {
        Self::new(Isa::best()).unwrap_or(Self::Portable)
    }

    /// Runs `work` with this instruction set.
    #[inline]
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Portable => work.run::<sse2::Xmm>(()),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Portable => work.run::<u64>(()),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(proof) => avx2::run(proof, work),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(proof) => avx512::run(proof, work),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => work.run::<neon::Neon>(()),
        }
    }
}

/// A piece of work over any lanes. `run` must be `#[inline(always)]`, and so must be all that it
/// calls with lanes, or it is not compiled for the instruction set.
pub(crate) trait Work {
    type Output;
    fn run<L: Lanes>(self, proof: L::Proof) -> Self::Output;
}

/// One bit for each of 512 records, or eight words of one: a cache line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u64; 8]);

impl Line {
    pub(crate) const ZERO: Self = Self([0; 8]);

    /// Records of a block: one bit of a line each.
    pub(crate) const RECORDS: usize = 512;

    /// The first `records` bits.
    pub(crate) fn first(records: usize) -> Self {
        Self(std::array::from_fn(|word| {
            match records.saturating_sub(64 * word) {
                0 => 0,
                left @ 1..64 => u64::MAX >> (64 - left),
                _ => u64::MAX,
            }
        }))
    }
}

/// A vector register of words, or what stands for it.
pub(crate) trait Lanes: Copy {
    /// Shows that the processor has the instructions. Only through it is a value made.
    type Proof: Copy;
    /// Words of the register; divides 8.
    const WORDS: usize;

    fn splat(proof: Self::Proof, word: u64) -> Self;
    /// Words `at..at + WORDS` of `line`; `at` must be a multiple of `WORDS` below 8.
    fn load(proof: Self::Proof, line: &Line, at: usize) -> Self;
    /// The inverse of `load`.
    fn store(self, line: &mut Line, at: usize);
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    /// Bits of `self` that are not in `other`.
    fn without(self, other: Self) -> Self;
    fn xor3(self, b: Self, c: Self) -> Self;
    /// Bits set in at least two of the three.
    fn majority(self, b: Self, c: Self) -> Self;
    /// Number of bits set in both `a` and `b`.
    fn common(proof: Self::Proof, a: &[u64], b: &[u64]) -> u32;
}
