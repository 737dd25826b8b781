//! `linkage audit receipt`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use linkage_core::audit::receipt::{RECEIPT_BYTES_MAX, Receipt as Proof};
use linkage_node::auditlog::receipt::from_dir;
use serde_json::json;

use super::super::failure::{Blame, EXIT_OK, Failure};
use super::super::screen::{self, Form};
use super::verify::read_policy;

/// Prove that an entry is in a log.
#[derive(Debug, Subcommand)]
pub enum Receipt {
    /// Write the proof that an entry is in a log
    Make(Make),
    /// Check a proof with nothing but a policy file
    Check(Check),
}

/// Arguments of `audit receipt make`.
#[derive(Debug, Args)]
#[command(after_help = "\
The receipt (c2sp.org/tlog-proof) holds the entry, the hashes that lead to the root of the tree, and \
the newest checkpoint over it: the one that witnesses have cosigned, if it covers the entry.

Example:
  linkage audit receipt make /var/lib/linkage/audit 41 > seal.tlog-proof")]
pub struct Make {
    /// Folder that holds the log
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Number of the entry
    #[arg(value_name = "SEQ")]
    index: u64,
}

/// Arguments of `audit receipt check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Shows the entry if the policy accepts the receipt: the log is one of the policy's, its quorum of \
witnesses has cosigned, and the entry is in the tree. Otherwise the exit code is 10.

Example:
  linkage audit receipt check seal.tlog-proof --policy audit.policy")]
pub struct Check {
    /// The receipt
    #[arg(value_name = "FILE")]
    receipt: PathBuf,
    /// Policy file: the logs and witnesses to believe
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
}

/// Exit code of a receipt that is not accepted: as for a signature that does not hold.
const EXIT_REFUSED: u8 = 10;

impl Receipt {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::Make(command) => {
                let receipt = from_dir(&command.dir, command.index)
                    .with_context(|| format!("entry {} cannot be proved", command.index))
                    .or_input()?;
                screen::show(&receipt.to_string())?;
                Ok(EXIT_OK)
            }
            Self::Check(command) => command.run(form),
        }
    }
}

impl Check {
    fn run(self, form: Form) -> Result<u8, Failure> {
        let policy = read_policy(&self.policy)?;
        let receipt = read(&self.receipt)?;
        let accepted = match receipt.accept(&policy) {
            Ok(accepted) => accepted,
            Err(error) => {
                let result = json!({ "accepted": false, "fault": error.to_string() });
                form.show(&result, || format!("NOT ACCEPTED: {error}"))?;
                return Ok(EXIT_REFUSED);
            }
        };
        let entry = String::from_utf8_lossy(&receipt.entry).into_owned();
        let names: Vec<&str> = accepted.cosigned.iter().map(|(name, _)| &**name).collect();
        let result = json!({
            "accepted": true,
            "log": accepted.checkpoint.origin,
            "index": receipt.index,
            "entries": accepted.checkpoint.size,
            "witnesses": names,
            "entry": entry,
        });
        form.show(&result, || {
            format!(
                "accepted: entry {} of {}\n  witnessed by {}\n{entry}",
                receipt.index,
                accepted.checkpoint.origin,
                if names.is_empty() {
                    "nobody".to_owned()
                } else {
                    names.join(", ")
                },
            )
        })?;
        Ok(EXIT_OK)
    }
}

fn read(path: &Path) -> Result<Proof, Failure> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path)
        .with_context(|| format!("the receipt {} cannot be read", path.display()))
        .or_input()?;
    file.take(RECEIPT_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("the receipt {} cannot be read", path.display()))
        .or_input()?;
    text.parse::<Proof>()
        .with_context(|| format!("{} is no receipt", path.display()))
        .or_input()
}
