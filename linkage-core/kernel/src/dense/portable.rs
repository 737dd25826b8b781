//! Full width in plain Rust: population counts by adding neighbours (Warren, Hacker's Delight, 2nd
//! ed., section 5-1), up to bytes for each word and further only at the end.

use super::{BYTE_WORDS, Eight, Found, emit};
use crate::isa::Line;

/// Bits set in every byte.
#[inline(always)]
fn byte_counts(x: u64) -> u64 {
    let x = x - ((x >> 1) & 0x5555_5555_5555_5555);
    let x = (x & 0x3333_3333_3333_3333) + ((x >> 2) & 0x3333_3333_3333_3333);
    (x + (x >> 4)) & 0x0f0f_0f0f_0f0f_0f0f
}

/// Sum of the eight bytes.
#[inline(always)]
fn byte_sum(x: u64) -> u32 {
    let pairs = (x & 0x00ff_00ff_00ff_00ff) + ((x >> 8) & 0x00ff_00ff_00ff_00ff);
    (pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as u32
}

pub(super) fn score(eight: &Eight<'_>, tiles: &[Line], lines: usize, found: &mut Vec<Found>) {
    for (tile, first) in tiles.chunks_exact(lines.max(1)).zip((0..).step_by(8)) {
        for (query, (words, floor)) in (eight.first..).zip(eight.queries.iter().zip(eight.floors)) {
            let mut counts = [0_u32; 8];
            for (words, lines) in words.chunks(BYTE_WORDS).zip(tile.chunks(BYTE_WORDS)) {
                let mut bytes = [0_u64; 8];
                for (word, line) in words.iter().zip(lines) {
                    for (sum, other) in bytes.iter_mut().zip(line.0) {
                        *sum += byte_counts(word & other);
                    }
                }
                for (count, bytes) in counts.iter_mut().zip(bytes) {
                    *count += byte_sum(bytes);
                }
            }
            if counts.iter().any(|&count| count >= floor.cast_unsigned()) {
                emit(query, floor, first, &counts, found);
            }
        }
    }
}
