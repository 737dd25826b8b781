//! `linkage audit fork`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use linkage_node::store::witness::{Evidence, WitnessStore};
use linkage_node::witness::STORE_FILE;
use serde_json::{Value, json};

use super::super::failure::{Blame, EXIT_OK, Failure};
use super::super::screen::Form;
use super::verify::time_text;

/// Evidence against logs.
#[derive(Debug, Subcommand)]
pub enum Fork {
    /// Show pairs of checkpoints that contradict each other
    Show(Show),
}

/// Arguments of `audit fork show`.
#[derive(Debug, Args)]
#[command(after_help = "\
When this node is asked to cosign a checkpoint that does not continue the one it has cosigned, it \
refuses and keeps both notes. Both are signed by the log: whoever has the log's key can see that it \
told two stories.

Example:
  linkage audit fork show /var/lib/linkage/audit")]
pub struct Show {
    /// Folder that holds the log of the node that refused
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl Fork {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let Self::Show(Show { dir }) = self;
        let path = dir.join(STORE_FILE);
        let evidence = if path.exists() {
            WitnessStore::open(&path)
                .or_input()?
                .evidence()
                .with_context(|| format!("{} cannot be read", path.display()))?
        } else {
            vec![]
        };
        let data: Vec<Value> = evidence.iter().map(data).collect();
        form.show(&json!({ "evidence": data }), || match evidence.as_slice() {
            [] => "no log has contradicted itself here".to_owned(),
            found => found.iter().map(text).collect::<Vec<_>>().join("\n"),
        })?;
        Ok(EXIT_OK)
    }
}

fn data(evidence: &Evidence) -> Value {
    json!({
        "log": evidence.origin,
        "seconds": evidence.seconds,
        "kept": evidence.kept,
        "refused": evidence.refused,
    })
}

fn text(evidence: &Evidence) -> String {
    format!(
        "{}: two checkpoints that contradict each other, found at {}\n\
         cosigned:\n{}\nrefused:\n{}",
        evidence.origin,
        time_text(evidence.seconds).unwrap_or_default(),
        evidence.kept,
        evidence.refused
    )
}
