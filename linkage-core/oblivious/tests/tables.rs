//! Whole tables through the public interface, compared with counting and adding in the clear.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use linkage_oblivious::context::{Nonce, RunContext, RunId};
use linkage_oblivious::encrypt::Encryptor;
use linkage_oblivious::evaluate::Evaluator;
use linkage_oblivious::params::{Measure, ROW_TOTAL_MAX, TableShape, VALUE_MAX};
use linkage_oblivious::shares::{self, MaskShare, PhaseShare};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// What both owners hold: per position A's row and value, and B's records in any order. A value in
/// a table of counts is 1.
struct Data {
    shape: TableShape,
    entries: Vec<Option<(u16, u64)>>,
    records: Vec<(u32, u16)>,
}

impl Data {
    /// Of the first `used` positions each holds a record of A, of B, of both or of none, categories
    /// and values uniform.
    fn random(shape: TableShape, used: u32, rng: &mut ChaCha20Rng) -> Self {
        let mut entries = vec![None; shape.positions() as usize];
        let mut records = Vec::new();
        for position in 0..used {
            if rng.random_bool(0.6) {
                let value = match shape.measure() {
                    // A row of 100 000 of them stays below the largest total.
                    Measure::Sum => rng.random_range(0..=VALUE_MAX >> 6),
                    _ => 1,
                };
                entries[position as usize] = Some((rng.random_range(0..shape.rows()), value));
            }
            if rng.random_bool(0.6) {
                records.push((position, rng.random_range(0..shape.columns())));
            }
        }
        records.reverse();
        Self {
            shape,
            entries,
            records,
        }
    }

    /// All positions in row 2 and column 1 of a 3 x 4 table.
    fn of_one_cell(shape: TableShape, value: u64) -> Self {
        assert_eq!((shape.rows(), shape.columns()), (3, 4));
        Self {
            shape,
            entries: vec![Some((2, value)); shape.positions() as usize],
            records: (0..shape.positions())
                .map(|position| (position, 1))
                .collect(),
        }
    }

    fn cells(&self) -> Vec<i64> {
        let mut cells = vec![0; self.shape.cells()];
        for (position, column) in &self.records {
            if let Some((row, value)) = self.entries[*position as usize] {
                cells[usize::from(row * self.shape.columns() + column)] += value as i64;
            }
        }
        cells
    }

    fn encrypt(&self, chunk: u32, a: &mut Encryptor) -> Vec<u8> {
        let size = self.shape.positions_per_chunk();
        let first = chunk as usize * size;
        let entries = &self.entries[first..first + size];
        match self.shape.measure() {
            Measure::Sum => a.encrypt_values(chunk, entries).unwrap(),
            _ => {
                let categories: Vec<_> = entries.iter().map(|e| e.map(|(row, _)| row)).collect();
                a.encrypt_chunk(chunk, &categories).unwrap()
            }
        }
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
        b.absorb(chunk, &data.encrypt(chunk, &mut a)).unwrap();
    }
    let (masked, masks) = b.finish(noise_b, rng).unwrap();
    let phases = a.open(&masked, noise_a, rng).unwrap();
    let phases = PhaseShare::decode(&phases.encode(), run, data.shape).unwrap();
    let masks = MaskShare::decode(&masks.encode(), run, data.shape).unwrap();
    shares::combine(&phases, &masks).unwrap()
}

fn assert_exact(data: &Data, rng: &mut ChaCha20Rng) {
    assert_eq!(table(data, || 0, || 0, rng), data.cells());
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
        let shape = TableShape::new(positions, rows, columns).unwrap();
        assert_exact(&Data::random(shape, used, &mut rng), &mut rng);
    }
}

#[test]
fn sums_are_exact_for_several_shapes() {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let shapes = [
        (4096, 4096, 1, 1),
        (4096, 1, 1, 1),
        (4096, 0, 2, 2),
        (8192, 4097, 20, 20),
        (12_288, 9000, 1, 7),
        (12_288, 12_288, 7, 1),
        (4096, 4000, 256, 3),
        (4096, 4000, 3, 256),
        (12_288, 10_000, 10, 10),
    ];
    for (positions, used, rows, columns) in shapes {
        let shape = TableShape::sums(positions, rows, columns).unwrap();
        assert_exact(&Data::random(shape, used, &mut rng), &mut rng);
    }
}

#[test]
fn tables_are_exact_over_100_000_positions() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    for shape in [
        TableShape::new(100_352, 10, 10).unwrap(),
        TableShape::sums(102_400, 10, 10).unwrap(),
    ] {
        assert_exact(&Data::random(shape, 100_000, &mut rng), &mut rng);
    }
}

