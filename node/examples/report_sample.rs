//! Renders the sample report of the tests into a folder:
//! `cargo run -p linkage-node --example report_sample -- <folder>`.

#[path = "../tests/report/sample.rs"]
mod sample;

use std::env;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let folder = env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .context("which folder?")?;
    let page = linkage_node::report::write(&folder, &sample::report(""))?;
    writeln!(io::stdout(), "{}", page.display())?;
    Ok(())
}
