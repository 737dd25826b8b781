//! Ciphertext bodies on the wire: of each 64-bit word the highest bytes, rounded, little-endian.

use crate::params::BodyWidth;

/// Writes all words, `width` bytes each.
pub(crate) fn write(words: &[u64], width: BodyWidth, place: &mut [u8]) {
    match width {
        BodyWidth::Five => write_wide::<5>(words, place),
        BodyWidth::Eight => write_wide::<8>(words, place),
    }
}

/// Sum over (slot, weight) of the words at the slots of what [`write()`] wrote, times the weights.
pub(crate) fn weighted_sum(terms: &[(usize, u32)], width: BodyWidth, written: &[u8]) -> u64 {
    match width {
        BodyWidth::Five => sum_wide::<5>(terms, written),
        BodyWidth::Eight => sum_wide::<8>(terms, written),
    }
}

fn write_wide<const BYTES: usize>(words: &[u64], place: &mut [u8]) {
    let half = (1u64 << (8 * (8 - BYTES))) >> 1;
    let (places, _) = place.as_chunks_mut::<BYTES>();
    for (place, word) in places.iter_mut().zip(words) {
        let rounded = word.wrapping_add(half).to_le_bytes();
        if let Some(highest) = rounded.last_chunk() {
            *place = *highest;
        }
    }
}

fn sum_wide<const BYTES: usize>(terms: &[(usize, u32)], written: &[u8]) -> u64 {
    let (places, _) = written.as_chunks::<BYTES>();
    terms.iter().fold(0, |sum: u64, (slot, weight)| {
        let word = places.get(*slot).map_or(0, widen);
        sum.wrapping_add(word.wrapping_mul((*weight).into()))
    })
}

/// A word back in Z modulo 2^64, zero in the bytes that did not travel.
fn widen<const BYTES: usize>(place: &[u8; BYTES]) -> u64 {
    let mut word = [0; 8];
    if let Some(highest) = word.last_chunk_mut() {
        *highest = *place;
    }
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [u64; 5] = [0, u64::MAX, 0x0123_4567_89ab_cdef, 1 << 23, (1 << 23) - 1];

    fn written(width: BodyWidth) -> Vec<u8> {
        let mut place = vec![0; width.bytes() * WORDS.len()];
        write(&WORDS, width, &mut place);
        place
    }

    #[test]
    fn eight_bytes_keep_every_bit() {
        let place = written(BodyWidth::Eight);
        for (slot, word) in WORDS.iter().enumerate() {
            assert_eq!(weighted_sum(&[(slot, 1)], BodyWidth::Eight, &place), *word);
        }
    }

    #[test]
    fn five_bytes_are_rounded_to_the_nearest() {
        let place = written(BodyWidth::Five);
        let expected = [0, 0, 0x0123_4567_8a00_0000, 1 << 24, 0];
        for (slot, word) in expected.iter().enumerate() {
            assert_eq!(weighted_sum(&[(slot, 1)], BodyWidth::Five, &place), *word);
        }
    }

    #[test]
    fn sums_are_weighted_and_wrap() {
        let place = written(BodyWidth::Eight);
        let sum = |terms: &[_]| weighted_sum(terms, BodyWidth::Eight, &place);
        assert_eq!(sum(&[]), 0);
        assert_eq!(sum(&[(1, 1), (3, 1), (3, 1)]), (1 << 24) - 1);
        assert_eq!(sum(&[(1, 5), (3, 2), (4, 0)]), (1 << 24) - 5);
    }
}