#[test]
fn tables_are_exact_for_a_million_records_each() {
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    for shape in [
        TableShape::new(2_000_896, 10, 10).unwrap(),
        TableShape::sums(2_002_944, 10, 10).unwrap(),
    ] {
        let mut data = Data::random(shape, 0, &mut rng);
        for position in 0..2_000_000u32 {
            let in_cell = rng.random_range(0..10);
            if position < 1_000_000 {
                let value = match shape.measure() {
                    Measure::Sum => rng.random_range(0..=VALUE_MAX >> 8),
                    _ => 1,
                };
                data.entries[position as usize] = Some((in_cell, value));
            }
            if (500_000..1_500_000).contains(&position) {
                data.records.push((position, rng.random_range(0..10)));
            }
        }
        assert_exact(&data, &mut rng);
    }
}

#[test]
fn tables_are_exact_when_all_records_share_a_cell() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let counts = TableShape::new(10_240, 3, 4).unwrap();
    let most = ROW_TOTAL_MAX / 12_288;
    let sums = TableShape::sums(12_288, 3, 4).unwrap();
    // A million records that reach the largest total together.
    let large = TableShape::sums(1 << 20, 3, 4).unwrap();
    for (shape, value) in [
        (counts, 1),
        (sums, 0),
        (sums, 1),
        (sums, most),
        (large, ROW_TOTAL_MAX >> 20),
    ] {
        let data = Data::of_one_cell(shape, value);
        let cells = table(&data, || 0, || 0, &mut rng);
        assert_eq!(cells, data.cells());
        assert_eq!(
            cells[2 * 4 + 1],
            i64::from(shape.positions()) * value as i64
        );
        assert_eq!(cells.iter().sum::<i64>(), cells[2 * 4 + 1]);
    }
}

#[test]
fn sums_are_exact_at_the_edge_of_their_range() {
    let mut rng = ChaCha20Rng::seed_from_u64(13);
    let shape = TableShape::sums(4096, 3, 4).unwrap();
    // The 2048 largest values make the largest total of a row, in two rows at once.
    let mut data = Data::of_one_cell(shape, VALUE_MAX);
    for entry in &mut data.entries[2048..] {
        *entry = Some((0, VALUE_MAX));
    }
    let cells = table(&data, || 0, || 0, &mut rng);
    assert_eq!(cells, data.cells());
    assert_eq!(cells[2 * 4 + 1], ROW_TOTAL_MAX as i64);
    assert_eq!(cells[1], ROW_TOTAL_MAX as i64);

    // Noise may still double it, or take as much away from an empty cell.
    let shift = shape.scale_log2();
    let room = (ROW_TOTAL_MAX as i128 - 1) << shift;
    for noise in [room, -room] {
        let noised = table(&data, || noise, || 0, &mut rng);
        let expected: Vec<i64> = cells.iter().map(|c| c + (noise >> shift) as i64).collect();
        assert_eq!(noised, expected);
    }
}

#[test]
fn empty_rows_and_columns_hold_zero() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    for shape in [
        TableShape::new(4096, 4, 4).unwrap(),
        TableShape::sums(4096, 4, 4).unwrap(),
    ] {
        let mut data = Data::random(shape, 4096, &mut rng);
        data.records.retain(|(_, column)| *column != 2);
        let of_row = |entry: &Option<(u16, u64)>| entry.is_some_and(|(row, _)| row == 1);
        for entry in data.entries.iter_mut().filter(|entry| of_row(entry)) {
            *entry = None;
        }
        let cells = table(&data, || 0, || 0, &mut rng);
        assert_eq!(cells, data.cells());
        assert!((0..4).all(|other| cells[4 + other] == 0 && cells[4 * other + 2] == 0));
    }
}

#[test]
fn both_noises_arrive_in_their_cells() {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    for shape in [
        TableShape::new(2048, 2, 3).unwrap(),
        TableShape::sums(4096, 2, 3).unwrap(),
    ] {
        let data = Data::random(shape, 2048, &mut rng);
        let in_units = |units: i128| units << shape.scale_log2();
        let mut from_a = [1, -2, 3, -4000, 0, 100_000].into_iter().map(in_units);
        let mut from_b = [10, 20, -3000, 40, -1_000_000, 0].into_iter().map(in_units);
        let cells = table(
            &data,
            || from_a.next().unwrap(),
            || from_b.next().unwrap(),
            &mut rng,
        );
        let noise = [11, 18, -2997, -3960, -1_000_000, 100_000];
        let noised = data.cells().into_iter().zip(noise);
        assert_eq!(cells, noised.map(|(c, n)| c + n).collect::<Vec<i64>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn tables_are_exact_on_random_data(
        seed in any::<u64>(),
        sums in any::<bool>(),
        chunks in 1u32..4,
        rows in 1u16..12,
        columns in 1u16..12,
        used in 0.0..1.0,
    ) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let shape = match sums {
            false => TableShape::new(2048 * chunks, rows, columns).unwrap(),
            true => TableShape::sums(4096 * chunks, rows, columns).unwrap(),
        };
        let used = (f64::from(shape.positions()) * used) as u32;
        let data = Data::random(shape, used, &mut rng);
        prop_assert_eq!(table(&data, || 0, || 0, &mut rng), data.cells());
    }
}
