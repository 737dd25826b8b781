//! The matcher's state: projects, signatures, mailbox, uploads, runs.

mod asks;
mod uploads;

use std::path::Path;

use linkage_core::ids::{PartyId, ProjectId};
use rusqlite::{OptionalExtension, params};
use rusqlite_migration::M;

use super::{Database, Error, fixed};

pub use asks::Ask;
pub use uploads::Upload;

const MIGRATIONS: &[M<'static>] = &[M::up(
    "CREATE TABLE project (id BLOB PRIMARY KEY, manifest BLOB NOT NULL) WITHOUT ROWID;
     CREATE TABLE signature (
         project BLOB NOT NULL REFERENCES project(id), party TEXT NOT NULL, signature BLOB NOT NULL,
         PRIMARY KEY (project, party)) WITHOUT ROWID;
     CREATE TABLE item (
         project BLOB NOT NULL REFERENCES project(id), kind INTEGER NOT NULL, sender TEXT NOT NULL,
         recipient TEXT NOT NULL, body BLOB NOT NULL, signature BLOB NOT NULL,
         PRIMARY KEY (project, kind, sender, recipient)) WITHOUT ROWID;
     CREATE TABLE upload (
         id BLOB PRIMARY KEY, operation BLOB NOT NULL UNIQUE, request BLOB NOT NULL,
         project BLOB NOT NULL REFERENCES project(id), party TEXT NOT NULL, part TEXT NOT NULL,
         header BLOB NOT NULL, digest BLOB NOT NULL, root BLOB NOT NULL,
         chunk_bytes INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT,
         touched INTEGER NOT NULL) WITHOUT ROWID;
     CREATE UNIQUE INDEX upload_live ON upload (project, party, part)
         WHERE state IN ('open', 'sealed', 'accepted');
     CREATE TABLE ask (
         project BLOB NOT NULL REFERENCES project(id), party TEXT NOT NULL, rows INTEGER NOT NULL,
         refused INTEGER NOT NULL, PRIMARY KEY (project, party)) WITHOUT ROWID;
     CREATE TABLE run (
         project BLOB PRIMARY KEY REFERENCES project(id), id BLOB NOT NULL, positions INTEGER NOT NULL,
         report TEXT NOT NULL) WITHOUT ROWID;
     CREATE TABLE position (
         project BLOB NOT NULL REFERENCES project(id), party TEXT NOT NULL, positions BLOB NOT NULL,
         PRIMARY KEY (project, party)) WITHOUT ROWID;",
)];

/// The matcher's database.
pub struct MatcherStore(Database);

/// An item of the mailbox.
pub struct Item {
    /// Who posted it.
    pub sender: String,
    /// Its bytes.
    pub body: Vec<u8>,
    /// The sender's signature.
    pub signature: Vec<u8>,
}

/// A finished run.
pub struct Run {
    /// Name, random.
    pub id: [u8; 16],
    /// Positions are below this.
    pub range: u32,
    /// Counts and estimates as JSON.
    pub report: String,
}

