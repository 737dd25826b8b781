//! Common bits of tokens that somebody else has laid out and will judge.

use crate::error::Error;
use crate::isa::{Cpu, Isa, Lanes, Work};

/// Counts the bits that tokens have in common. Tokens are of any length; of two of different length
/// the words that both have count.
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    cpu: Cpu,
}

impl Counter {
    /// A counter that uses the instructions `isa`.
    ///
    /// # Errors
    ///
    /// [`Error::Isa`] if this processor lacks them.
    pub fn new(isa: Isa) -> Result<Self, Error> {
        Ok(Self {
            cpu: Cpu::new(isa)?,
        })
    }

    /// A counter that uses the fastest instructions of this processor.
    pub fn best() -> Self {
        Self { cpu: Cpu::best() }
    }

    /// Number of bits set in both tokens.
    #[inline]
    pub fn common(&self, a: &[u64], b: &[u64]) -> u32 {
        self.cpu.run(Pair { a, b })
    }

    /// Numbers of bits that `token` has in common with each of `tokens`, which lie one after the
    /// other and are as long as it is.
    pub fn with_each(&self, token: &[u64], tokens: &[u64], out: &mut [u32]) {
        self.cpu.run(Each { token, tokens, out });
    }

    /// Numbers of bits that the tokens of `a`, of `width` words and one after the other, have in
    /// common with those of `b`, the first with the first and so on. With `a` twice: numbers of set
    /// bits.
    pub fn one_by_one(&self, width: usize, a: &[u64], b: &[u64], out: &mut [u32]) {
        self.cpu.run(OneByOne { width, a, b, out });
    }
}

struct Pair<'a> {
    a: &'a [u64],
    b: &'a [u64],
}

impl Work for Pair<'_> {
    type Output = u32;

    #[inline(always)]
    fn run<L: Lanes>(self, proof: L::Proof) -> u32 {
        L::common(proof, self.a, self.b)
    }
}

struct Each<'a> {
    token: &'a [u64],
    tokens: &'a [u64],
    out: &'a mut [u32],
}

impl Work for Each<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, proof: L::Proof) {
        let tokens = self.tokens.chunks_exact(self.token.len().max(1));
        for (out, other) in self.out.iter_mut().zip(tokens) {
            *out = L::common(proof, self.token, other);
        }
    }
}

struct OneByOne<'a> {
    width: usize,
    a: &'a [u64],
    b: &'a [u64],
    out: &'a mut [u32],
}

impl Work for OneByOne<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, proof: L::Proof) {
        let width = self.width.max(1);
        let tokens = self.a.chunks_exact(width).zip(self.b.chunks_exact(width));
        for (out, (a, b)) in self.out.iter_mut().zip(tokens) {
            *out = L::common(proof, a, b);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_instruction_set_counts_right(
            width in 1_usize..40,
            words in prop::collection::vec(prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)], 0..400),
        ) {
            let count = |a: &[u64], b: &[u64]| -> u32 {
                a.iter().zip(b).map(|(a, b)| (a & b).count_ones()).sum()
            };
            let tokens: Vec<&[u64]> = words.chunks_exact(width).collect();
            let Some(first) = tokens.first() else { return Ok(()) };
            let others = &words[..tokens.len() * width];
            for isa in Isa::available() {
                let counter = Counter::new(isa).unwrap();
                let mut out = vec![0; tokens.len()];
                counter.with_each(first, others, &mut out);
                let expected: Vec<u32> = tokens.iter().map(|other| count(first, other)).collect();
                prop_assert_eq!(&out, &expected);
                prop_assert_eq!(out[0], counter.common(first, first));
                counter.one_by_one(width, others, &others[width..], &mut out);
                let pairs = tokens.iter().zip(tokens.iter().skip(1));
                let expected: Vec<u32> = pairs.map(|(a, b)| count(a, b)).collect();
                prop_assert_eq!(&out[..expected.len()], &expected);
            }
        }
    }

    #[test]
    fn shorter_tokens_count_as_far_as_they_go() {
        for isa in Isa::available() {
            let counter = Counter::new(isa).unwrap();
            assert_eq!(counter.common(&[u64::MAX; 11], &[u64::MAX; 9]), 9 * 64);
            assert_eq!(counter.common(&[], &[1]), 0);
        }
    }
}
