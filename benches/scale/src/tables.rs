//! What an oblivious table over millions of records costs each owner, as one JSON line.
//!
//! ```text
//! tables_scale counts|sums RECORDS ROWS COLUMNS [THREADS]
//! tables_scale three RECORDS ROWS COLUMNS LAYERS [THREADS]
//! ```
//!
//! All owners have RECORDS records, half of which all of them share. All cells are compared with
//! adding up in the clear; a wrong one ends the program. Seconds are of processor time, user and
//! system, and of the clock, by owner: what one does while the others wait. Memory is that of all
//! owners together, and of 32 chunks on their way.

#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a bench fails by panicking"
)]

use std::io::Write;
use std::ops::Range;
use std::time::Instant;

use linkage_oblivious::context::{Nonce, RunContext, RunId};
use linkage_oblivious::encrypt::Encryptor;
use linkage_oblivious::evaluate::Evaluator;
use linkage_oblivious::params::{Measure, TableShape};
use linkage_oblivious::shares;
use linkage_oblivious::three::Splitter;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};

/// What the program allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Chunks that A encrypts before B takes them: the system counts processor time in steps.
const CHUNKS_AT_ONCE: usize = 32;

/// Largest value of a record in units; a million of them stay within a row's total.
const VALUE_MAX: u64 = 1 << 15;

fn main() {
    let mut words = std::env::args().skip(1);
    let mode = words.next().expect("a mode: counts, sums, three");
    let mut number = || -> u32 { words.next().and_then(|n| n.parse().ok()).expect("a number") };
    let (records, rows, columns) = (number(), number() as u16, number() as u16);
    let positions = |owners: u32, measure: Measure| {
        (owners * records).next_multiple_of(measure.positions_per_chunk() as u32)
    };
    let shape = match mode.as_str() {
        "counts" => TableShape::new(positions(2, Measure::Count), rows, columns),
        "sums" => TableShape::sums(positions(2, Measure::Sum), rows, columns),
        "three" => {
            let positions = positions(3, Measure::CountOfThree);
            TableShape::three_way(positions, rows, columns, number() as u16)
        }
        _ => panic!("no such mode"),
    };
    if let Some(threads) = words.next().and_then(|n| n.parse().ok()) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build_global().expect("threads");
    }
    table(&mode, records, shape.expect("a shape"));
}

/// Seconds of one owner, of processor time and of the clock.
struct Seconds {
    cpu: f64,
    wall: f64,
}

impl Seconds {
    fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (cpu_before, start) = (cpu(), Instant::now());
        let done = work();
        self.cpu += cpu() - cpu_before;
        self.wall += start.elapsed().as_secs_f64();
        done
    }

    fn json(&self) -> Value {
        json!({ "cpu_s": self.cpu, "wall_s": self.wall })
    }
}

fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system knows");
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6
}

/// Most memory held so far.
fn peak_mib() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system knows");
    usage.max_rss() / 1024
}

/// SplitMix64's output function (Steele, Lea, Flood 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// By position A's rows and values and C's layers, and B's positions and columns.
struct Data {
    entries: Vec<Option<(u16, u64)>>,
    records: Vec<(u32, u16)>,
    layers: Vec<Option<u16>>,
}

impl Data {
    fn new(records: u32, shape: TableShape) -> Self {
        let below = |seed: u64, bound: u64| mix(seed) % bound;
        let three = shape.measure() == Measure::CountOfThree;
        let mut data = Self {
            entries: vec![None; shape.positions() as usize],
            records: Vec::new(),
            layers: vec![None; if three { shape.positions() as usize } else { 0 }],
        };
        // Of so many positions the first is joint and two are of each owner.
        let period = if three { 6 } else { 4 };
        for position in 0..period / 2 * records {
            let seed = 4 * u64::from(position);
            let place = position % period;
            if place < 2 {
                let value = match shape.measure() {
                    Measure::Sum => below(seed, VALUE_MAX + 1),
                    Measure::Count | Measure::CountOfThree => 1,
                };
                let row = below(seed + 1, shape.rows().into()) as u16;
                data.entries[position as usize] = Some((row, value));
            }
            if place == 0 || place == 2 {
                let column = below(seed + 2, shape.columns().into()) as u16;
                data.records.push((position, column));
            }
            if three && (place == 0 || place == 3) {
                let layer = below(seed + 3, shape.layers().into()) as u16;
                data.layers[position as usize] = Some(layer);
            }
        }
        data
    }

