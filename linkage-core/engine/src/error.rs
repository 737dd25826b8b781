//! Why a search ends without a result.

use std::io;
use std::path::{Path, PathBuf};

use linkage_core::encode::BatchError;

use crate::store::StoreError;

/// Why a search ends without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A token store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The two stores cannot be compared.
    #[error(transparent)]
    Incomparable(#[from] BatchError),
    /// A file of the run folder cannot be read or written.
    #[error("{} cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file of the run folder was changed from outside.
    #[error("{} was changed or damaged; remove its folder and run again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The run folder belongs to another search.
    #[error(
        "{} holds another search: {what} differs; give another folder, or remove this one",
        folder.display()
    )]
    Changed {
        /// The run folder.
        folder: PathBuf,
        /// What is not as it was.
        what: &'static str,
    },
    /// Another process works in the run folder.
    #[error("another process works in {}", folder.display())]
    Busy {
        /// The run folder.
        folder: PathBuf,
    },
    /// The limit of memory is too low for these stores.
    #[error(
        "{given} bytes of memory are too few for these data sets: at least {needed} are needed"
    )]
    Memory {
        /// The limit given.
        given: u64,
        /// The lowest limit that suffices.
        needed: u64,
    },
    /// There are more owners than token stores.
    #[error("there is no token store of owner {0}")]
    Owner(usize),
    /// The threads cannot be started.
    #[error("the threads of the search cannot be started")]
    Threads(#[source] rayon::ThreadPoolBuildError),
}

impl Error {
    /// For `map_err` on what is done with the file at `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.into(),
            source,
        }
    }

    pub(crate) fn damaged(path: &Path) -> Self {
        Self::Damaged { path: path.into() }
    }
}
