//! Tables of three owners through the public interface, compared with counting in the clear, and
//! what they refuse.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use linkage_oblivious::context::{Nonce, RunContext, RunId};
use linkage_oblivious::encrypt::{self, Encryptor};
use linkage_oblivious::evaluate::{self, Evaluator};
use linkage_oblivious::params::TableShape;
use linkage_oblivious::shares::{self, MaskShare, PhaseShare};
use linkage_oblivious::three::{self, Splitter};
use linkage_oblivious::wire;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

const CHUNK: usize = 4096;

/// What the owners hold: by position A's row, B's column and C's layer.
struct Data {
    shape: TableShape,
    owners: [Vec<Option<u16>>; 3],
}

impl Data {
    /// Of the first `used` positions each holds a record of each owner with probability 0.7.
    fn random(shape: TableShape, used: u32, rng: &mut ChaCha20Rng) -> Self {
        let categories = [shape.rows(), shape.columns(), shape.layers()];
        let owners = categories.map(|categories| {
            let mut owner = vec![None; shape.positions() as usize];
            for entry in &mut owner[..used as usize] {
                if rng.random_bool(0.7) {
                    *entry = Some(rng.random_range(0..categories));
                }
            }
            owner
        });
        Self { shape, owners }
    }

    fn records(&self) -> Vec<(u32, u16)> {
        let columns = (0..).zip(&self.owners[1]);
        columns
            .filter_map(|(p, column)| column.map(|column| (p, column)))
            .collect()
    }

    fn cells(&self) -> Vec<i64> {
        let mut cells = vec![0; self.shape.cells()];
        let [a, b, c] = &self.owners;
        for ((row, column), layer) in a.iter().zip(b).zip(c) {
            if let (Some(row), Some(column), Some(layer)) = (row, column, layer) {
                let of_pair = row * self.shape.columns() + column;
                cells[usize::from(of_pair * self.shape.layers() + layer)] += 1;
            }
        }
        cells
    }

    fn chunk(&self, owner: usize, chunk: u32) -> &[Option<u16>] {
        &self.owners[owner][chunk as usize * CHUNK..][..CHUNK]
    }
}

fn context(run: u8, nonce: u8, shape: TableShape) -> RunContext {
    let nonces = (Nonce::new([nonce; 32]), Nonce::new([99; 32]));
    RunContext::derive(RunId::new([run; 16]), nonces.0, nonces.1, shape).unwrap()
}

/// One table, all messages encoded and decoded, chunks sent last first.
fn table(
    data: &Data,
    noise_a: impl FnMut() -> i128,
    noise_b: impl FnMut() -> i128,
    rng: &mut ChaCha20Rng,
) -> Vec<i64> {
    let shape = data.shape;
    let context = context(5, 6, shape);
    let mut a = Encryptor::new(&context, rng);
    let mut b = Evaluator::new(&context, a.public_key(), &data.records()).unwrap();
    let mut c = Splitter::new(&context, rng).unwrap();
    let seed = c.seed_message();
    for chunk in (0..shape.chunks()).rev() {
        let split = c.split_chunk(chunk, data.chunk(2, chunk)).unwrap();
        let encrypted = a.encrypt_split(chunk, data.chunk(0, chunk), &seed).unwrap();
        b.absorb_split(chunk, &encrypted, &split).unwrap();
    }
    let (masked, masks) = b.finish(noise_b, rng).unwrap();
    let phases = a.open(&masked, noise_a, rng).unwrap();
    let phases = PhaseShare::decode(&phases.encode(), context.run_id(), shape).unwrap();
    let masks = MaskShare::decode(&masks.encode(), context.run_id(), shape).unwrap();
    shares::combine(&phases, &masks).unwrap()
}

fn assert_exact(data: &Data, rng: &mut ChaCha20Rng) {
    assert_eq!(table(data, || 0, || 0, rng), data.cells());
}

fn shape(positions: u32, rows: u16, columns: u16, layers: u16) -> TableShape {
    TableShape::three_way(positions, rows, columns, layers).unwrap()
}

#[test]
fn counts_are_exact_for_several_shapes() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let cases = [
        (shape(4096, 1, 1, 1), 4096),
        (shape(4096, 2, 2, 2), 0),
        (shape(4096, 2, 2, 2), 1),
        (shape(8192, 5, 5, 5), 8000),
        (shape(8192, 1, 7, 3), 4097),
        (shape(8192, 7, 1, 3), 8192),
        (shape(4096, 15, 15, 15), 4000),
    ];
    for (shape, used) in cases {
        assert_exact(&Data::random(shape, used, &mut rng), &mut rng);
    }
}