    fn cells(&self, shape: TableShape) -> Vec<i64> {
        let mut cells = vec![0; shape.cells()];
        for (position, column) in &self.records {
            let layer = match shape.measure() {
                Measure::CountOfThree => self.layers[*position as usize],
                Measure::Count | Measure::Sum => Some(0),
            };
            if let (Some((row, value)), Some(layer)) = (self.entries[*position as usize], layer) {
                let of_pair = row * shape.columns() + column;
                cells[usize::from(of_pair * shape.layers() + layer)] += value as i64;
            }
        }
        cells
    }
}

fn table(mode: &str, records: u32, shape: TableShape) {
    let data = Data::new(records, shape);
    let data_mib = peak_mib();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (nonce_a, nonce_b) = (Nonce::random(&mut rng), Nonce::random(&mut rng));
    let context = RunContext::derive(RunId::new([1; 16]), nonce_a, nonce_b, shape);
    let context = context.expect("a context");
    let [mut of_a, mut of_b, mut of_c] = [const {
        Seconds {
            cpu: 0.0,
            wall: 0.0,
        }
    }; 3];

    let mut c = (shape.measure() == Measure::CountOfThree)
        .then(|| Splitter::new(&context, &mut rng).expect("a table of three owners"));
    let seed = c.as_ref().map(Splitter::seed_message);
    let mut a = of_a.of(|| Encryptor::new(&context, &mut rng));
    let mut bytes_up = a.public_key().len();
    let mut bytes_split = 0;
    let b = of_b.of(|| Evaluator::new(&context, a.public_key(), &data.records));
    let mut b = b.expect("records that fit");
    let chunks: Vec<u32> = (0..shape.chunks()).collect();
    for some in chunks.chunks(CHUNKS_AT_ONCE) {
        let splits: Vec<_> = of_c.of(|| {
            let split = |c: &mut Splitter, chunk| {
                let layers = &data.layers[places(chunk, shape)];
                c.split_chunk(chunk, layers).expect("a chunk that fits")
            };
            let splits = c
                .iter_mut()
                .flat_map(|c| some.iter().map(move |chunk| split(c, *chunk)));
            splits.collect()
        });
        let encrypted: Vec<_> = of_a.of(|| {
            let entries = some
                .iter()
                .map(|chunk| (*chunk, &data.entries[places(*chunk, shape)]));
            let encrypt = |(chunk, entries): (u32, &[_])| match &seed {
                Some(seed) => a.encrypt_split(chunk, &rows(entries), seed),
                None if shape.measure() == Measure::Sum => a.encrypt_values(chunk, entries),
                None => a.encrypt_chunk(chunk, &rows(entries)),
            };
            let encrypted = entries.map(encrypt);
            encrypted
                .map(|message| message.expect("a chunk that fits"))
                .collect()
        });
        bytes_up += encrypted.iter().map(Vec::len).sum::<usize>();
        bytes_split += splits.iter().map(|split| split.len()).sum::<usize>();
        of_b.of(|| {
            for (at, (chunk, message)) in some.iter().zip(&encrypted).enumerate() {
                let absorbed = match splits.get(at) {
                    Some(split) => b.absorb_split(*chunk, message, split),
                    None => b.absorb(*chunk, message),
                };
                absorbed.expect("a chunk of this table");
            }
        });
    }
    let (masked, masks) = of_b
        .of(|| b.finish(|| 0, &mut rng))
        .expect("all chunks came");
    let phases = of_a
        .of(|| a.open(&masked, || 0, &mut rng))
        .expect("a masked table");
    let cells = shares::combine(&phases, &masks).expect("shares of one table");
    assert_eq!(cells, data.cells(shape), "cells are exact");

    let line = json!({
        "bench": mode, "records": records, "positions": shape.positions(),
        "rows": shape.rows(), "columns": shape.columns(), "layers": shape.layers(),
        "cells_exact": cells.len(), "a": of_a.json(), "b": of_b.json(), "c": of_c.json(),
        "bytes_up": bytes_up, "bytes_split": bytes_split, "bytes_down": masked.len(),
        "data_mib": data_mib, "peak_mib": peak_mib(),
    });
    writeln!(std::io::stdout(), "{line}").expect("standard output takes it");
}

/// Positions of a chunk.
fn places(chunk: u32, shape: TableShape) -> Range<usize> {
    let size = shape.positions_per_chunk();
    let first = chunk as usize * size;
    first..first + size
}

fn rows(entries: &[Option<(u16, u64)>]) -> Vec<Option<u16>> {
    entries
        .iter()
        .map(|entry| entry.map(|(row, _)| row))
        .collect()
}
