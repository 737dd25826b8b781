//! Encodings in JSON to raw bytes, and back.

use std::io;
use std::path::PathBuf;

use clap::Args;
use linkage_core::encode::clkhash::format::{HASH_COUNT, HASH_SIZE, Sink};
use serde::Serialize;

use super::super::failure::{EXIT_OK, Failure};
use super::super::outputs::{self, Outputs};
use super::super::screen::{self, Form};
use super::files::{Format, Writer};
use super::{Content, Source};

/// Arguments of `clkhash convert`.
#[derive(Debug, Args)]
#[command(after_help = "\
JSON may be {\"clks\": [...]}, {\"encodings\": [...], \"blocks\": {...}} or {\"clknblocks\": [...]}; it
becomes raw bytes, encodings end to end, as a body with the headers Hash-Count and Hash-Size. With
--hash-size the file is raw and becomes {\"clks\": [...]}. Block ids have no place in either and are
left out. A file that is not exactly of its format is refused, and nothing is written.

Example:
  linkage clkhash convert clks.json --out clks.bin
  linkage clkhash convert clks.bin --hash-size 128 --out clks.json")]
pub struct Convert {
    #[command(flatten)]
    source: Source,
    /// File to write
    #[arg(long, value_name = "OUT")]
    out: PathBuf,
    /// Overwrite the file of an earlier run
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Converted {
    out: PathBuf,
    hash_count: u64,
    hash_size: usize,
    source: Content,
}

struct Copy {
    writer: Writer,
    target: PathBuf,
}

impl Sink for Copy {
    fn encoding(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.writer.push(bytes);
        written.map_err(|error| io::Error::other(outputs::io_error(&self.target)(error)))
    }

    fn blocks(&mut self, _: u64, _: &[String]) -> io::Result<()> {
        Ok(())
    }
}

impl Convert {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let outputs = Outputs::beside(&self.out, &[], &[&self.source.file], self.force)?;
        let format = match self.source.hash_size {
            Some(_) => Format::Json,
            None => Format::Binary,
        };
        let mut copy = Copy {
            writer: Writer::create(&outputs, 0, format)?,
            target: outputs.target(0),
        };
        let summary = self.source.read("converting", &mut copy)?;
        copy.writer.finish(&copy.target)?;
        outputs.commit()?;
        let result = Converted {
            out: self.out,
            hash_count: summary.count,
            hash_size: summary.size,
            source: (&summary).into(),
        };
        form.show(&result, || text(&result))?;
        Ok(EXIT_OK)
    }
}

fn text(result: &Converted) -> String {
    let mut lines = vec![
        format!(
            "{} of {} written to {}",
            screen::counted(result.hash_count, "encoding"),
            screen::counted(result.hash_size as u64, "byte"),
            result.out.display()
        ),
        format!(
            "{HASH_COUNT}: {}\n{HASH_SIZE}: {}",
            result.hash_count, result.hash_size
        ),
    ];
    if result.source.block_ids > 0 {
        let ids = screen::counted(result.source.block_ids, "block id");
        lines.push(format!("Left out: {ids}"));
    }
    lines.join("\n")
}