#[test]
fn counts_are_exact_over_100_000_positions() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let data = Data::random(shape(102_400, 5, 5, 5), 100_000, &mut rng);
    assert_exact(&data, &mut rng);
}

#[test]
fn counts_are_exact_when_all_records_share_a_cell() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    // As many records of B as the sum of all error bounds allows, and far more.
    for positions in [9 * 4096, 64 * 4096] {
        let shape = shape(positions, 5, 5, 5);
        let owners = [4, 0, 2].map(|category| vec![Some(category); positions as usize]);
        let data = Data { shape, owners };
        let cells = table(&data, || 0, || 0, &mut rng);
        assert_eq!(cells, data.cells());
        assert_eq!(cells[4 * 25 + 2], i64::from(positions));
        assert_eq!(cells.iter().sum::<i64>(), i64::from(positions));
    }
}

#[test]
fn records_that_one_owner_lacks_count_nowhere() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    for lacking in 0..3 {
        let mut data = Data::random(shape(4096, 2, 3, 2), 4096, &mut rng);
        data.owners[lacking] = vec![None; 4096];
        assert_eq!(table(&data, || 0, || 0, &mut rng), [0; 12]);
    }
}

#[test]
fn both_noises_arrive_in_their_cells() {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let shape = shape(4096, 1, 2, 3);
    let data = Data::random(shape, 4096, &mut rng);
    let in_counts = |count: i128| count << shape.scale_log2();
    let mut from_a = [1, -2, 3, -4000, 0, 100_000].into_iter().map(in_counts);
    let mut from_b = [10, 20, -3000, 40, -1_000_000, 0]
        .into_iter()
        .map(in_counts);
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn counts_are_exact_on_random_data(
        seed in any::<u64>(),
        chunks in 1u32..3,
        rows in 1u16..7,
        columns in 1u16..7,
        layers in 1u16..7,
        used in 0.0..1.0,
    ) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let shape = shape(4096 * chunks, rows, columns, layers);
        let used = (f64::from(shape.positions()) * used) as u32;
        assert_exact(&Data::random(shape, used, &mut rng), &mut rng);
    }
}

/// A context, all three owners, and C's messages for the only chunk.
fn owners(context: &RunContext) -> (Encryptor, Evaluator, Vec<u8>, Vec<u8>) {
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let a = Encryptor::new(context, &mut rng);
    let b = Evaluator::new(context, a.public_key(), &[(7, 1)]).unwrap();
    let mut c = Splitter::new(context, &mut rng).unwrap();
    let seed = c.seed_message().to_vec();
    let split = c.split_chunk(0, &[Some(1); CHUNK]).unwrap().to_vec();
    (a, b, seed, split)
}

/// Contexts that differ from `context(1, 2, shape(4096, 2, 2, 2))`, and the refusal each causes.
fn foreign() -> [(RunContext, wire::Error); 3] {
    [
        (context(9, 2, shape(4096, 2, 2, 2)), wire::Error::ForeignRun),
        (
            context(1, 2, shape(4096, 2, 2, 3)),
            wire::Error::ForeignShape,
        ),
        (
            context(1, 7, shape(4096, 2, 2, 2)),
            wire::Error::ForeignNonces,
        ),
    ]
}

#[test]
fn messages_of_c_for_another_table_are_refused() {
    let here = context(1, 2, shape(4096, 2, 2, 2));
    let (mut a, mut b, seed, split) = owners(&here);
    for (other, expected) in foreign() {
        let (_, _, foreign_seed, foreign_split) = owners(&other);
        let refused = a.encrypt_split(0, &[None; CHUNK], &foreign_seed).err();
        assert_eq!(refused, Some(encrypt::Error::SplitSeed(expected)));
        let refused = b.absorb_split(0, &[], &foreign_split);
        assert_eq!(refused, Err(evaluate::Error::SplitChunk(expected)));
    }
    for length in [0, 40, seed.len() - 1] {
        let refused = a.encrypt_split(0, &[None; CHUNK], &seed[..length]).err();
        assert!(matches!(refused, Some(encrypt::Error::SplitSeed(_))));
    }
    for length in [0, 40, split.len() - 1] {
        let refused = b.absorb_split(0, &[], &split[..length]);
        assert!(matches!(refused, Err(evaluate::Error::SplitChunk(_))));
    }
    let kind = |expected, found| wire::Error::Kind { expected, found };
    let refused = a.encrypt_split(0, &[None; CHUNK], &split).err();
    assert_eq!(refused, Some(encrypt::Error::SplitSeed(kind(6, 7))));
    let refused = b.absorb_split(0, &[], &seed);
    assert_eq!(refused, Err(evaluate::Error::SplitChunk(kind(7, 6))));

    let chunk = a.encrypt_split(0, &[Some(1); CHUNK], &seed).unwrap();
    assert_eq!(
        b.absorb_split(0, &chunk, &split),
        Ok(()),
        "refusals leave no trace"
    );
    let repeated = b.absorb_split(0, &chunk, &split);
    assert_eq!(repeated, Err(evaluate::Error::ChunkRepeated(0)));
}

