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
    assert!(eight.queries.iter().all(|query| query.len() == lines));
    for (tile, first) in tiles.chunks_exact(lines.max(1)).zip((0..).step_by(8)) {
        // SAFETY: the proof shows that the processor has AVX2; the queries have been found to have
        // a word for each line.
        unsafe { score_tile(eight, tile, first, found) };
    }
}

/// # Safety
///
/// Each query must have at least as many words as the tile has lines.
#[target_feature(enable = "avx2")]
unsafe fn score_tile(eight: &Eight<'_>, tile: &[Line], first: usize, found: &mut Vec<Found>) {
    let (fours, _) = eight.queries.as_chunks::<TOGETHER>();
    let (floors, _) = eight.floors.as_chunks::<TOGETHER>();
    for half in [0, 4] {
        let query = (eight.first..).step_by(TOGETHER);
        for (query, (queries, floors)) in query.zip(fours.iter().zip(floors)) {
            // SAFETY: what the caller ensures, and `half` is 0 or 4.
            let counts = unsafe { count(queries, tile, half) };
            for ((query, counts), floor) in (query..).zip(counts).zip(floors) {
                if counts.iter().any(|&count| count >= floor.cast_unsigned()) {
                    emit(query, *floor, first + half, &counts, found);
                }
            }
        }
    }
}

/// Intersections of the queries with the four records of a tile in words `half..half + 4`.
///
/// # Safety
///
/// `half` must be 0 or 4, and each query must have at least as many words as the tile has lines.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn count(queries: &[&[u64]; TOGETHER], tile: &[Line], half: usize) -> [[u32; 4]; TOGETHER] {
    let mut words = queries.map(|query| query.as_ptr().cast::<i64>());
    let mut sums = [_mm256_setzero_si256(); TOGETHER];
    for lines in tile.chunks(BYTE_WORDS) {
        let mut bytes = [_mm256_setzero_si256(); TOGETHER];
        for line in lines {
            // SAFETY: four words at 0 or 4 are 32 aligned bytes within the line.
            let records = unsafe { _mm256_load_si256(line.0.as_ptr().add(half).cast()) };
            for (sum, word) in bytes.iter_mut().zip(&mut words) {
                // SAFETY: a query has a word for each line, as the caller ensures; behind the
                // last one the pointer is not read any more.
                let query = unsafe {
                    let query = word.read();
                    *word = word.add(1);
                    query
                };
                let common = _mm256_and_si256(records, _mm256_set1_epi64x(query));
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
