//! Joins two files of tokens and says how long it took; scripts/bench-kernel runs it.
//!
//! `join A B BITS THRESHOLD ISA METHOD RUNS HITS`: `A` and `B` hold tokens row after row in
//! little-endian words; `ISA` is best, portable, avx2, avx512 or neon, `METHOD` auto, full or
//! slices. Joins `RUNS` times by Dice's coefficient, writes the pairs found (three little-endian
//! words of 32 bits each) to `HITS`, and prints a line of JSON with the CPU seconds of the fastest.

#![allow(clippy::print_stdout, reason = "a program that reports")]

use std::error::Error;
use std::fs;
use std::thread;
use std::time::Duration;

use linkage_kernel::{Isa, Measure, Method, Rows, Rule, Settings, join, plan};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Seconds that all threads of this process have spent on a processor. The kernel brings a thread's
/// account up to date when it leaves the processor, hence the sleep.
fn cpu_seconds() -> Result<f64> {
    thread::sleep(Duration::from_millis(2));
    let mut nanoseconds = 0.0;
    for task in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += text.split(' ').next().unwrap_or("").parse::<f64>()?;
    }
    Ok(nanoseconds / 1e9)
}

/// Tokens of a file, and their numbers of set bits.
fn tokens(path: &str, width: usize) -> Result<(Vec<u64>, Vec<u16>)> {
    let bytes = fs::read(path)?;
    let (words, _) = bytes.as_chunks::<8>();
    let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let count = |token: &[u64]| token.iter().map(|word| word.count_ones()).sum::<u32>();
    let ones = words
        .chunks(width)
        .map(|token| count(token) as u16)
        .collect();
    Ok((words, ones))
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [a, b, bits, threshold, isa, method, runs, hits_path] = arguments.as_slice() else {
        return Err("join A B BITS THRESHOLD ISA METHOD RUNS HITS".into());
    };
    let bits: u32 = bits.parse()?;
    let settings = Settings {
        isa: match isa.as_str() {
            "best" => Isa::best(),
            "portable" => Isa::Portable,
            "avx2" => Isa::Avx2,
            "avx512" => Isa::Avx512,
            "neon" => Isa::Neon,
            _ => return Err("there is no such instruction set".into()),
        },
        method: match method.as_str() {
            "auto" => Method::Auto,
            "full" => Method::FullWidth,
            "slices" => Method::Slices,
            _ => return Err("there is no such method".into()),
        },
        ..Settings::default()
    };
    let width = bits.div_ceil(64) as usize;
    let (a_words, a_ones) = tokens(a, width)?;
    let (b_words, b_ones) = tokens(b, width)?;
    let a = Rows::new(&a_words, &a_ones, bits)?;
    let b = Rows::new(&b_words, &b_ones, bits)?;

    let mut fastest = f64::INFINITY;
    let mut hits = Vec::new();
    for _ in 0..runs.parse()? {
        let start = cpu_seconds()?;
        let rule = Rule::new(Measure::Dice, threshold.parse()?, bits)?;
        hits = join(&a, &b, &rule, &settings)?;
        fastest = fastest.min(cpu_seconds()? - start);
    }
    let rule = Rule::new(Measure::Dice, threshold.parse()?, bits)?;
    let start = cpu_seconds()?;
    let plan = plan(&a, &b, &rule, &settings)?;
    let planning = cpu_seconds()? - start;
    let bytes: Vec<u8> = hits
        .iter()
        .flat_map(|hit| [hit.a, hit.b, hit.intersection])
        .flat_map(u32::to_le_bytes)
        .collect();
    fs::write(hits_path, bytes)?;
    println!(
        "{{\"seconds\":{fastest},\"planning\":{planning},\"hits\":{},\"method\":\"{:?}\",\
         \"groups\":{},\"group_bits\":{},\"pairs\":{},\"left\":{},\"cycles\":{}}}",
        hits.len(),
        plan.method,
        plan.groups,
        plan.group_bits,
        plan.pairs,
        plan.left,
        plan.cycles
    );
    Ok(())
}