impl MatcherStore {
    /// Opens or makes the database.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Database::open(path, MIGRATIONS).map(Self)
    }

    /// Keeps a manifest; does nothing if it is there.
    ///
    /// # Errors
    /// When the database fails, as all acts here.
    pub fn add_project(&self, id: &ProjectId, manifest: &[u8]) -> rusqlite::Result<()> {
        self.0.add_project(id, manifest)
    }

    /// A project's manifest.
    ///
    /// # Errors
    /// When the database fails.
    pub fn manifest(&self, id: &ProjectId) -> rusqlite::Result<Option<Vec<u8>>> {
        self.0.manifest(id)
    }

    /// All manifests.
    ///
    /// # Errors
    /// When the database fails.
    pub fn manifests(&self) -> rusqlite::Result<Vec<Vec<u8>>> {
        let connection = self.0.lock();
        let mut statement = connection.prepare("SELECT manifest FROM project ORDER BY id")?;
        statement.query_map([], |row| row.get(0))?.collect()
    }

    /// Keeps a signature.
    ///
    /// # Errors
    /// When the database fails.
    pub fn add_signature(
        &self,
        id: &ProjectId,
        party: &str,
        signature: &[u8],
    ) -> rusqlite::Result<()> {
        self.0
            .lock()
            .execute(
                "INSERT INTO signature VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![id.as_bytes(), party, signature],
            )
            .map(drop)
    }

    /// Signatures by party.
    ///
    /// # Errors
    /// When the database fails.
    pub fn signatures(&self, id: &ProjectId) -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
        let connection = self.0.lock();
        let mut statement = connection
            .prepare("SELECT party, signature FROM signature WHERE project = ?1 ORDER BY party")?;
        statement
            .query_map([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    }

    /// Keeps an item. `false` if another item stands in its place.
    ///
    /// # Errors
    /// When the database fails.
    pub fn add_item(
        &self,
        id: &ProjectId,
        kind: i32,
        recipient: &str,
        item: &Item,
    ) -> rusqlite::Result<bool> {
        let connection = self.0.lock();
        let added = connection.execute(
            "INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            params![
                id.as_bytes(),
                kind,
                item.sender,
                recipient,
                item.body,
                item.signature
            ],
        )?;
        if added == 1 {
            return Ok(true);
        }
        let body: Vec<u8> = connection.query_row(
            "SELECT body FROM item
             WHERE project = ?1 AND kind = ?2 AND sender = ?3 AND recipient = ?4",
            params![id.as_bytes(), kind, item.sender, recipient],
            |row| row.get(0),
        )?;
        Ok(body == item.body)
    }

    /// Items of a kind for a recipient; the empty recipient is everybody.
    ///
    /// # Errors
    /// When the database fails.
    pub fn items(&self, id: &ProjectId, kind: i32, recipient: &str) -> rusqlite::Result<Vec<Item>> {
        let connection = self.0.lock();
        let mut statement = connection.prepare(
            "SELECT sender, body, signature FROM item
             WHERE project = ?1 AND kind = ?2 AND recipient = ?3 ORDER BY sender",
        )?;
        let item = |row: &rusqlite::Row<'_>| {
            Ok(Item {
                sender: row.get(0)?,
                body: row.get(1)?,
                signature: row.get(2)?,
            })
        };
        statement
            .query_map(params![id.as_bytes(), kind, recipient], item)?
            .collect()
    }

    /// Keeps a finished run and every owner's positions, in one transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub fn add_run<'a>(
        &self,
        id: &ProjectId,
        run: &Run,
        positions: impl Iterator<Item = (&'a PartyId, &'a [u32])>,
    ) -> rusqlite::Result<()> {
        let mut connection = self.0.lock();
        let transaction = connection.transaction()?;
        transaction.execute(
            "INSERT INTO run VALUES (?1, ?2, ?3, ?4)",
            params![id.as_bytes(), run.id, run.range, run.report],
        )?;
        for (party, positions) in positions {
            let bytes: Vec<u8> = positions.iter().flat_map(|p| p.to_le_bytes()).collect();
            transaction.execute(
                "INSERT INTO position VALUES (?1, ?2, ?3)",
                params![id.as_bytes(), party.as_str(), bytes],
            )?;
        }
        transaction.commit()
    }

    /// The project's run.
    ///
    /// # Errors
    /// When the database fails.
    pub fn run(&self, id: &ProjectId) -> rusqlite::Result<Option<Run>> {
        let run = |row: &rusqlite::Row<'_>| {
            let id: Vec<u8> = row.get(1)?;
            Ok(Run {
                id: fixed(&id)?,
                range: row.get(2)?,
                report: row.get(3)?,
            })
        };
        let connection = self.0.lock();
        connection
            .query_row("SELECT * FROM run WHERE project = ?1", [id.as_bytes()], run)
            .optional()
    }

    /// An owner's positions, in order of its rows.
    ///
    /// # Errors
    /// When the database fails.
    pub fn positions(&self, id: &ProjectId, party: &str) -> rusqlite::Result<Option<Vec<u32>>> {
        let bytes: Option<Vec<u8>> = self
            .0
            .lock()
            .query_row(
                "SELECT positions FROM position WHERE project = ?1 AND party = ?2",
                params![id.as_bytes(), party],
                |row| row.get(0),
            )
            .optional()?;
        Ok(bytes.map(|bytes| {
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|p| u32::from_le_bytes(*p))
                .collect()
        }))
    }
}
