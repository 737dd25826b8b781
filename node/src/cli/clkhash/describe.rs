//! What a file of encodings holds.

use std::io;

use clap::Args;
use linkage_core::encode::clkhash::format::Sink;
use serde::Serialize;

use super::super::failure::{EXIT_OK, Failure};
use super::super::screen::{self, Form};
use super::{Content, Fill, Source};

/// Arguments of `clkhash describe`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the whole file, so it is also a check that the file is in order. Fill is the share of an
encoding's bits that are set: two parties whose mean fills differ much have encoded with different
schemas. Encodings without any bit are like no other and never match.

Example:
  linkage clkhash describe clks.json
  linkage clkhash describe clks.bin --hash-size 128")]
pub struct Describe {
    #[command(flatten)]
    source: Source,
}

#[derive(Serialize)]
struct Description {
    #[serde(flatten)]
    content: Content,
    fill: Fill,
}

#[derive(Default)]
struct Counts(Fill);

impl Sink for Counts {
    fn encoding(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.add(bytes);
        Ok(())
    }

    fn blocks(&mut self, _: u64, _: &[String]) -> io::Result<()> {
        Ok(())
    }
}

impl Describe {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let mut counts = Counts::default();
        let summary = self.source.read("reading", &mut counts)?;
        let description = Description {
            content: (&summary).into(),
            fill: counts.0,
        };
        form.show(&description, || text(&description))?;
        Ok(EXIT_OK)
    }
}

fn text(description: &Description) -> String {
    let content = &description.content;
    let mut lines = vec![format!(
        "{} of {} ({})",
        screen::counted(content.encodings, "encoding"),
        screen::counted(content.bytes_each as u64, "byte"),
        content.layout
    )];
    if content.encodings > 0 {
        lines.push(description.fill.text(content.bytes_each as u64 * 8));
    }
    if content.block_ids > 0 {
        lines.push(format!(
            "{}, which carry no key: whoever sees them can guess what they were made of",
            screen::counted(content.block_ids, "block id")
        ));
    }
    lines.join("\n")
}
