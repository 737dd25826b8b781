//! Why a configuration is refused.

use std::fmt;
use std::path::PathBuf;

use super::layers::Origin;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("the configuration {path} cannot be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The settings are wrong; all that is wrong with them, each with its place.
    #[error("the configuration is not acceptable:\n{}", list(.0))]
    Refused(Vec<Complaint>),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Where it stands.
    pub origin: Origin,
    /// What is wrong and what to do. Never shows a value: it might be a secret that was put in the
    /// wrong place.
    pub message: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

fn list(complaints: &[Complaint]) -> String {
    let lines: Vec<_> = complaints.iter().map(|one| format!("  {one}")).collect();
    lines.join("\n")
}
