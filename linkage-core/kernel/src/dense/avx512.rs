//! Full width with VPOPCNTDQ: three instructions for 512 bits of pairs, which is what the
//! processor's two vector ports can do in a cycle and a half.

#![allow(
    unsafe_code,
    reason = "code for instructions that not every processor has"
)]

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_and_si512, _mm512_cmplt_epi32_mask, _mm512_load_si512,
    _mm512_popcnt_epi32, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
};

use super::{Eight, Found, QUERIES, emit};
use crate::isa::{Avx512, Line};

/// Records of a tile: one for each 32-bit lane.
const RECORDS: usize = 16;

/// `tiles` are of `lines` lines, two for each word of a query.
pub(super) fn score(
    _proof: Avx512,
    eight: &Eight<'_>,
    tiles: &[Line],
    lines: usize,
    found: &mut Vec<Found>,
) {
    assert!(eight.queries.iter().all(|query| 2 * query.len() == lines));
    for (tile, first) in tiles.chunks_exact(lines.max(1)).zip((0..).step_by(RECORDS)) {
        // SAFETY: the proof shows that the processor has these instructions; the queries have been
        // found to have half a word for each line.
        let reached = unsafe { count(eight, tile) };
        if let Some(counters) = reached {
            report(eight, first, &counters, found);
        }
    }
}

/// Counts a tile's pairs; their counters, less the floors, if any of them reaches its floor.
///
/// # Safety
///
/// Each query must have at least half as many words as the tile has lines.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vpopcntdq")]
#[inline]
unsafe fn count(eight: &Eight<'_>, tile: &[Line]) -> Option<[[i32; RECORDS]; QUERIES]> {
    let halves = eight.queries.map(|query| query.as_ptr().cast::<i32>());
    // Counters start below zero, by the floor: who stays there has not reached it.
    let mut sums = eight.floors.map(|floor| _mm512_set1_epi32(-floor));
    for (at, line) in tile.iter().enumerate() {
        // SAFETY: a line is 64 aligned bytes.
        let records = unsafe { _mm512_load_si512(line.0.as_ptr().cast()) };
        for (sum, half) in sums.iter_mut().zip(halves) {
            // SAFETY: a query has two halves of a word for every two lines, as the caller ensures;
            // halves lie in the order of the lines because x86 puts the low one first.
            let query = _mm512_set1_epi32(unsafe { half.add(at).read() });
            let common = _mm512_popcnt_epi32(_mm512_and_si512(records, query));
            *sum = _mm512_add_epi32(*sum, common);
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let and = |x: __m512i, y: __m512i| _mm512_and_si512(x, y);
    let signs = and(and(and(a, b), and(c, d)), and(and(e, f), and(g, h)));
    if _mm512_cmplt_epi32_mask(signs, _mm512_setzero_si512()) == u16::MAX {
        return None;
    }
    let mut counters = [[0; RECORDS]; QUERIES];
    for (counter, sum) in counters.iter_mut().zip(sums) {
        // SAFETY: sixteen counters of 32 bits are what a register holds.
        unsafe { _mm512_storeu_si512(counter.as_mut_ptr().cast(), sum) };
    }
    Some(counters)
}

#[cold]
#[inline(never)]
fn report(
    eight: &Eight<'_>,
    first: usize,
    counters: &[[i32; RECORDS]; QUERIES],
    found: &mut Vec<Found>,
) {
    for (query, (counter, floor)) in (eight.first..).zip(counters.iter().zip(eight.floors)) {
        if counter.iter().any(|&count| count >= 0) {
            let counts = counter.map(|count| count.wrapping_add(floor).cast_unsigned());
            emit(query, floor, first, &counts, found);
        }
    }
}