#[test]
fn both_parts_of_a_chunk_bear_its_number() {
    let here = context(1, 2, shape(8192, 2, 2, 2));
    let (mut a, mut b, seed, split) = owners(&here);
    let chunk = a.encrypt_split(1, &[None; CHUNK], &seed).unwrap();
    let mismatch = |expected, found| Err(evaluate::Error::ChunkMismatch { expected, found });
    assert_eq!(b.absorb_split(1, &chunk, &split), mismatch(1, 0));
    assert_eq!(b.absorb_split(0, &chunk, &split), mismatch(0, 1));
}

#[test]
fn tables_take_as_many_owners_as_they_have() {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let three = context(1, 2, shape(4096, 2, 2, 2));
    let (mut a, mut b, seed, split) = owners(&three);
    let chunk = a.encrypt_chunk(0, &[None; CHUNK]).err();
    assert_eq!(chunk, Some(encrypt::Error::Measure));
    let chunk = a.encrypt_values(0, &[None; CHUNK]).err();
    assert_eq!(chunk, Some(encrypt::Error::Measure));
    assert_eq!(b.absorb(0, &[]), Err(evaluate::Error::Owners));

    for shape in [TableShape::new(4096, 2, 2), TableShape::sums(4096, 2, 2)] {
        let two = context(1, 2, shape.unwrap());
        let mut a = Encryptor::new(&two, &mut rng);
        let mut b = Evaluator::new(&two, a.public_key(), &[]).unwrap();
        let chunk = a.encrypt_split(0, &[None; CHUNK], &seed).err();
        assert_eq!(chunk, Some(encrypt::Error::Measure));
        let refused = b.absorb_split(0, &[], &split);
        assert_eq!(refused, Err(evaluate::Error::Owners));
        let splitter = Splitter::new(&two, &mut rng).err();
        assert_eq!(splitter, Some(three::Error::Measure));
    }
}

#[test]
fn c_splits_each_chunk_once_and_whole() {
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let here = context(1, 2, shape(4096, 2, 2, 2));
    let mut c = Splitter::new(&here, &mut rng).unwrap();
    let mut refused = |chunk, categories: &[_]| c.split_chunk(chunk, categories).err();
    let (expected, found) = (4096, 2048);
    let length = three::Error::ChunkLength { expected, found };
    assert_eq!(refused(0, &[None; 2048]), Some(length));
    assert_eq!(
        refused(0, &[Some(2); CHUNK]),
        Some(three::Error::Category(2))
    );
    assert_eq!(
        refused(1, &[None; CHUNK]),
        Some(three::Error::ChunkOutOfRange(1))
    );
    assert_eq!(refused(0, &[Some(1); CHUNK]), None);
    assert_eq!(
        refused(0, &[None; CHUNK]),
        Some(three::Error::ChunkRepeated(0))
    );
}

#[test]
fn more_records_than_stay_exact_are_refused() {
    let here = context(1, 2, shape(1 << 21, 1, 1, 1));
    let a = Encryptor::new(&here, &mut ChaCha20Rng::seed_from_u64(9));
    let records: Vec<_> = (0..=1 << 20).map(|position| (position, 0)).collect();
    let (most, found) = (1 << 20, (1 << 20) + 1);
    let refused = Evaluator::new(&here, a.public_key(), &records).err();
    assert_eq!(
        refused,
        Some(evaluate::Error::TooManyRecords { most, found })
    );
    assert!(Evaluator::new(&here, a.public_key(), &records[1..]).is_ok());
}
