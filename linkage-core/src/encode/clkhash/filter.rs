//! Bloom filters being filled, folded and written.

/// Bits of a Bloom filter; bit `i` is the bit of worth 2^(63 - i mod 64) of word `i / 64`, so that
/// the words in big-endian order are the filter as it is written.
pub(super) struct Filter {
    words: Vec<u64>,
}

/// Words of so many bits.
pub(super) fn words(bits: u32) -> usize {
    bits.div_ceil(64) as usize
}

/// Sets a bit of a filter's words.
pub(super) fn set(words: &mut [u64], index: u32) {
    if let Some(word) = words.get_mut(index as usize / 64) {
        *word |= 1 << (63 - index % 64);
    }
}

impl Filter {
    /// An empty filter.
    pub(super) fn new(bits: u32) -> Self {
        Self {
            words: vec![0; words(bits)],
        }
    }

    /// Clears all bits.
    pub(super) fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Adds another filter's bits.
    pub(super) fn add(&mut self, other: &[u64]) {
        for (word, other) in self.words.iter_mut().zip(other) {
            *word |= other;
        }
    }

    /// Adds the bits of those of many filters that have these numbers. Goes through them eight words
    /// at a time, which stay in registers.
    pub(super) fn add_numbered(&mut self, filters: &[u64], numbers: &[u32]) {
        let words = self.words.len();
        let (blocks, rest) = self.words.as_chunks_mut::<8>();
        for (at, block) in (0..).step_by(8).zip(blocks) {
            for number in numbers {
                let start = *number as usize * words + at;
                let other = filters
                    .get(start..)
                    .and_then(|words| words.first_chunk::<8>());
                for (word, other) in block.iter_mut().zip(other.into_iter().flatten()) {
                    *word |= other;
                }
            }
        }
        let done = words - rest.len();
        for number in numbers {
            let start = *number as usize * words + done;
            let other = filters.get(start..).unwrap_or_default();
            for (word, other) in rest.iter_mut().zip(other) {
                *word |= other;
            }
        }
    }

    /// Folds the filter in half as often as asked, the first half XOR the second, and writes what
    /// is left, `bits` bits, to `out`, which has bytes for just so many.
    pub(super) fn fold_into(&mut self, bits: u32, folds: u32, out: &mut [u8]) {
        for fold in (0..folds).rev() {
            self.fold(bits << fold);
        }
        let bytes = self.words.iter().flat_map(|word| word.to_be_bytes());
        for (to, byte) in out.iter_mut().zip(bytes) {
            *to = byte;
        }
    }

    /// Folds a filter of `2 half` bits to `half` bits.
    fn fold(&mut self, half: u32) {
        let (skip, shift) = (half as usize / 64, half % 64);
        let kept = words(half);
        for at in 0..kept {
            let word = |at: usize| self.words.get(at).copied().unwrap_or(0);
            let mut second = word(at + skip) << shift;
            if shift > 0 {
                second |= word(at + skip + 1) >> (64 - shift);
            }
            if let Some(first) = self.words.get_mut(at) {
                *first ^= second;
            }
        }
        // Bits of the second half that share a word with the first.
        if shift > 0
            && let Some(last) = self.words.get_mut(skip)
        {
            *last &= !(u64::MAX >> shift);
        }
        for word in self.words.iter_mut().skip(kept) {
            *word = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folds bit by bit.
    fn slowly(set: &[u32], bits: u32, folds: u32) -> Vec<u8> {
        let mut filter = vec![false; (bits << folds) as usize];
        for index in set {
            filter[*index as usize] = true;
        }
        for _ in 0..folds {
            let (first, second) = filter.split_at(filter.len() / 2);
            filter = first.iter().zip(second).map(|(a, b)| a ^ b).collect();
        }
        filter
            .chunks(8)
            .map(|bits| {
                let bit = |at: usize| u8::from(bits.get(at).copied().unwrap_or(false));
                (0..8).map(|at| bit(at) << (7 - at)).sum()
            })
            .collect()
    }

    #[test]
    fn rule_11_halves_are_xored_and_bit_0_comes_first() {
        for (bits, folds) in [
            (1, 0),
            (8, 0),
            (9, 1),
            (64, 1),
            (100, 1),
            (100, 3),
            (1, 6),
            (63, 2),
        ] {
            let size = bits << folds;
            let indices: Vec<u32> = (0..size).filter(|i| i * i % 7 < 3).collect();
            let mut filter = Filter::new(size);
            for index in &indices {
                set(&mut filter.words, *index);
            }
            let mut out = vec![0; bits.div_ceil(8) as usize];
            filter.fold_into(bits, folds, &mut out);
            assert_eq!(out, slowly(&indices, bits, folds), "{bits} {folds}");
        }
        let mut out = [0; 2];
        let mut filter = Filter::new(12);
        set(&mut filter.words, 0);
        set(&mut filter.words, 11);
        filter.fold_into(12, 0, &mut out);
        assert_eq!(out, [0x80, 0x10]);
    }
}
