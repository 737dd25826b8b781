//! Encodings for parties who use the Python package clkhash.

mod convert;
mod describe;
mod encode;
mod files;
mod secret;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use linkage_core::encode::clkhash::format::Summary;
use serde::Serialize;

use super::failure::Failure;
use super::screen::{self, Form};

const WARNING: &str = "\
Warning: clkhash encodings are for exchange with parties who cannot do better, and are breakable.
They are Bloom filters without hardening: without the secret nobody can compute one from a name, but
frequent names are found by mining patterns, `doubleHash` gives away more than `blakeHash`, and who
knows many of the records can recognise others by how similar their encodings are. Who has the secret
can guess every record. Give them to whoever matches and to nobody else; delete them after use.";

/// Encode for parties who use the Python package clkhash.
#[derive(Debug, Subcommand)]
pub enum Clkhash {
    /// Turn a CSV file into the encodings that clkhash 0.18 makes of it
    Encode(encode::Encode),
    /// Turn encodings in JSON into raw bytes, or back
    Convert(convert::Convert),
    /// Show how many encodings a file has, how long and how full they are
    Describe(describe::Describe),
}

impl Clkhash {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::Encode(command) => command.run(form),
            Self::Convert(command) => command.run(form),
            Self::Describe(command) => command.run(form),
        }
    }
}

/// A file of encodings to be read.
#[derive(Debug, Args)]
struct Source {
    /// File of encodings: JSON, or raw bytes if --hash-size is given
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Bytes of each encoding in a raw file: its Hash-Size
    #[arg(long, value_name = "BYTES")]
    hash_size: Option<usize>,
    /// Encodings that a raw file must have: its Hash-Count
    #[arg(long, value_name = "COUNT", requires = "hash_size")]
    hash_count: Option<u64>,
}

/// How full encodings are.
#[derive(Debug, Default, Serialize)]
struct Fill {
    encodings: u64,
    /// Encodings without any bit: of records whose values are all empty.
    empty: u64,
    ones: u64,
    ones_min: u64,
    ones_max: u64,
}

impl Fill {
    fn add(&mut self, encoding: &[u8]) {
        let (words, rest) = encoding.as_chunks();
        let ones = words.iter().map(|word| u64::from_le_bytes(*word));
        let ones: u32 = ones.map(u64::count_ones).sum();
        let rest: u32 = rest.iter().map(|byte| byte.count_ones()).sum();
        let ones = u64::from(ones + rest);
        self.ones_min = match self.encodings {
            0 => ones,
            _ => self.ones_min.min(ones),
        };
        self.ones_max = self.ones_max.max(ones);
        self.encodings += 1;
        self.empty += u64::from(ones == 0);
        self.ones += ones;
    }

    /// Lines for people about encodings of so many bits.
    fn text(&self, bits: u64) -> String {
        let share = |ones: f64| screen::percent(ones / bits.max(1) as f64, 1);
        let mean = self.ones as f64 / self.encodings.max(1) as f64;
        format!(
            "Fill: mean {}, from {} to {}\nWithout any bit: {}",
            share(mean),
            share(self.ones_min as f64),
            share(self.ones_max as f64),
            screen::counted(self.empty, "encoding")
        )
    }
}

/// What a file of encodings holds, as programs see it.
#[derive(Serialize)]
struct Content {
    encodings: u64,
    bytes_each: usize,
    /// The key of the JSON layout, or `raw`.
    layout: &'static str,
    block_ids: u64,
}

impl From<&Summary> for Content {
    fn from(summary: &Summary) -> Self {
        Self {
            encodings: summary.count,
            bytes_each: summary.size,
            layout: summary.layout.map_or("raw", |layout| layout.key()),
            block_ids: summary.block_ids,
        }
    }
}
