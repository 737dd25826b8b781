//! What finding candidates costs on two registers of millions of records, as JSON lines.
//!
//! ```text
//! candidates_scale exact|keyed|keyless|diffused|listed|prefilter|plan ROWS [THREADS]
//! ```
//!
//! `exact` compares every record with every other; `keyed` takes six rules of block keys over
//! 512-bit tokens, `keyless` the tokens' own bits, `diffused` the six rules over 2048-bit tokens;
//! `listed` is `keyed` without a lowest agreement. `prefilter` joins a register with a tenth, a
//! hundredth and a thousandth of it, with the Bloom filter and without. `plan` prints what the ways
//! of finding candidates would cost. Seconds are of processor time, user and system, of the whole
//! process during the search.

#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a bench fails by panicking"
)]

mod people;

use std::io::Write;
use std::time::Instant;

use linkage_core::candidates::{Candidates, Costs, Prefilter, across, across_by_keys, plan};
use linkage_core::encode::{Columns, Header};
use linkage_core::keys::KeyId;
use linkage_core::schema::{Agreement, CandidateSettings, Lsh, Profile, Suite};
use linkage_core::similarity::Comparison;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use people::{Register, Which, partner, register};
use serde_json::{Value, json};

/// Dice's coefficient that true pairs are to be found at.
const THRESHOLD: f64 = 0.8;

/// Agreement of diffused tokens that stands out by five standard deviations, 0.5 / sqrt(2048) each.
const DIFFUSED_THRESHOLD: f64 = 0.555;

/// What the program allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut words = std::env::args().skip(1);
    let mode = words.next().expect("a mode: keyed, keyless, ...");
    let rows: u64 = words.next().and_then(|n| n.parse().ok()).expect("ROWS");
    if let Some(threads) = words.next().and_then(|n| n.parse().ok()) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build_global().expect("threads");
    }
    match mode.as_str() {
        "prefilter" => prefilter(rows),
        "plan" => costs(rows),
        _ => search(&mode, rows),
    }
}

fn search(mode: &str, rows: u64) {
    let diffused = mode == "diffused";
    let bits = if diffused { 2048 } else { 512 };
    let threshold = if diffused {
        DIFFUSED_THRESHOLD
    } else {
        THRESHOLD
    };
    let header = header(bits, rows, mode != "keyless");
    let first = register(Which::First, rows, bits);
    let second = register(Which::Second, rows, bits);
    let (a, b) = (columns(&header, &first), columns(&header, &second));
    forget_peak();
    let before = peak_mb();
    let settings = CandidateSettings {
        all_pairs_max: if mode == "exact" { u64::MAX } else { 0 },
        lsh: Some(if mode == "keyless" {
            Lsh::Auto
        } else {
            Lsh::Off
        }),
        agreement_min: (mode != "listed").then_some(threshold),
        ..CandidateSettings::default()
    };
    let (found, seconds) = timed(|| across(&a, &b, &settings));
    let peak = peak_mb();
    let mut line = measured(&a, &b, &found, threshold);
    line["mode"] = json!(mode);
    line["bits"] = json!(bits);
    line["cpu_s"] = json!(seconds.0);
    line["wall_s"] = json!(seconds.1);
    line["records_mb"] = json!(before);
    line["peak_mb"] = json!(peak);
    print(&line);
}

