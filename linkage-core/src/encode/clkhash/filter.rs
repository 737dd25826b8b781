//! Bloom filters being filled, folded and written.

/// Brings the lowest bits of eight bytes, the first in the lowest byte, together in the highest
/// one, the first as its most significant bit: adds bit `8 i` shifted by `63 - 9 i`, for all `i` at
/// once.
const GATHER: u64 = 0x8040_2010_0804_0201;

/// A Bloom filter with a byte for each bit: setting one takes a store and nothing else, which is
/// the most frequent thing that is done here.
pub(super) struct Filter {
    bits: Vec<u8>,
}

impl Filter {
    /// An empty filter.
    pub(super) fn new(bits: u32) -> Self {
        Self {
            bits: vec![0; bits as usize],
        }
    }

    /// Clears all bits.
    pub(super) fn clear(&mut self) {
        self.bits.fill(0);
    }

    /// Sets bits.
    pub(super) fn set(&mut self, indices: &[u32]) {
        for index in indices {
            if let Some(bit) = self.bits.get_mut(*index as usize) {
                *bit = 1;
            }
        }
    }

    /// Folds the filter in half as often as asked, the first half XOR the second, and writes what
    /// is left to `out`, bit 0 first, zeros after the last bit. What the filter holds then is of no
    /// use.
    pub(super) fn fold_into(&mut self, folds: u32, out: &mut [u8]) {
        let mut kept = self.bits.as_mut_slice();
        for _ in 0..folds {
            let (first, second) = kept.split_at_mut(kept.len() / 2);
            for (bit, other) in first.iter_mut().zip(second) {
                *bit ^= *other;
            }
            kept = first;
        }
        let gather = |eight: [u8; 8]| (u64::from_le_bytes(eight).wrapping_mul(GATHER) >> 56) as u8;
        let (whole, rest) = kept.as_chunks();
        for (byte, eight) in out.iter_mut().zip(whole) {
            *byte = gather(*eight);
        }
        if let Some(byte) = out.get_mut(whole.len()) {
            let mut eight = [0; 8];
            for (to, bit) in eight.iter_mut().zip(rest) {
                *to = *bit;
            }
            *byte = gather(eight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folds and writes bit by bit.
    fn slowly(set: &[u32], bits: u32, folds: u32) -> Vec<u8> {
        let at = |bit: u32| {
            let others = (0..1 << folds).map(|part| bit + part * bits);
            others.filter(|index| set.contains(index)).count() % 2 == 1
        };
        let mut out = vec![0; bits.div_ceil(8) as usize];
        for bit in (0..bits).filter(|bit| at(*bit)) {
            out[bit as usize / 8] |= 0x80 >> (bit % 8);
        }
        out
    }

    #[test]
    fn rule_11_halves_are_xored_and_bit_0_comes_first() {
        let cases = [
            (1, 0),
            (8, 0),
            (9, 1),
            (64, 1),
            (100, 1),
            (100, 3),
            (1, 6),
            (63, 2),
        ];
        for (bits, folds) in cases {
            let size = bits << folds;
            let indices: Vec<u32> = (0..size).filter(|i| i * i % 7 < 3).collect();
            let mut filter = Filter::new(size);
            filter.set(&indices);
            let mut out = vec![0; bits.div_ceil(8) as usize];
            filter.fold_into(folds, &mut out);
            assert_eq!(out, slowly(&indices, bits, folds), "{bits} {folds}");
        }
        let mut out = [0; 2];
        let mut filter = Filter::new(12);
        filter.set(&[0, 11]);
        filter.fold_into(0, &mut out);
        assert_eq!(out, [0x80, 0x10]);
        filter.clear();
        filter.fold_into(0, &mut out);
        assert_eq!(out, [0, 0]);
    }

    #[test]
    fn all_patterns_of_eight_bits_are_written() {
        for pattern in 0..=255_u8 {
            let set: Vec<u32> = (0..8).filter(|bit| pattern << bit & 0x80 > 0).collect();
            let mut filter = Filter::new(8);
            filter.set(&set);
            let mut out = [0];
            filter.fold_into(0, &mut out);
            assert_eq!(out, [pattern]);
        }
    }
}
