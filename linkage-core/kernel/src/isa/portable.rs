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
}

/// Number of bits set in both, by whatever instructions the caller is compiled for.
#[inline(always)]
pub(super) fn common(a: &[u64], b: &[u64]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a & b).count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Cpu, Isa, Work};

    /// All operations, on the words 1.. of lines.
    struct All<'a>(&'a [Line; 3]);

    impl Work for All<'_> {
        type Output = Vec<Line>;

        #[inline(always)]
        fn run<L: Lanes>(self, proof: L::Proof) -> Vec<Line> {
            let mut out = vec![Line::ZERO; 7];
            for at in (0..8).step_by(L::WORDS) {
                let [a, b, c] = self.0.each_ref().map(|line| L::load(proof, line, at));
                let made = [
                    a.and(b),
                    a.or(b),
                    a.xor(b),
                    a.without(b),
                    a.xor3(b, c),
                    a.majority(b, c),
                    L::splat(proof, 3),
                ];
                for (line, value) in out.iter_mut().zip(made) {
                    value.store(line, at);
                }
            }
            out
        }
    }

    #[test]
    fn all_lanes_do_the_same_as_words() {
        // All eight cases of three bits, and different words.
        let words = [0x0f_u64, 0x33, 0x55]
            .map(|word| Line(std::array::from_fn(|at| word.rotate_left(9 * at as u32))));
        let expected = All(&words).run::<u64>(());
        assert_eq!(expected[0].0[0], 0x0f & 0x33);
        assert_eq!(expected[3].0[0], 0x0f & !0x33);
        assert_eq!(expected[4].0[0], 0x0f ^ 0x33 ^ 0x55);
        assert_eq!(expected[5].0[0], 0x17);
        for isa in Isa::available() {
            assert_eq!(Cpu::new(isa).unwrap().run(All(&words)), expected);
        }
    }
}
