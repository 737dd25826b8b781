//! A look at a node and all that it needs.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use linkage_node::doctor::{Bundle, Verdict, examine};

use super::config::Source;
use super::failure::{EXIT_FAILED, EXIT_OK, Failure};
use super::runtime;
use super::screen::{self, Form};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at configuration, files, certificates, disk, audit log, database, clock and peers. Changes
nothing; the node may run meanwhile. Run it as the node's user. The exit code is 1 if anything is bad.

Example:
  linkage doctor --config /etc/linkage/owner.toml --bundle report.json")]
pub struct Doctor {
    #[command(flatten)]
    source: Source,
    /// Also write a report for others: outcomes, keys and versions, no values
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

impl Doctor {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let sources = self.source.sources()?;
        let (loaded, findings) = runtime()?.block_on(examine(&sources));
        if let Some(path) = &self.bundle {
            let bundle = Bundle::new(loaded.as_ref(), &findings);
            let text = serde_json::to_string_pretty(&bundle)?;
            write_new(path, &text)?;
        }
        form.show(&findings, || {
            let rows = findings.iter().map(|finding| {
                let verdict = match finding.verdict {
                    Verdict::Good => "good",
                    Verdict::Warning => "warning",
                    Verdict::Bad => "BAD",
                };
                let words = match finding.remedy.as_str() {
                    "" => finding.words.clone(),
                    remedy => format!("{} [{}]\n-> {remedy}", finding.words, finding.code),
                };
                vec![finding.check.to_owned(), verdict.to_owned(), words]
            });
            screen::table(&["check", "verdict", "found"], 3, rows)
        })?;
        let is_bad = findings
            .iter()
            .any(|finding| finding.verdict == Verdict::Bad);
        Ok(if is_bad { EXIT_FAILED } else { EXIT_OK })
    }
}

/// Writes a new file that this user alone can read.
fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("{} cannot be written", path.display());
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)
}
