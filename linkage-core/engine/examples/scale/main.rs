//! What a search of two synthetic registers costs, in memory and beyond it; run by `scripts/scale`.
//!
//! ```text
//! scale make FOLDER ROWS BITS                   writes the registers' token stores
//! scale rates ROWS BITS                         measures import and checks, on one thread
//! scale memory FOLDER FLOOR                     links in memory
//! scale disk FOLDER FLOOR MEMORY THREADS        links beyond memory, or goes on doing so
//! ```
//!
//! Every command prints one line of JSON. `links` is a digest of the one-to-one links, `pairs` one
//! of all candidate pairs that agree by FLOOR or share a link key.

#![allow(
    clippy::print_stdout,
    reason = "what a program of measurements is there for"
)]

mod people;

use std::error::Error;
use std::fs;
use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use linkage_core::candidates::{Prefilter, RuleCount, ScoredPair, across_by_keys};
use linkage_core::decide::one_to_one;
use linkage_core::schema::CandidateSettings;
use linkage_engine::search::{Limits, Search};
use linkage_engine::store::{TokenStore, Verify, import};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const REGISTERS: [&str; 2] = ["a.store", "b.store"];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let figures = match arguments.as_slice() {
        ["make", folder, rows, bits] => make(Path::new(folder), rows.parse()?, bits.parse()?)?,
        ["rates", rows, bits] => rates(rows.parse()?, bits.parse()?)?,
        ["memory", folder, floor] => memory(Path::new(folder), floor.parse()?)?,
        ["disk", folder, floor, memory, threads] => {
            let limits = Limits {
                memory_bytes: memory.parse()?,
                threads: threads.parse()?,
            };
            disk(Path::new(folder), floor.parse()?, limits)?
        }
        _ => return Err("see the head of this program's source for its arguments".into()),
    };
    println!("{figures}");
    Ok(())
}

fn make(folder: &Path, rows: u32, bits: u32) -> Outcome<Value> {
    let header = people::header(rows, bits);
    std::thread::scope(|scope| -> Outcome<()> {
        let made = REGISTERS.map(|name| {
            let header = &header;
            scope.spawn(move || -> Outcome<()> {
                let (reader, writer) = std::io::pipe()?;
                std::thread::scope(|scope| -> Outcome<()> {
                    let second = name == REGISTERS[1];
                    let written = scope.spawn(move || {
                        people::write(header, second, BufWriter::with_capacity(1 << 20, writer))
                    });
                    import(reader, &folder.join(name))?;
                    written.join().map_err(|_| "the generator failed")??;
                    Ok(())
                })
            })
        });
        for thread in made {
            thread.join().map_err(|_| "a register failed")??;
        }
        Ok(())
    })?;
    Ok(json!({ "rows": rows, "bits": bits, "bytes": folder_bytes(folder) }))
}

/// Import and checks of one register in the page cache; best of five.
fn rates(rows: u32, bits: u32) -> Outcome<Value> {
    let mut batch = Vec::new();
    people::write(&people::header(rows, bits), false, &mut batch)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let mut best = [f64::MAX; 4];
    for _ in 0..5 {
        let started = cpu_seconds()?;
        import(batch.as_slice(), &path)?;
        let imported = cpu_seconds()?;
        let opened = |verify| -> Outcome<f64> {
            let before = cpu_seconds()?;
            let store = pool.install(|| TokenStore::open(&path, verify))?;
            // With the columns in use: each cache line is touched once.
            let words = store.columns().words.iter().step_by(8);
            std::hint::black_box(words.fold(0, |sum, word| sum ^ word));
            Ok(cpu_seconds()? - before)
        };
        let measured = [
            imported - started,
            opened(Verify::Head)?,
            opened(Verify::Checksums)?,
            opened(Verify::Ones)?,
        ];
        for (best, measured) in best.iter_mut().zip(measured) {
            *best = best.min(measured);
        }
    }
    let bytes = fs::metadata(&path)?.len();
    let [import, head, checksums, ones] = best.map(|s| bytes as f64 / 1e9 / s.max(1e-9));
    Ok(json!({
        "bytes": bytes,
        "import_gb_per_cpu_s": import,
        "open_head_gb_per_cpu_s": head,
        "open_checksums_gb_per_cpu_s": checksums,
        "open_ones_gb_per_cpu_s": ones,
    }))
}

fn open(folder: &Path) -> Outcome<[TokenStore; 2]> {
    let [a, b] = REGISTERS.map(|name| TokenStore::open(&folder.join(name), Verify::Checksums));
    Ok([a?, b?])
}

fn memory(folder: &Path, floor: f64) -> Outcome<Value> {
    let started = Instant::now();
    let peak = watch_memory();
    let [a, b] = open(folder)?;
    let settings = CandidateSettings::default();
    let found = across_by_keys(&a.columns(), &b.columns(), &settings, Prefilter::Off);
    let mut digest = Digest::default();
    let kept = |pair: &ScoredPair| pair.score >= floor || pair.link_rule.is_some();
    let kept: Vec<_> = found.pairs.into_iter().filter(kept).collect();
    kept.iter().for_each(|pair| digest.add(pair));
    let mut figures = json!({
        "proposed": proposed(&found.block_rules),
        "block_rules": found.block_rules,
        "conflicts": found.identity_conflicts.len(),
    });
    conclude(&mut figures, started, kept, digest, (&a, &b))?;
    if let Value::Object(figures) = &mut figures {
        let most = peak.load(Ordering::Relaxed);
        figures.insert("peak_bytes".into(), most.into());
    }
    Ok(figures)
}