/// Counts and recall of what was found.
fn measured(a: &Columns<'_>, b: &Columns<'_>, found: &Candidates, threshold: f64) -> Value {
    let rows = a.len() as u64;
    let comparison = Comparison::new(a, b);
    let true_pairs: Vec<(u32, u32)> = (0..rows)
        .filter_map(|row| Some((partner(row, rows)? as u32, row as u32)))
        .collect();
    let sought = true_pairs
        .iter()
        .filter(|(a, b)| comparison.score(*a, *b) >= threshold)
        .count();
    let hit = |pair: &&linkage_core::candidates::ScoredPair| {
        pair.score >= threshold && partner(pair.b.into(), rows) == Some(pair.a.into())
    };
    let hits = found.pairs.iter().filter(hit).count();
    let left_out: u64 = found
        .block_rules
        .iter()
        .map(|rule| rule.pairs_left_out)
        .sum();
    json!({
        "rows": rows,
        "threads": rayon::current_num_threads(),
        "method": found.method,
        "floor": found.floor,
        "compared_per_record": found.compared as f64 / rows as f64,
        "listed": found.pairs.len(),
        "true_pairs": true_pairs.len(),
        "sought": sought,
        "recall": hits as f64 / sought as f64,
        "recall_of_all": hits as f64 / true_pairs.len() as f64,
        "pairs_left_out": left_out,
        "rules": found.block_rules,
        "token_bits": found.token_bits,
    })
}

fn prefilter(rows: u64) {
    let header = header(512, rows, true);
    let large = register(Which::Second, rows, 512);
    let settings = CandidateSettings::default();
    let filters = [("off", Prefilter::Off), ("bloom", Prefilter::Bloom)];
    for (part, (name, prefilter)) in [10, 100, 1000].iter().flat_map(|n| filters.map(|f| (n, f))) {
        let few = register(Which::First, rows / part, 512);
        let (a, b) = (columns(&header, &few), columns(&header, &large));
        forget_peak();
        let (found, seconds) = timed(|| across_by_keys(&a, &b, &settings, prefilter));
        print(&json!({
            "mode": "prefilter",
            "filter": name,
            "rows_a": a.len(),
            "rows_b": b.len(),
            "cpu_s": seconds.0,
            "wall_s": seconds.1,
            "listed": found.pairs.len(),
            "peak_mb": peak_mb(),
        }));
    }
}

fn costs(rows: u64) {
    let header = header(512, rows, true);
    let first = register(Which::First, rows, 512);
    let second = register(Which::Second, rows, 512);
    let (a, b) = (columns(&header, &first), columns(&header, &second));
    let measured = Costs::measured(&a, &b, |work| {
        let (start, ()) = (cpu_seconds(), work());
        cpu_seconds() - start
    });
    let settings = CandidateSettings::default();
    let (plan, seconds) = timed(|| plan(&a, &b, &settings, &measured));
    print(&json!({ "mode": "plan", "costs": measured, "plan": plan, "cpu_s": seconds.0 }));
}

fn header(bits: u32, rows: u64, keyed: bool) -> Header {
    Header {
        project: [0; 32],
        schema: [0; 32],
        key: KeyId([0; 8]),
        pack: [0; 32],
        suite: Suite::HmacSha256,
        profile: if bits == 512 {
            Profile::PlainClk
        } else {
            Profile::Hardened
        },
        agreement: if bits == 512 {
            Agreement::Dice
        } else {
            Agreement::Hamming
        },
        token_bits: bits,
        link_columns: vec![],
        block_keys: if keyed { people::RULES as u8 } else { 0 },
        classes: 0,
        segments: vec![],
        rows,
    }
}

fn columns<'a>(header: &'a Header, register: &'a Register) -> Columns<'a> {
    let keys = register.keys.iter().take(header.block_keys.into());
    Columns {
        header,
        words: &register.words,
        ones: &register.ones,
        link_keys: vec![],
        block_keys: keys.map(Vec::as_slice).collect(),
        classes: vec![],
    }
}

/// What `work` returns, and its seconds of processor and of wall time.
fn timed<T>(work: impl FnOnce() -> T) -> (T, (f64, f64)) {
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    let done = work();
    (done, (cpu_seconds() - cpu, wall.elapsed().as_secs_f64()))
}

fn cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("usage of this process");
    (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
}

/// Lets [`peak_mb`] start anew from what is resident now.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("the kernel resets its mark");
}

/// Largest resident set since [`forget_peak`], in megabytes (`VmHWM` of proc(5)).
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status of this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.expect("a mark in kB") / 1000
}

fn print(line: &Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").expect("standard output");
}
