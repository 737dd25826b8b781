//! The keyed pass over two registers of 100 000 rows, with the Bloom pre-filter and without.
//!
//! A tenth of the smaller register's people are in both. The block keys are drawn from 2^24 values,
//! so that most are at one owner only (the best case of the filter), or from 2^16, so that many are
//! at both (its worst).

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented public items"
)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use linkage_benches::{header, register, rng};
use linkage_core::candidates::{Prefilter, across_by_keys};
use linkage_core::schema::{Agreement, CandidateSettings};

/// Rows of the first and of the second register.
const SIZES: [(u32, u32); 2] = [(100_000, 100_000), (1_000, 100_000)];

/// The token's length matters little here: few pairs are compared.
const TOKEN_BITS: u32 = 512;

const BLOCK_KEYS: u8 = 4;

const BLOCK_VALUES: [u32; 2] = [1 << 24, 1 << 16];

fn keyed(criterion: &mut Criterion) {
    let mut rng = rng();
    let settings = CandidateSettings::default();
    let mut group = criterion.benchmark_group("keyed");
    group.sample_size(10);
    for (rows_a, rows_b) in SIZES {
        group.throughput(Throughput::Elements(u64::from(rows_a) + u64::from(rows_b)));
        for values in BLOCK_VALUES {
            let mut side = |first: u32, rows: u32| {
                let header = header(Agreement::Dice, TOKEN_BITS, BLOCK_KEYS, rows);
                let people: Vec<u32> = (first..first + rows).collect();
                register(header, &people, values, &mut rng)
            };
            let both = rows_a / 10;
            let (a, b) = (side(0, rows_a), side(rows_a - both, rows_b));
            for (name, prefilter) in [("plain", Prefilter::Off), ("bloom", Prefilter::Bloom)] {
                let id = BenchmarkId::new(name, format!("{rows_a}x{rows_b}/{values}-blocks"));
                group.bench_function(id, |bencher| {
                    bencher.iter(|| {
                        let found =
                            across_by_keys(&a.columns(), &b.columns(), &settings, prefilter);
                        assert!(found.pairs.len() >= both as usize);
                        found
                    });
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, keyed);
criterion_main!(benches);
