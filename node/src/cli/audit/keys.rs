//! `linkage audit keys`.

use clap::Args;
use linkage_node::serve::audit_keys;
use serde_json::json;

use super::super::config::Source;
use super::super::failure::{Blame, EXIT_OK, Failure};
use super::super::screen::Form;

/// Arguments of `audit keys`.
#[derive(Debug, Args)]
#[command(after_help = "\
Both public keys come from the node's signing key. Hand the two lines to the other parties: a policy \
file is made of such lines, `group` lines and one `quorum` line (c2sp.org/tlog-policy).

Example:
  linkage audit keys --config /etc/linkage/node.toml >> audit.policy")]
pub struct Keys {
    #[command(flatten)]
    source: Source,
}

impl Keys {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let settings = self.source.load()?.settings;
        let keys = audit_keys(&settings).or_input()?;
        let (log, witness) = (keys.log.verifying(), keys.witness.verifying());
        let name = format!("{}-{}", settings.role.role(), settings.party);
        let result = json!({
            "log": log.to_string(),
            "witness": witness.to_string(),
            "name": name,
        });
        form.show(&result, || format!("log {log}\nwitness {name} {witness}"))?;
        Ok(EXIT_OK)
    }
}
