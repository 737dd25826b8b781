//! Audit logs, checked and read offline by anyone who can read their files.

mod export;
mod fork;
mod keys;
mod read;
mod receipt;
mod verify;

use clap::Subcommand;

use super::failure::Failure;
use super::screen::Form;

/// Check and read audit logs.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check that logs are complete, unchanged, signed and witnessed
    Verify(verify::Verify),
    /// Show the newest entries
    Tail(read::Tail),
    /// Show one entry
    Show(read::Show),
    /// Put a log into one file, for an auditor
    Bundle(read::Bundle),
    /// Prove that an entry is in a log, or check such a proof
    #[command(subcommand)]
    Receipt(receipt::Receipt),
    /// Send entries to a log collector
    Export(export::Export),
    /// Delete entries that are old and exported
    Prune(export::Prune),
    /// Show evidence that a log told two stories
    #[command(subcommand)]
    Fork(fork::Fork),
    /// Show the lines that a policy needs for this node
    Keys(keys::Keys),
}

impl Audit {
    /// Runs the command.
    pub fn run(self, form: Form) -> Result<u8, Failure> {
        match self {
            Self::Verify(command) => command.run(form),
            Self::Tail(command) => command.run(form),
            Self::Show(command) => command.run(form),
            Self::Bundle(command) => command.run(form),
            Self::Receipt(command) => command.run(form),
            Self::Export(command) => command.run(form),
            Self::Prune(command) => command.run(form),
            Self::Fork(command) => command.run(form),
            Self::Keys(command) => command.run(form),
        }
    }
}
