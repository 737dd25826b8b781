//! `linkage audit tail`, `show` and `bundle`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use linkage_core::audit::entry::Entry;
use linkage_node::auditlog::{bundle, segments};
use serde_json::json;

use super::super::failure::{Blame, EXIT_OK, Failure};
use super::super::screen::{self, Form};

/// How often a followed log is looked at.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(500);

/// Arguments of `audit tail`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the files as they are and checks nothing but their checksums: see `linkage audit verify`. \
Each line shows number, time, actor, action and result; --json shows the exact entries.

Example:
  linkage audit tail /var/lib/linkage/audit --follow")]
pub struct Tail {
    /// Folder that holds the log
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Number of entries
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    number: u64,
    /// Go on and show entries as they come
    #[arg(long)]
    follow: bool,
}

/// Arguments of `audit show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Shows every field of the entry, and its hash as a leaf of the log's tree. --json shows the exact \
entry.

Example:
  linkage audit show /var/lib/linkage/audit 41")]
pub struct Show {
    /// Folder that holds the log
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Number of the entry
    #[arg(value_name = "SEQ")]
    index: u64,
}

/// Arguments of `audit bundle`.
#[derive(Debug, Args)]
#[command(after_help = "\
The bundle holds the entries and the newest checkpoints, and no key: whoever verifies it brings the \
policy file. Works while the node runs.

Example:
  linkage audit bundle /var/lib/linkage/audit health.bundle")]
pub struct Bundle {
    /// Folder that holds the log
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The file to be made
    #[arg(value_name = "FILE")]
    out: PathBuf,
}

impl Tail {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let end = segments::entries(&self.dir, u64::MAX)
            .and_then(|mut entries| entries.skip_to_end())
            .with_context(|| format!("no log can be read in {}", self.dir.display()))
            .or_input()?;
        let mut next = end.saturating_sub(self.number);
        loop {
            let mut entries = segments::entries(&self.dir, next)?;
            while let Some((seq, bytes)) = entries.next_entry()? {
                let entry = Entry::from_bytes(bytes)?;
                match form {
                    Form::Json => screen::show(&String::from_utf8_lossy(bytes))?,
                    Form::Text => screen::show(&line(&entry))?,
                }
                next = seq + 1;
            }
            if !self.follow {
                return Ok(EXIT_OK);
            }
            std::thread::sleep(FOLLOW_INTERVAL);
        }
    }
}

impl Show {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let mut entries = segments::entries(&self.dir, self.index)
            .with_context(|| format!("no log can be read in {}", self.dir.display()))
            .or_input()?;
        let found = entries.next_entry()?;
        let Some((seq, bytes)) = found.filter(|(seq, _)| *seq == self.index) else {
            let message = format!("the log has no entry {}", self.index);
            return Err(Failure::input(anyhow::anyhow!(message)));
        };
        let exact = String::from_utf8_lossy(bytes).into_owned();
        match form {
            Form::Json => screen::show(&exact)?,
            Form::Text => {
                let value: serde_json::Value = serde_json::from_slice(bytes)?;
                let leaf = linkage_core::audit::tree::Hash::leaf(bytes);
                let fields = serde_json::to_string_pretty(&value)?;
                screen::show(&format!("entry {seq}, leaf {leaf}\n{fields}"))?;
            }
        }
        Ok(EXIT_OK)
    }
}

impl Bundle {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let entries = bundle::write(&self.dir, &self.out)
            .with_context(|| format!("{} cannot be bundled", self.dir.display()))
            .or_input()?;
        let result = json!({ "bundle": self.out, "entries": entries });
        form.show(&result, || {
            let entries = screen::count(entries);
            format!("{entries} entries written to {}", self.out.display())
        })?;
        Ok(EXIT_OK)
    }
}

fn line(entry: &Entry) -> String {
    let event = &entry.event;
    let result = event.result.map_or("begun", |result| result.name());
    let reason = event.reason.as_deref();
    let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    format!(
        "{:>7}  {}  {}/{}  {}  {}  {result}{reason}",
        entry.seq, entry.time, event.actor.role, event.actor.id, event.action, event.object,
    )
}
