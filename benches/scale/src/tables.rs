//! What an oblivious table over millions of records costs each owner, as one JSON line.
//!
//! ```text
//! tables_scale counts|sums RECORDS ROWS COLUMNS [THREADS]
//! ```
//!
//! Both owners have RECORDS records, half of them joint. All cells are compared with adding up in
//! the clear; a wrong one ends the program. Seconds are of processor time, user and system, and of
//! the clock, by owner: what one does while the other waits. Memory is that of both owners
//! together, and of 32 chunks on their way.

#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a bench fails by panicking"
)]

use std::io::Write;
use std::time::Instant;

use linkage_oblivious::context::{Nonce, RunContext, RunId};
use linkage_oblivious::encrypt::Encryptor;
use linkage_oblivious::evaluate::Evaluator;
use linkage_oblivious::params::{Measure, TableShape};
use linkage_oblivious::shares;
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
    let mode = words.next().expect("a mode: counts, sums");
    let mut number = || -> u32 { words.next().and_then(|n| n.parse().ok()).expect("a number") };
    let (records, rows, columns) = (number(), number() as u16, number() as u16);
    if let Some(threads) = words.next().and_then(|n| n.parse().ok()) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build_global().expect("threads");
    }
    let positions =
        |measure: Measure| (2 * records).next_multiple_of(measure.positions_per_chunk() as u32);
    let shape = match mode.as_str() {
        "counts" => TableShape::new(positions(Measure::Count), rows, columns),
        "sums" => TableShape::sums(positions(Measure::Sum), rows, columns),
        _ => panic!("no such mode"),
    };
    table(&mode, records, shape.expect("a shape"));
}

/// Seconds of one owner, of processor time and of the clock.
#[derive(Default)]
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

/// A's rows and values by position, and B's positions and columns: of four positions A has the
/// first and third, and B the first two.
struct Data {
    entries: Vec<Option<(u16, u64)>>,
    records: Vec<(u32, u16)>,
}

impl Data {
    fn new(records: u32, shape: TableShape) -> Self {
        let below = |seed: u64, bound: u64| mix(seed) % bound;
        let mut data = Self {
            entries: vec![None; shape.positions() as usize],
            records: Vec::new(),
        };
        for position in 0..2 * records {
            let seed = 3 * u64::from(position);
            if position % 2 == 0 {
                let value = match shape.measure() {
                    Measure::Count => 1,
                    Measure::Sum => below(seed, VALUE_MAX + 1),
                };
                let row = below(seed + 1, shape.rows().into()) as u16;
                data.entries[position as usize] = Some((row, value));
            }
            if position % 4 < 2 {
                let column = below(seed + 2, shape.columns().into()) as u16;
                data.records.push((position, column));
            }
        }
        data
    }

    fn cells(&self, shape: TableShape) -> Vec<i64> {
        let mut cells = vec![0; shape.cells()];
        for (position, column) in &self.records {
            if let Some((row, value)) = self.entries[*position as usize] {
                cells[usize::from(row * shape.columns() + column)] += value as i64;
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
    let (mut of_a, mut of_b) = (Seconds::default(), Seconds::default());

    let mut a = of_a.of(|| Encryptor::new(&context, &mut rng));
    let mut bytes_up = a.public_key().len();
    let b = of_b.of(|| Evaluator::new(&context, a.public_key(), &data.records));
    let mut b = b.expect("records that fit");
    let chunks: Vec<u32> = (0..shape.chunks()).collect();
    for some in chunks.chunks(CHUNKS_AT_ONCE) {
        let encrypted: Vec<Vec<u8>> = of_a.of(|| {
            let encrypted = some
                .iter()
                .map(|chunk| encrypt(&mut a, *chunk, &data, shape));
            encrypted.collect()
        });
        bytes_up += encrypted.iter().map(Vec::len).sum::<usize>();
        of_b.of(|| {
            for (chunk, message) in some.iter().zip(&encrypted) {
                b.absorb(*chunk, message).expect("a chunk of this table");
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
        "rows": shape.rows(), "columns": shape.columns(), "cells_exact": cells.len(),
        "a": of_a.json(), "b": of_b.json(),
        "bytes_up": bytes_up, "bytes_down": masked.len(),
        "data_mib": data_mib, "peak_mib": peak_mib(),
    });
    writeln!(std::io::stdout(), "{line}").expect("standard output takes it");
}

/// One chunk, with what it takes to lay out its entries.
fn encrypt(a: &mut Encryptor, chunk: u32, data: &Data, shape: TableShape) -> Vec<u8> {
    let size = shape.positions_per_chunk();
    let first = chunk as usize * size;
    let entries = &data.entries[first..first + size];
    let message = match shape.measure() {
        Measure::Count => {
            let rows: Vec<_> = entries
                .iter()
                .map(|entry| entry.map(|(row, _)| row))
                .collect();
            a.encrypt_chunk(chunk, &rows)
        }
        Measure::Sum => a.encrypt_values(chunk, entries),
    };
    message.expect("a chunk that fits")
}
