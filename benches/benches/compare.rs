//! Comparisons of tokens: pairs per second, by agreement and token length.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented public items"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use linkage_benches::{header, rng, strangers};
use linkage_core::candidates;
use linkage_core::schema::{Agreement, CandidateSettings};
use linkage_core::similarity::Comparison;

/// One record against this many: few enough that the tokens stay in the cache, so that the
/// arithmetic is measured and not the memory.
const ROWS: u32 = 1000;

/// Rows of either side of an exhaustive comparison.
const EXHAUSTIVE_ROWS: u32 = 2000;

/// On one core.
fn pairs(criterion: &mut Criterion) {
    let mut rng = rng();
    for (name, agreement) in [("dice", Agreement::Dice), ("hamming", Agreement::Hamming)] {
        let mut group = criterion.benchmark_group(name);
        group
            .sample_size(20)
            .throughput(Throughput::Elements(ROWS.into()));
        for bits in [512, 1024, 2048] {
            let one = strangers(header(agreement, bits, 0, 1), &mut rng);
            let many = strangers(header(agreement, bits, 0, ROWS), &mut rng);
            let (one, many) = (one.columns(), many.columns());
            let comparison = Comparison::new(&one, &many);
            group.bench_function(BenchmarkId::from_parameter(bits), |bencher| {
                bencher.iter(|| {
                    (0..ROWS)
                        .map(|row| comparison.score(black_box(0), row))
                        .fold(0.0, f64::max)
                });
            });
        }
        group.finish();
    }
}

/// On all cores, with the floor and the list of kept pairs.
fn exhaustive(criterion: &mut Criterion) {
    let mut rng = rng();
    let settings = CandidateSettings::default();
    let mut group = criterion.benchmark_group("exhaustive");
    let pairs = u64::from(EXHAUSTIVE_ROWS) * u64::from(EXHAUSTIVE_ROWS);
    group
        .sample_size(10)
        .throughput(Throughput::Elements(pairs));
    for bits in [1024, 2048] {
        let mut side = || strangers(header(Agreement::Dice, bits, 0, EXHAUSTIVE_ROWS), &mut rng);
        let (a, b) = (side(), side());
        group.bench_function(BenchmarkId::from_parameter(bits), |bencher| {
            bencher.iter(|| {
                let found = candidates::across(&a.columns(), &b.columns(), &settings);
                assert_eq!(found.compared, pairs);
                found
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pairs, exhaustive);
criterion_main!(benches);
