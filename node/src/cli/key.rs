//! A project key for work with files only, and the secrets of nodes.

mod node;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use linkage_core::keys::ProjectKey;
use linkage_node::{entropy, keyfile};
use serde_json::json;

use super::config::Source;
use super::failure::{Blame, EXIT_OK, Failure};
use super::screen::Form;

const COMMENT: &str =
    "linkage project key. Secret: whoever has it and a token file can guess the records in it.";

/// Make keys, and keep those of a node encrypted.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Draw a new project key for work with files and write it to a file that only you can read
    Generate(Generate),
    /// Draw a credential, under which a node's secrets are encrypted
    Credential(node::Draw),
    /// Encrypt a node's keys under its credential; those that are missing are drawn
    Seal(node::Seal),
    /// Encrypt a stopped node's secrets under another credential
    Rotate(node::Rotate),
    /// Tell which of a node's secrets are encrypted under which credential, and its public keys
    #[command(after_help = "Example:\n  linkage key status --config node.toml")]
    Status(Source),
}

/// Arguments of `key generate`.
#[derive(Debug, Args)]
#[command(after_help = "\
All owners encode with the same key: hand it over in person or sealed, never beside the tokens. \
Whoever matches the tokens must not have it. An existing file is never overwritten.

Example:
  linkage key generate --out project.key")]
pub struct Generate {
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Key {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        let Generate { out } = match self {
            Self::Generate(generate) => generate,
            Self::Credential(draw) => return draw.run(form),
            Self::Seal(seal) => return seal.run(form),
            Self::Rotate(rotate) => return rotate.run(form),
            Self::Status(source) => return node::status(&source, form),
        };
        let bytes = entropy::secret()?;
        match keyfile::create(&out, COMMENT, &bytes) {
            Err(error @ keyfile::Error::Exists(_)) => Err(error).or_input()?,
            other => other?,
        }
        let id = ProjectKey::from_bytes(*bytes).id().to_string();
        let data = json!({ "key_file": out, "key_id": id });
        form.show(&data, || {
            format!(
                "Key {id} written to {}\nKeep it from whoever matches the tokens.",
                out.display()
            )
        })?;
        Ok(EXIT_OK)
    }
}

/// Reads the project key in the file at `path`.
///
/// # Errors
/// [`keyfile::Error`].
pub fn read(path: &Path) -> Result<ProjectKey, keyfile::Error> {
    keyfile::read(path).map(|key| ProjectKey::from_bytes(*key))
}