fn disk(folder: &Path, floor: f64, limits: Limits) -> Outcome<Value> {
    let started = Instant::now();
    let peak = watch_memory();
    let [a, b] = open(folder)?;
    let run = folder.join("run");
    let settings = CandidateSettings::default();
    let most = AtomicU64::new(0);
    let passes = u64::from(a.header().block_keys) + a.header().link_columns.len() as u64;
    let passed = Mutex::new(None);
    let pieces = AtomicU64::new(0);
    let progress = |done: usize, total: usize| {
        pieces.store(total as u64, Ordering::Relaxed);
        most.fetch_max(folder_bytes(&run), Ordering::Relaxed);
        if done as u64 == passes {
            let cost = (started.elapsed().as_secs_f64(), cpu_seconds().ok());
            *passed.lock().unwrap_or_else(PoisonError::into_inner) = Some(cost);
        }
    };
    let search = Search::new(&a, Some(&b), &settings, limits, &run).floor(floor);
    let found = search.run(&progress)?;
    let (searched, searched_cpu) = (started.elapsed().as_secs_f64(), cpu_seconds()?);
    let search_peak = peak.load(Ordering::Relaxed);
    let mut digest = Digest::default();
    let mut kept = Vec::new();
    for pair in found.pairs() {
        let pair = pair?;
        digest.add(&pair);
        kept.push(pair);
    }
    let mut figures = json!({
        "proposed": proposed(found.block_rules()),
        "block_rules": found.block_rules(),
        "conflicts": found.identity_conflicts()?.len(),
        "passes_wall_s_cpu_s": passed.into_inner().unwrap_or_else(PoisonError::into_inner),
        "search_wall_s": searched,
        "search_cpu_s": searched_cpu,
        "search_peak_bytes": search_peak,
        "run_folder_bytes": most.into_inner(),
        "pieces": pieces.into_inner(),
    });
    found.remove()?;
    conclude(&mut figures, started, kept, digest, (&a, &b))?;
    if let Value::Object(figures) = &mut figures {
        let most = peak.load(Ordering::Relaxed);
        figures.insert("peak_bytes".into(), most.into());
    }
    Ok(figures)
}

/// Adds the links and what everything has cost.
fn conclude(
    figures: &mut Value,
    started: Instant,
    kept: Vec<ScoredPair>,
    pairs: Digest,
    (a, b): (&TokenStore, &TokenStore),
) -> Outcome<()> {
    let mut links = Digest::default();
    let chosen = one_to_one(&kept, a.len(), b.len());
    chosen.iter().for_each(|pair| links.add(pair));
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let more = json!({
        "pairs_kept": kept.len(),
        "pairs": format!("{:08x}", pairs.0),
        "links_found": chosen.len(),
        "links": format!("{:08x}", links.0),
        "cpu_s": cpu_seconds()?,
        "wall_s": started.elapsed().as_secs_f64(),
        "peak_rss_bytes": usage.max_rss() * 1024,
    });
    if let (Value::Object(figures), Value::Object(more)) = (figures, more) {
        figures.extend(more);
    }
    Ok(())
}

/// Pairs that the rules propose, a pair of several rules several times.
fn proposed(rules: &[RuleCount]) -> u64 {
    rules.iter().map(|count| count.pairs).sum()
}

/// CRC-32C of pairs to the bit, in their order.
#[derive(Default)]
struct Digest(u32);

impl Digest {
    fn add(&mut self, pair: &ScoredPair) {
        let mut bytes = [0; 17];
        bytes[..4].copy_from_slice(&pair.a.to_le_bytes());
        bytes[4..8].copy_from_slice(&pair.b.to_le_bytes());
        bytes[8..16].copy_from_slice(&pair.score.to_le_bytes());
        bytes[16] = pair.link_rule.unwrap_or(u8::MAX);
        self.0 = crc32c::crc32c_append(self.0, &bytes);
    }
}

/// Highest memory of this process so far, looked at every few milliseconds: what is its own, not
/// the pages of mapped files, which the system takes back when it needs them.
fn watch_memory() -> Arc<AtomicU64> {
    let peak = Arc::new(AtomicU64::new(0));
    let watched = Arc::downgrade(&peak);
    std::thread::spawn(move || {
        while let Some(peak) = watched.upgrade() {
            let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
            let own = status
                .lines()
                .find_map(|line| line.strip_prefix("RssAnon:"));
            let kib = own.and_then(|own| own.split_whitespace().next()?.parse::<u64>().ok());
            peak.fetch_max(kib.unwrap_or(0) * 1024, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    peak
}

fn cpu_seconds() -> Outcome<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// Bytes of the files in a folder.
fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(|metadata| metadata.is_file())
        .map(|metadata| metadata.len())
        .sum()
}
