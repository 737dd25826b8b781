//! Bloom filters being filled, folded and written.

use std::ops::BitXorAssign;

/// Brings the lowest bits of eight bytes, the first in the lowest byte, together in the highest
/// one, the first as its most significant bit: adds bit `8 i` shifted by `63 - 9 i`, for all `i` at
/// once.
const GATHER: u64 = 0x8040_2010_0804_0201;

/// Bits of a piece of a mask.
const PIECE_BITS: usize = u32::BITS as usize;

/// A Bloom filter with a byte for each bit: setting one takes a store and nothing else, which is
/// the most frequent thing that is done here.
///
/// If it can be folded in whole pieces, what a value sets is packed into a mask, which sets the
/// same bits when the value comes again.
pub(super) struct Filter {
    bits: Vec<u8>,
    folds: u32,
    /// What the values before set, if the filter works with masks.
    packed: Vec<u32>,
    /// What the last value set.
    mask: Vec<u32>,
}

impl Filter {
    /// An empty filter that gives `bits` bits after so many folds.
    pub(super) fn new(bits: u32, folds: u32) -> Self {
        let length = (bits << folds) as usize;
        let masks = (bits as usize).is_multiple_of(PIECE_BITS);
        let pieces = if masks { length / PIECE_BITS } else { 0 };
        Self {
            bits: vec![0; length],
            folds,
            packed: vec![0; pieces],
            mask: vec![0; pieces],
        }
    }

    /// Clears all bits.
    pub(super) fn clear(&mut self) {
        self.bits.fill(0);
        self.packed.fill(0);
    }

    /// Sets bits.
    pub(super) fn set(&mut self, indices: &[u32]) {
        for index in indices {
            if let Some(bit) = self.bits.get_mut(*index as usize) {
                *bit = 1;
            }
        }
    }

    /// Pieces of a mask; 0 if the filter has none.
    pub(super) fn pieces(&self) -> usize {
        self.packed.len()
    }

    /// Sets the bits of a mask.
    pub(super) fn add(&mut self, mask: &[u32]) {
        for (piece, more) in self.packed.iter_mut().zip(mask) {
            *piece |= more;
        }
    }

    /// Ends a value; gives the mask of the bits set since the one before, if the filter has masks.
    pub(super) fn end_value(&mut self) -> Option<&[u32]> {
        if self.packed.is_empty() {
            return None;
        }
        let eights = self.bits.as_chunks::<8>().0.as_chunks::<4>().0;
        let pieces = self.packed.iter_mut().zip(&mut self.mask);
        for ((piece, mask), eights) in pieces.zip(eights) {
            *mask = u32::from_le_bytes(eights.map(gather));
            *piece |= *mask;
        }
        self.bits.fill(0);
        Some(&self.mask)
    }

    /// Folds the filter in half as often as asked, the first half XOR the second, and writes what
    /// is left to `out`, bit 0 first, zeros after the last bit. What the filter holds then is of no
    /// use.
    pub(super) fn fold_into(&mut self, out: &mut [u8]) {
        if !self.packed.is_empty() {
            let kept = folded(&mut self.packed, self.folds);
            for (bytes, piece) in out.as_chunks_mut().0.iter_mut().zip(kept) {
                *bytes = piece.to_le_bytes();
            }
            return;
        }
        let kept = folded(&mut self.bits, self.folds);
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

/// The halves XORed, so often.
fn folded<T: BitXorAssign + Copy>(whole: &mut [T], folds: u32) -> &[T] {
    let mut kept = whole;
    for _ in 0..folds {
        let (first, second) = kept.split_at_mut(kept.len() / 2);
        for (one, other) in first.iter_mut().zip(second) {
            *one ^= *other;
        }
        kept = first;
    }
    kept
}

/// Eight bytes of 0 or 1 in one, the first as its most significant bit.
fn gather(eight: [u8; 8]) -> u8 {
    (u64::from_le_bytes(eight).wrapping_mul(GATHER) >> 56) as u8
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
            (32, 0),
            (96, 3),
        ];
        for (bits, folds) in cases {
            let size = bits << folds;
            let indices: Vec<u32> = (0..size).filter(|i| i * i % 7 < 3).collect();
            let mut filter = Filter::new(bits, folds);
            filter.set(&indices);
            filter.end_value();
            let mut out = vec![0; bits.div_ceil(8) as usize];
            filter.fold_into(&mut out);
            assert_eq!(out, slowly(&indices, bits, folds), "{bits} {folds}");
        }
        let mut out = [0; 2];
        let mut filter = Filter::new(12, 0);
        filter.set(&[0, 11]);
        assert_eq!(filter.end_value(), None);
        filter.fold_into(&mut out);
        assert_eq!(out, [0x80, 0x10]);
        filter.clear();
        filter.fold_into(&mut out);
        assert_eq!(out, [0, 0]);
    }

    #[test]
    fn a_mask_sets_the_bits_of_its_value_alone() {
        let values: [&[u32]; 3] = [&[0, 9, 127], &[], &[9, 64]];
        let mut filter = Filter::new(64, 1);
        let masks = values.map(|indices| {
            filter.set(indices);
            filter.end_value().unwrap().to_vec()
        });
        for (indices, mask) in values.iter().zip(&masks) {
            filter.clear();
            filter.add(mask);
            let mut out = [0; 8];
            filter.fold_into(&mut out);
            assert_eq!(out[..], slowly(indices, 64, 1));
        }
    }

    #[test]
    fn all_patterns_of_eight_bits_are_written() {
        for pattern in 0..=255_u8 {
            let set: Vec<u32> = (0..8).filter(|bit| pattern << bit & 0x80 > 0).collect();
            let mut filter = Filter::new(8, 0);
            filter.set(&set);
            let mut out = [0];
            filter.fold_into(&mut out);
            assert_eq!(out, [pattern]);
        }
    }
}
