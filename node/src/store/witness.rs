//! What a node knows of other nodes' logs and they of its own: newest states, and evidence.

use std::path::Path;

use rusqlite::{OptionalExtension, TransactionBehavior, params};
use rusqlite_migration::M;

use super::{Database, Error};

const MIGRATIONS: &[M<'static>] = &[M::up(
    // The newest checkpoint of a log that this node has cosigned; the newest size of this node's
    // log that a witness has; pairs of notes that contradict each other; single numbers.
    "CREATE TABLE log (origin TEXT PRIMARY KEY, note TEXT NOT NULL) WITHOUT ROWID;
     CREATE TABLE witness (name TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
     CREATE TABLE evidence (
         id INTEGER PRIMARY KEY, origin TEXT NOT NULL, seconds INTEGER NOT NULL,
         kept TEXT NOT NULL, refused TEXT NOT NULL, UNIQUE (kept, refused));
     CREATE TABLE number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;",
)];

/// The database beside a node's audit log.
pub struct WitnessStore(Database);

/// Two notes of one log, both signed by it, that cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The log.
    pub origin: String,
    /// When it was found, in seconds since 1970.
    pub seconds: u64,
    /// The note that was cosigned.
    pub kept: String,
    /// The note that was refused.
    pub refused: String,
}

/// What a decision about a checkpoint leaves behind.
pub enum Kept<T> {
    /// The new note is kept, and `T` is the answer.
    New(String, T),
    /// Nothing changes.
    Nothing(T),
    /// The note contradicts the one that is kept.
    Contradicts(String, T),
}

impl WitnessStore {
    /// Opens or makes the database.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Database::open(path, MIGRATIONS).map(Self)
    }

    /// The newest note of a log that was cosigned.
    ///
    /// # Errors
    /// When the database fails, as all acts here.
    pub fn note(&self, origin: &str) -> rusqlite::Result<Option<String>> {
        let connection = self.0.lock();
        let select = "SELECT note FROM log WHERE origin = ?1";
        let note = connection.query_row(select, [origin], |row| row.get(0));
        note.optional()
    }

    /// Decides about a note of a log and keeps what the decision says, in one transaction
    /// that no other decision can come between.
    ///
    /// # Errors
    /// When the database fails.
    pub fn decide<T>(
        &self,
        origin: &str,
        seconds: u64,
        decide: impl FnOnce(Option<&str>) -> Kept<T>,
    ) -> rusqlite::Result<T> {
        let mut connection = self.0.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let select = "SELECT note FROM log WHERE origin = ?1";
        let kept: Option<String> = transaction
            .query_row(select, [origin], |row| row.get(0))
            .optional()?;
        let answer = match decide(kept.as_deref()) {
            Kept::New(note, answer) => {
                let replace = "INSERT OR REPLACE INTO log VALUES (?1, ?2)";
                transaction.execute(replace, params![origin, note])?;
                answer
            }
            Kept::Nothing(answer) => answer,
            Kept::Contradicts(refused, answer) => {
                transaction.execute(
                    "INSERT INTO evidence (origin, seconds, kept, refused) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO NOTHING",
                    params![origin, signed(seconds), kept, refused],
                )?;
                answer
            }
        };
        transaction.commit()?;
        Ok(answer)
    }

    /// How many entries of this node's log a witness has cosigned; 0 if it is not known.
    ///
    /// # Errors
    /// When the database fails.
    pub fn witnessed_size(&self, name: &str) -> rusqlite::Result<u64> {
        let connection = self.0.lock();
        let select = "SELECT size FROM witness WHERE name = ?1";
        let size = connection.query_row(select, [name], |row| row.get(0));
        Ok(size.optional()?.map_or(0, unsigned))
    }

    /// Keeps how many entries a witness has cosigned.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_witnessed_size(&self, name: &str, size: u64) -> rusqlite::Result<()> {
        let replace = "INSERT OR REPLACE INTO witness VALUES (?1, ?2)";
        let connection = self.0.lock();
        connection
            .execute(replace, params![name, signed(size)])
            .map(drop)
    }

    /// A number that was kept under this name.
    ///
    /// # Errors
    /// When the database fails.
    pub fn number(&self, name: &str) -> rusqlite::Result<Option<u64>> {
        let connection = self.0.lock();
        let select = "SELECT value FROM number WHERE name = ?1";
        let value = connection.query_row(select, [name], |row| row.get(0));
        Ok(value.optional()?.map(unsigned))
    }

    /// Keeps a number.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_number(&self, name: &str, value: u64) -> rusqlite::Result<()> {
        let replace = "INSERT OR REPLACE INTO number VALUES (?1, ?2)";
        let connection = self.0.lock();
        connection
            .execute(replace, params![name, signed(value)])
            .map(drop)
    }

    /// All evidence, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn evidence(&self) -> rusqlite::Result<Vec<Evidence>> {
        let connection = self.0.lock();
        let mut statement = connection
            .prepare("SELECT origin, seconds, kept, refused FROM evidence ORDER BY id")?;
        let evidence = statement.query_map([], |row| {
            Ok(Evidence {
                origin: row.get(0)?,
                seconds: unsigned(row.get(1)?),
                kept: row.get(2)?,
                refused: row.get(3)?,
            })
        })?;
        evidence.collect()
    }
}

/// SQLite's integers are signed; sizes and times stay far below their end.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
