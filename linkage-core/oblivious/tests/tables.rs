//! Whole tables through the public interface, compared with counting in the clear.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use linkage_oblivious::context::{Nonce, RunContext, RunId};
use linkage_oblivious::encrypt::Encryptor;
use linkage_oblivious::evaluate::Evaluator;
use linkage_oblivious::params::{COUNT_SCALE_LOG2, POSITIONS_PER_CHUNK, TableShape};
use linkage_oblivious::shares::{self, MaskShare, PhaseShare};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// What both owners hold: per position A's row, and B's records in any order.
struct Data {
    shape: TableShape,
    rows: Vec<Option<u16>>,
    records: Vec<(u32, u16)>,
}

impl Data {
    /// Every position holds a record of A, of B, of both or of none, categories uniform.
    fn random(positions: u32, used: u32, rows: u16, columns: u16, rng: &mut ChaCha20Rng) -> Self {
        let shape = TableShape::new(positions, rows, columns).unwrap();
        let mut a = vec![None; positions as usize];
        let mut records = Vec::new();
        for position in 0..used {
            if rng.random_bool(0.6) {
                a[position as usize] = Some(rng.random_range(0..rows));
            }
            if rng.random_bool(0.6) {
                records.push((position, rng.random_range(0..columns)));
            }
        }
        records.reverse();
        Self {
            shape,
            rows: a,
            records,
        }
    }

    fn counts(&self) -> Vec<i64> {
        let mut counts = vec![0; self.shape.cells()];
        for (position, column) in &self.records {
            if let Some(row) = self.rows[*position as usize] {
                counts[usize::from(row * self.shape.columns() + column)] += 1;
            }
        }
        counts
    }
}

/// One table, all messages encoded and decoded, chunks sent last first.
fn table(
    data: &Data,
    noise_a: impl FnMut() -> i128,
    noise_b: impl FnMut() -> i128,
    rng: &mut ChaCha20Rng,
) -> Vec<i64> {
    let run = RunId::new([5; 16]);
    let (nonce_a, nonce_b) = (Nonce::random(rng), Nonce::random(rng));
    let context = RunContext::derive(run, nonce_a, nonce_b, data.shape).unwrap();
    let mut a = Encryptor::new(&context, rng);
    let mut b = Evaluator::new(&context, a.public_key(), &data.records).unwrap();
    for chunk in (0..data.shape.chunks()).rev() {
        let first = chunk as usize * POSITIONS_PER_CHUNK;
        let rows = &data.rows[first..first + POSITIONS_PER_CHUNK];
        b.absorb(chunk, &a.encrypt_chunk(chunk, rows).unwrap())
            .unwrap();
    }
    let (masked, masks) = b.finish(noise_b, rng).unwrap();
    let phases = a.open(&masked, noise_a, rng).unwrap();
    let phases = PhaseShare::decode(&phases.encode(), run, data.shape).unwrap();
    let masks = MaskShare::decode(&masks.encode(), run, data.shape).unwrap();
    shares::combine(&phases, &masks).unwrap()
}

fn assert_exact(data: &Data, rng: &mut ChaCha20Rng) {
    assert_eq!(table(data, || 0, || 0, rng), data.counts());
}

#[test]
fn counts_are_exact_for_several_shapes() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let shapes = [
        (2048, 2048, 1, 1),
        (2048, 1, 1, 1),
        (2048, 0, 2, 2),
        (4096, 2049, 20, 20),
        (6144, 5000, 1, 7),
        (6144, 6144, 7, 1),
        (2048, 2000, 256, 3),
        (2048, 2000, 3, 256),
        (10_240, 10_000, 10, 10),
    ];
    for (positions, used, rows, columns) in shapes {
        assert_exact(
            &Data::random(positions, used, rows, columns, &mut rng),
            &mut rng,
        );
    }
}

#[test]
fn counts_are_exact_over_100_000_positions() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    assert_exact(&Data::random(100_352, 100_000, 10, 10, &mut rng), &mut rng);
}

#[test]
fn counts_are_exact_when_all_records_share_a_cell() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let data = Data {
        shape: TableShape::new(10_240, 3, 4).unwrap(),
        rows: vec![Some(2); 10_240],
        records: (0..10_240).map(|position| (position, 1)).collect(),
    };
    let counts = table(&data, || 0, || 0, &mut rng);
    assert_eq!(counts, data.counts());
    assert_eq!(counts.iter().sum::<i64>(), 10_240);
    assert_eq!(counts[2 * 4 + 1], 10_240);
}

#[test]
fn empty_rows_and_columns_count_zero() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let mut data = Data::random(4096, 4096, 4, 4, &mut rng);
    data.records.retain(|(_, column)| *column != 2);
    for row in data.rows.iter_mut().filter(|row| **row == Some(1)) {
        *row = None;
    }
    let counts = table(&data, || 0, || 0, &mut rng);
    assert_eq!(counts, data.counts());
    assert!((0..4).all(|other| counts[4 + other] == 0 && counts[4 * other + 2] == 0));
}

#[test]
fn both_noises_arrive_in_their_cells() {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let data = Data::random(2048, 2048, 2, 3, &mut rng);
    let in_counts = |count: i128| count << COUNT_SCALE_LOG2;
    let mut from_a = [1, -2, 3, -4000, 0, 100_000].into_iter().map(in_counts);
    let mut from_b = [10, 20, -3000, 40, -1_000_000, 0]
        .into_iter()
        .map(in_counts);
    let counts = table(
        &data,
        || from_a.next().unwrap(),
        || from_b.next().unwrap(),
        &mut rng,
    );
    let noise = [11, 18, -2997, -3960, -1_000_000, 100_000];
    let expected: Vec<i64> = data
        .counts()
        .iter()
        .zip(noise)
        .map(|(c, n)| c + n)
        .collect();
    assert_eq!(counts, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn counts_are_exact_on_random_data(
        seed in any::<u64>(),
        chunks in 1u32..4,
        rows in 1u16..12,
        columns in 1u16..12,
        used in 0.0..1.0,
    ) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let positions = chunks * POSITIONS_PER_CHUNK as u32;
        let used = (f64::from(positions) * used) as u32;
        let data = Data::random(positions, used, rows, columns, &mut rng);
        prop_assert_eq!(table(&data, || 0, || 0, &mut rng), data.counts());
    }
}
