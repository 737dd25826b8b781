//! Why a file is no token store.

use std::io;
use std::path::{Path, PathBuf};

use linkage_core::encode::batch::StreamError;

/// What is wrong with the head of a token store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// Not a token store at all.
    #[error("it is no token store")]
    Magic,
    /// A store of another version of the format.
    #[error("it has format version {0}; this program reads version 1")]
    Version(u16),
    /// The head is cut, or contradicts itself.
    #[error("its head is damaged: {0}")]
    Damaged(&'static str),
    /// The file is shorter or longer than its head says.
    #[error("it has {found} bytes, its head announces {expected}: it was cut or extended")]
    Length {
        /// Bytes by the head.
        expected: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// A part of a column differs from its checksum.
    #[error("the checksum of its {0} is wrong: it was changed or damaged")]
    Checksum(&'static str),
    /// A token has another number of set bits than the store says, or bits beyond its length.
    #[error("a token does not fit its number of set bits")]
    Ones,
    /// The columns are little-endian and used in place.
    #[error("this machine is big-endian and cannot read it in place")]
    Endian,
}

/// Why a token store cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be read or written.
    #[error("{} cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is no token store, or a damaged one.
    #[error("{} is not usable as a token store", path.display())]
    Head {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: HeadError,
    },
    /// What should be imported is no batch, or cannot be read.
    #[error("the batch for {} cannot be imported", path.display())]
    Batch {
        /// The store that was to be made.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: StreamError,
    },
}

impl StoreError {
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io {
            path: path.into(),
            source,
        }
    }

    pub(super) fn head(path: &Path) -> impl Fn(HeadError) -> Self {
        move |source| Self::Head {
            path: path.into(),
            source,
        }
    }
}
