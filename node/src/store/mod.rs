//! A node's state in SQLite, with migrations. Bulk data (tokens) lies in files beside it.

pub mod matcher;
pub mod migrate;
pub mod owner;
pub mod project;
pub mod space;
pub mod witness;

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite_migration::M;

use crate::settings::{NodeRole, Settings};

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder or file cannot be used.
    #[error("{path} cannot be used")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// SQLite cannot open the file.
    #[error("the database {path} cannot be opened")]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The database is of a newer program.
    #[error(
        "the database {path} has version {found}, and this program knows versions up to {known}: \
         install a Linkage that knows version {found}; nothing was changed"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
    /// The database cannot be brought up to date; a copy of what was there lies beside it.
    #[error("the database {path} cannot be brought to this program's version")]
    Migration {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: rusqlite_migration::Error,
    },
}

/// A database that several tasks share; acts on it are short.
struct Database(Mutex<Connection>);

impl Database {
    fn open(path: &Path, migrations: &'static [M<'static>]) -> Result<Self, Error> {
        let database = |source| Error::Database {
            path: path.into(),
            source,
        };
        // SQLite would make the file readable by others.
        std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| Error::Io {
                path: path.into(),
                source,
            })?;
        let mut connection = Connection::open(path).map_err(database)?;
        // Full synchronisation: what was acknowledged to a peer must survive a power cut.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA secure_delete = ON;",
            )
            .map_err(database)?;
        migrate::migrate(&mut connection, path, migrations)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Whether the database answers.
    fn works(&self) -> bool {
        let answer = self
            .lock()
            .query_row("SELECT 1", [], |row| row.get::<_, i64>(0));
        answer == Ok(1)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held left no half-done write: each act is one transaction.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A node's database and the newest version of it that this program knows.
pub fn database(settings: &Settings) -> (PathBuf, usize) {
    match settings.role {
        NodeRole::Matcher => (
            settings.data_dir.join("matcher.db"),
            matcher::MatcherStore::VERSION,
        ),
        NodeRole::Owner => (
            settings.data_dir.join("owner.db"),
            owner::OwnerStore::VERSION,
        ),
    }
}

/// Makes a folder that only this user can enter, and its parents.
///
/// # Errors
/// [`Error::Io`].
pub fn private_folder(path: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| Error::Io {
            path: path.into(),
            source,
        })
}

/// A count as SQLite keeps it.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count that SQLite kept.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// 16 or 32 bytes from a column that this program wrote.
fn fixed<const N: usize>(bytes: &[u8]) -> rusqlite::Result<[u8; N]> {
    bytes.try_into().map_err(|_| {
        let kind = rusqlite::types::Type::Blob;
        rusqlite::Error::FromSqlConversionFailure(0, kind, "unexpected length".into())
    })
}
