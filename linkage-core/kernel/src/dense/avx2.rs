//! Full width with AVX2: a look-up of half bytes counts their bits (Mula, Kurz and Lemire, "Faster
//! population counts using AVX2 instructions", 2018), four records to a register.

#![allow(
    unsafe_code,
    reason = "code for instructions that not every processor has"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi8, _mm256_add_epi64, _mm256_and_si256, _mm256_load_si256,
    _mm256_sad_epu8, _mm256_set1_epi8, _mm256_set1_epi64x, _mm256_setr_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_srli_epi16, _mm256_storeu_si256,
};

use super::{BYTE_WORDS, Eight, Found, emit};
use crate::isa::{Avx2, Line};

/// Queries whose counters are kept in registers together with the tables.
const TOGETHER: usize = 4;

pub(super) fn score(
    _proof: Avx2,
    eight: &Eight<'_>,
    tiles: &[Line],
    lines: usize,
    found: &mut Vec<Found>,
) {
    // SAFETY: the proof shows that the processor has AVX2.
    unsafe { score_tiles(eight, tiles, lines, found) };
}

#[target_feature(enable = "avx2")]
fn score_tiles(eight: &Eight<'_>, tiles: &[Line], lines: usize, found: &mut Vec<Found>) {
    let (fours, _) = eight.queries.as_chunks::<TOGETHER>();
    let (floors, _) = eight.floors.as_chunks::<TOGETHER>();
    for (tile, first) in tiles.chunks_exact(lines.max(1)).zip((0..).step_by(8)) {
        for half in [0, 4] {
            let query = (eight.first..).step_by(TOGETHER);
            for (query, (queries, floors)) in query.zip(fours.iter().zip(floors)) {
                for ((query, counts), floor) in (query..)
                    .zip(count::<TOGETHER>(queries, tile, half))
                    .zip(floors)
                {
                    let reached = counts.iter().any(|&count| count >= floor.cast_unsigned());
                    if reached {
                        emit(query, *floor, first + half, &counts, found);
                    }
                }
            }
        }
    }
}

/// Intersections of `N` queries with the four records of a tile in words `half..half + 4`.
#[target_feature(enable = "avx2")]
#[inline]
fn count<const N: usize>(queries: &[&[u64]; N], tile: &[Line], half: usize) -> [[u32; 4]; N] {
    let mut sums = [_mm256_setzero_si256(); N];
    for start in (0..tile.len()).step_by(BYTE_WORDS) {
        let lines = tile.get(start..).unwrap_or(&[]);
        let lines = lines.get(..BYTE_WORDS).unwrap_or(lines);
        let words = queries.map(|query| query.get(start..start + lines.len()).unwrap_or(&[]));
        let mut bytes = [_mm256_setzero_si256(); N];
        for (at, line) in lines.iter().enumerate() {
            let Some(four) = line.0.get(half..half + 4) else {
                continue;
            };
            // SAFETY: four words are 32 bytes, and aligned because `half` is 0 or 4.
            let records = unsafe { _mm256_load_si256(four.as_ptr().cast()) };
            for (sum, words) in bytes.iter_mut().zip(words) {
                let word = words.get(at).copied().unwrap_or(0);
                let common = _mm256_and_si256(records, _mm256_set1_epi64x(word.cast_signed()));
                *sum = _mm256_add_epi8(*sum, byte_counts(common));
            }
        }
        for (sum, bytes) in sums.iter_mut().zip(bytes) {
            let eights = _mm256_sad_epu8(bytes, _mm256_setzero_si256());
            *sum = _mm256_add_epi64(*sum, eights);
        }
    }
    sums.map(|sum| {
        let mut counts = [0_u64; 4];
        // SAFETY: four words are 32 bytes.
        unsafe { _mm256_storeu_si256(counts.as_mut_ptr().cast(), sum) };
        counts.map(|count| count as u32)
    })
}

#[target_feature(enable = "avx2")]
#[inline]
fn byte_counts(x: __m256i) -> __m256i {
    let table = _mm256_setr_epi8(
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3,
        3, 4,
    );
    let low = _mm256_set1_epi8(0x0f);
    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(x), low);
    let low = _mm256_and_si256(x, low);
    _mm256_add_epi8(
        _mm256_shuffle_epi8(table, low),
        _mm256_shuffle_epi8(table, high),
    )
}
