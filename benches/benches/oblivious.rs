//! The oblivious 10 x 10 table, per party and step, for one chunk and for 100 000 positions.
//!
//! Half of the positions hold a record of A, the other half one of B, and a tenth of them both:
//! what two owners of equal size with a modest overlap see.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented public items"
)]
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use linkage_oblivious::context::{Nonce, RunContext, RunId};
use linkage_oblivious::encrypt::Encryptor;
use linkage_oblivious::evaluate::Evaluator;
use linkage_oblivious::params::{POSITIONS_PER_CHUNK, TableShape};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// Fixed, so that every run works on the same data.
const SEED: u64 = 20_240_101;

const CATEGORIES: u16 = 10;

/// One chunk, and the smallest multiple of a chunk that holds 100 000 positions.
const POSITIONS: [u32; 2] = [2_048, 100_352];

struct Owners {
    context: RunContext,
    rows: Vec<Option<u16>>,
    records: Vec<(u32, u16)>,
    rng: ChaCha20Rng,
}

impl Owners {
    fn new(positions: u32) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let shape = TableShape::new(positions, CATEGORIES, CATEGORIES).unwrap();
        let (nonce_a, nonce_b) = (Nonce::random(&mut rng), Nonce::random(&mut rng));
        let context = RunContext::derive(RunId::new([1; 16]), nonce_a, nonce_b, shape).unwrap();
        let mut rows = Vec::new();
        let mut records = Vec::new();
        for position in 0..positions {
            let both = rng.random_bool(0.1);
            let a = rng.random_bool(0.5);
            rows.push((a || both).then(|| rng.random_range(0..CATEGORIES)));
            if !a || both {
                records.push((position, rng.random_range(0..CATEGORIES)));
            }
        }
        Self {
            context,
            rows,
            records,
            rng,
        }
    }

    fn encrypt(&self, encryptor: &mut Encryptor) -> Vec<Vec<u8>> {
        let chunks = (0u32..).zip(self.rows.chunks(POSITIONS_PER_CHUNK));
        chunks
            .map(|(chunk, rows)| encryptor.encrypt_chunk(chunk, rows).unwrap())
            .collect()
    }

    fn evaluator(&self, public_key: &[u8]) -> Evaluator {
        Evaluator::new(&self.context, public_key, &self.records).unwrap()
    }
}

fn absorb(evaluator: &mut Evaluator, chunks: &[Vec<u8>]) {
    for (chunk, message) in (0u32..).zip(chunks) {
        evaluator.absorb(chunk, message).unwrap();
    }
}

fn table(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("oblivious");
    group.sample_size(10);
    for positions in POSITIONS {
        let mut owners = Owners::new(positions);
        let mut rng = owners.rng.clone();
        group.throughput(Throughput::Elements(u64::from(positions)));

        group.bench_function(BenchmarkId::new("encrypt", positions), |bencher| {
            bencher.iter_batched(
                || Encryptor::new(&owners.context, &mut rng),
                |mut encryptor| owners.encrypt(&mut encryptor),
                BatchSize::PerIteration,
            );
        });

        let mut encryptor = Encryptor::new(&owners.context, &mut owners.rng);
        let chunks = owners.encrypt(&mut encryptor);
        group.bench_function(BenchmarkId::new("absorb", positions), |bencher| {
            bencher.iter_batched(
                || owners.evaluator(encryptor.public_key()),
                |mut evaluator| {
                    absorb(&mut evaluator, &chunks);
                    evaluator
                },
                BatchSize::PerIteration,
            );
        });

        group.bench_function(BenchmarkId::new("finish", positions), |bencher| {
            bencher.iter_batched(
                || {
                    let mut evaluator = owners.evaluator(encryptor.public_key());
                    absorb(&mut evaluator, &chunks);
                    evaluator
                },
                |evaluator| evaluator.finish(|| 0, &mut rng).unwrap(),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, table);
criterion_main!(benches);
