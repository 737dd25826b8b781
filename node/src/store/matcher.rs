//! The matcher's state: projects, signatures, mailbox, uploads, runs.

mod asks;
mod uploads;

use std::path::Path;

use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::keys::{KEY_ID_BYTES, KeyId};
use linkage_core::project::notice::Notice;
use linkage_core::project::persons::Consent;
use linkage_core::project::receipt::{Destroyed, SignedReceipt};
use linkage_core::project::state::{Event, Refused, State};
use linkage_core::project::{ManifestSignature, Project};
use linkage_proto::v1;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rusqlite_migration::M;
use tonic::Code;

use super::project::{self, Kept};
use super::{Database, Error, fixed, unsigned};
use crate::fault::Fault;

pub use asks::Ask;
pub use uploads::Upload;

const MIGRATIONS: &[M<'static>] = &[M::up(project::TABLES), M::up(
    "CREATE TABLE signature (
         project BLOB NOT NULL REFERENCES project(id), party TEXT NOT NULL, first BLOB NOT NULL,
         second BLOB NOT NULL, signature BLOB NOT NULL, PRIMARY KEY (project, party)) WITHOUT ROWID;
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
         delivered INTEGER NOT NULL, PRIMARY KEY (project, party)) WITHOUT ROWID;",
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
    /// The newest version of its tables: the number of migrations.
    pub const VERSION: usize = MIGRATIONS.len();

    /// Opens or makes the database.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Database::open(path, MIGRATIONS).map(Self)
    }

    /// Whether the database answers.
    pub fn works(&self) -> bool {
        self.0.works()
    }

    /// Keeps a proposed project; does nothing if it is there.
    ///
    /// # Errors
    /// When the database fails, as all acts here.
    pub fn add_project(&self, project: &Project) -> Result<(), Fault> {
        self.0.add_project(project, &State::proposed())
    }

    /// A project's manifest and state.
    ///
    /// # Errors
    /// When the database fails.
    pub fn project(&self, id: &ProjectId) -> rusqlite::Result<Option<Kept>> {
        self.0.project(id)
    }

    /// All projects.
    ///
    /// # Errors
    /// When the database fails.
    pub fn projects(&self) -> rusqlite::Result<Vec<Kept>> {
        self.0.projects()
    }

    /// Refuses unless the event could happen in the project now.
    ///
    /// # Errors
    /// The state machine's refusal, or when the database fails.
    pub fn permit(&self, project: &Project, event: Event) -> Result<State, Fault> {
        self.0.permit(project, event)
    }

    /// Takes a project through an event that needs no further evidence.
    ///
    /// # Errors
    /// The state machine's refusal, or when the database fails.
    pub fn advance(&self, project: &Project, event: Event) -> Result<State, Fault> {
        self.0.advance(project, |_| Ok(event), || Ok(()))
    }

    /// Keeps an owner's signature of the manifest; with the last one the project is agreed.
    ///
    /// # Errors
    /// [`Fault`] when it does not verify, the state does not allow it, or the database fails.
    pub fn sign(
        &self,
        project: &Project,
        signature: &ManifestSignature,
        account: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<State, Fault> {
        let evidence = |transaction: &Transaction<'_>| {
            transaction.execute(
                "INSERT INTO signature VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                params![
                    project.id.as_bytes(),
                    signature.party.as_str(),
                    signature.consent.first(),
                    signature.consent.second(),
                    signature.signature
                ],
            )?;
            let signatures = signatures_of(transaction, &project.id)?;
            Ok(Event::Sign(project.signatures(&signatures)?))
        };
        self.0.advance(project, evidence, account)
    }

    /// Signatures, in order of party.
    ///
    /// # Errors
    /// When the database fails.
    pub fn signatures(&self, id: &ProjectId) -> Result<Vec<ManifestSignature>, Fault> {
        signatures_of(&self.0.lock(), id)
    }

    /// Keeps an item and takes the project through what it says. A second item in the place of one
    /// must equal it.
    ///
    /// # Errors
    /// [`Fault`] when another item stands there, the state does not allow it, or the database
    /// fails.
    pub fn add_item(
        &self,
        project: &Project,
        kind: v1::ItemKind,
        recipient: &str,
        item: &Item,
        account: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<State, Fault> {
        let place = params![project.id.as_bytes(), kind as i32, item.sender, recipient];
        let evidence = |transaction: &Transaction<'_>| {
            let before: Option<Vec<u8>> = transaction
                .query_row(
                    "SELECT body FROM item
                     WHERE project = ?1 AND kind = ?2 AND sender = ?3 AND recipient = ?4",
                    place,
                    |row| row.get(0),
                )
                .optional()?;
            match before {
                Some(body) if body != item.body => {
                    let message =
                        "another item stands in this place: a contribution cannot be changed";
                    return Err(Fault::new(Code::AlreadyExists, "key.posted", message));
                }
                Some(_) => {}
                None => {
                    transaction.execute(
                        "INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                        params![
                            project.id.as_bytes(),
                            kind as i32,
                            item.sender,
                            recipient,
                            item.body,
                            item.signature
                        ],
                    )?;
                }
            }
            match kind {
                v1::ItemKind::KeyCheck => key_shown(transaction, project, item),
                _ => Ok(Event::Contribute),
            }
        };
        self.0.advance(project, evidence, account)
    }

    /// Items of a kind for a recipient; the empty recipient is everybody.
    ///
    /// # Errors
    /// When the database fails.
    pub fn items(&self, id: &ProjectId, kind: i32, recipient: &str) -> rusqlite::Result<Vec<Item>> {
        items(&self.0.lock(), id, kind, recipient)
    }

    /// How many items the project's mailbox holds.
    ///
    /// # Errors
    /// When the database fails.
    pub fn count_items(&self, id: &ProjectId) -> rusqlite::Result<u64> {
        let select = "SELECT COUNT(*) FROM item WHERE project = ?1";
        self.0
            .lock()
            .query_row(select, [id.as_bytes()], |row| row.get(0).map(unsigned))
    }

    /// Takes a project through an owner's verified notice.
    ///
    /// # Errors
    /// The state machine's refusal, an older notice, or when the database fails.
    pub fn notice(
        &self,
        project: &Project,
        notice: &Notice,
        account: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.0.notice(project, notice, account)
    }

    /// The notices of a project.
    ///
    /// # Errors
    /// When the database fails.
    pub fn notices(&self, id: &ProjectId) -> Result<Vec<Notice>, Fault> {
        self.0.notices(id)
    }

    /// What a closing project is being rid of, taken down by `inventory` before anything goes.
    ///
    /// # Errors
    /// What `inventory` says, or when the database fails.
    pub fn destroying(
        &self,
        id: &ProjectId,
        inventory: impl FnOnce() -> Result<Vec<Destroyed>, Fault>,
    ) -> Result<Vec<Destroyed>, Fault> {
        self.0.destroying(id, inventory)
    }

    /// Erases what a project left in the database beside its manifest, signatures and notices.
    ///
    /// # Errors
    /// When the database fails.
    pub fn erase(&self, id: &ProjectId) -> Result<(), Fault> {
        self.0
            .erase(id, &["item", "upload", "ask", "run", "position"])
    }

    /// Keeps the receipt and closes the project.
    ///
    /// # Errors
    /// The state machine's refusal, or when the database fails.
    pub fn destroyed(
        &self,
        project: &Project,
        node: &PartyId,
        receipt: &SignedReceipt,
        account: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.0.destroyed(project, node, receipt, account)
    }

    /// The receipts of a closed project with the parties of the nodes that gave them.
    ///
    /// # Errors
    /// When the database fails.
    pub fn receipts(&self, id: &ProjectId) -> rusqlite::Result<Vec<(String, SignedReceipt)>> {
        self.0.receipts(id)
    }

    /// Keeps a finished run and every owner's positions, and takes the project on, in one
    /// transaction.
    ///
    /// # Errors
    /// The state machine's refusal, or when the database fails.
    pub fn add_run<'a>(
        &self,
        project: &Project,
        run: &Run,
        positions: impl Iterator<Item = (&'a PartyId, &'a [u32])>,
    ) -> Result<State, Fault> {
        let id = &project.id;
        let evidence = |transaction: &Transaction<'_>| {
            transaction.execute(
                "INSERT INTO run VALUES (?1, ?2, ?3, ?4)",
                params![id.as_bytes(), run.id, run.range, run.report],
            )?;
            for (party, positions) in positions {
                let bytes: Vec<u8> = positions.iter().flat_map(|p| p.to_le_bytes()).collect();
                transaction.execute(
                    "INSERT INTO position VALUES (?1, ?2, ?3, 0)",
                    params![id.as_bytes(), party.as_str(), bytes],
                )?;
            }
            Ok(Event::Link { missing: vec![] })
        };
        self.0.advance(project, evidence, || Ok(()))
    }

    /// Marks an owner's positions as handed out; with the last one the project is open.
    ///
    /// # Errors
    /// The state machine's refusal, what `account` says, or when the database fails.
    pub fn deliver(
        &self,
        project: &Project,
        party: &PartyId,
        account: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<State, Fault> {
        let evidence = |transaction: &Transaction<'_>| {
            transaction.execute(
                "UPDATE position SET delivered = 1 WHERE project = ?1 AND party = ?2",
                params![project.id.as_bytes(), party.as_str()],
            )?;
            let mut statement = transaction
                .prepare("SELECT party FROM position WHERE project = ?1 AND delivered = 0")?;
            let rows = statement.query_map([project.id.as_bytes()], |row| row.get(0))?;
            let missing = rows
                .map(|party| crate::wire::party(&party.map(|p: String| p)?))
                .collect::<Result<_, Fault>>()?;
            Ok(Event::Deliver { missing })
        };
        self.0.advance(project, evidence, account)
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

/// What an owner's key check says: the key's name, and which owners have shown none yet.
fn key_shown(
    transaction: &Transaction<'_>,
    project: &Project,
    item: &Item,
) -> Result<Event, Fault> {
    let name = |body: &[u8]| -> Result<KeyId, Fault> {
        let id = body.first_chunk::<KEY_ID_BYTES>();
        Ok(KeyId(*id.ok_or_else(|| Fault::malformed("a key check"))?))
    };
    let key = name(&item.body)?;
    let mut shown = vec![];
    for other in items(transaction, &project.id, v1::ItemKind::KeyCheck.into(), "")? {
        if name(&other.body)? != key {
            return Err(Refused::KeyDiffers.into());
        }
        shown.push(crate::wire::party(&other.sender)?);
    }
    let missing = project.others_than(&shown);
    Ok(Event::ShowKey { key, missing })
}

fn items(
    connection: &Connection,
    id: &ProjectId,
    kind: i32,
    recipient: &str,
) -> rusqlite::Result<Vec<Item>> {
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

fn signatures_of(connection: &Connection, id: &ProjectId) -> Result<Vec<ManifestSignature>, Fault> {
    let mut statement = connection.prepare(
        "SELECT party, first, second, signature FROM signature WHERE project = ?1 ORDER BY party",
    )?;
    let rows = statement.query_map([id.as_bytes()], |row| {
        let (first, second): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
        let (party, signature): (String, Vec<u8>) = (row.get(0)?, row.get(3)?);
        Ok((
            party,
            fixed::<32>(&first)?,
            fixed::<32>(&second)?,
            signature,
        ))
    })?;
    rows.map(|row| {
        let (party, first, second, signature) = row?;
        Ok(ManifestSignature {
            party: crate::wire::party(&party)?,
            consent: Consent::new(first, second)?,
            signature,
        })
    })
    .collect()
}
