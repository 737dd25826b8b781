//! Full width with NEON: CNT counts the bits of every byte, two records to a register.

#![allow(unsafe_code, reason = "loads and stores through addresses")]

use std::arch::aarch64::{
    uint8x16_t, vaddq_u8, vaddq_u64, vandq_u8, vcntq_u8, vdupq_n_u8, vdupq_n_u64, vld1q_u64,
    vpaddlq_u8, vpaddlq_u16, vpaddlq_u32, vreinterpretq_u8_u64, vst1q_u64,
};

use super::{BYTE_WORDS, Eight, Found, emit};
use crate::isa::Line;

pub(super) fn score(eight: &Eight<'_>, tiles: &[Line], lines: usize, found: &mut Vec<Found>) {
    for (tile, first) in tiles.chunks_exact(lines.max(1)).zip((0..).step_by(8)) {
        for (query, (words, floor)) in (eight.first..).zip(eight.queries.iter().zip(eight.floors)) {
            let counts = count(words, tile);
            if counts.iter().any(|&count| count >= floor.cast_unsigned()) {
                emit(query, floor, first, &counts, found);
            }
        }
    }
}

/// Intersections of a query with the eight records of a tile.
fn count(query: &[u64], tile: &[Line]) -> [u32; 8] {
    // SAFETY: NEON is part of the architecture's base; a line holds four pairs of words, and so
    // does the array that is stored to.
    unsafe {
        let mut sums = [vdupq_n_u64(0); 4];
        for (words, lines) in query.chunks(BYTE_WORDS).zip(tile.chunks(BYTE_WORDS)) {
            let mut bytes: [uint8x16_t; 4] = [vdupq_n_u8(0); 4];
            for (word, line) in words.iter().zip(lines) {
                let word = vreinterpretq_u8_u64(vdupq_n_u64(*word));
                for (sum, pair) in bytes.iter_mut().zip(line.0.as_chunks::<2>().0) {
                    let records = vreinterpretq_u8_u64(vld1q_u64(pair.as_ptr()));
                    *sum = vaddq_u8(*sum, vcntq_u8(vandq_u8(records, word)));
                }
            }
            for (sum, bytes) in sums.iter_mut().zip(bytes) {
                *sum = vaddq_u64(*sum, vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(bytes))));
            }
        }
        let mut counts = [0_u64; 8];
        for (pair, sum) in counts.as_chunks_mut::<2>().0.iter_mut().zip(sums) {
            vst1q_u64(pair.as_mut_ptr(), sum);
        }
        counts.map(|count| count as u32)
    }
}
