//! What goes wrong with nodes as processes.

use std::path::PathBuf;

use crate::{keyfile, sealed};

/// Why the nodes could not be set up or kept running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or process.
    #[error("{what}")]
    Io {
        /// What was attempted.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Certificates.
    #[error("the certificates cannot be made")]
    Pki(#[from] crate::pki::PkiError),
    /// Names of audit keys.
    #[error("the audit keys cannot be made")]
    AuditKey(#[from] linkage_core::audit::note::NoteError),
    /// Credentials.
    #[error("the credentials cannot be made")]
    Credential(#[from] keyfile::Error),
    /// Keys.
    #[error("the keys cannot be made")]
    Key(#[from] sealed::Error),
    /// Randomness.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::NoEntropy),
    /// A configuration cannot be written.
    #[error("a configuration cannot be written")]
    Config(#[from] toml::ser::Error),
    /// A node ended by itself.
    #[error("the node {name} ended ({status}); the end of its log {log}:\n{tail}")]
    Died {
        /// The node.
        name: String,
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The last lines.
        tail: String,
    },
    /// A node did not begin to serve in time.
    #[error("the node {name} does not serve after {} s; the end of its log {log}:\n{tail}", super::START_TIMEOUT.as_secs())]
    Slow {
        /// The node.
        name: String,
        /// Its log.
        log: PathBuf,
        /// The last lines.
        tail: String,
    },
}

/// Says what was attempted when the system refused.
pub(super) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.into();
    move |source| Error::Io { what, source }
}
