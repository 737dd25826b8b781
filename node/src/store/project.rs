//! What both kinds of node keep of a project: manifest, state, notices, receipts.
//!
//! A project's state changes in one transaction with the evidence for the change, and only as the
//! state machine of [`linkage_core::project::state`] allows. A node that is killed finds either the
//! state before or the one after.

use jiff::Timestamp;
use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::project::Project;
use linkage_core::project::notice::{Kind, Notice};
use linkage_core::project::receipt::{Destroyed, SignedReceipt};
use linkage_core::project::state::{Event, State, Term};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{Database, unsigned};
use crate::fault::Fault;

/// The tables of this module; `destroying` is what a closing project is being rid of.
pub(super) const TABLES: &str = "CREATE TABLE project (
         id BLOB PRIMARY KEY, manifest BLOB NOT NULL, predecessor BLOB, state TEXT NOT NULL,
         destroying TEXT) WITHOUT ROWID;
     CREATE INDEX successor ON project (predecessor);
     CREATE TABLE notice (
         project BLOB NOT NULL REFERENCES project(id), party TEXT NOT NULL, number INTEGER NOT NULL,
         kind TEXT NOT NULL, reason TEXT NOT NULL, signature BLOB NOT NULL,
         PRIMARY KEY (project, party, number)) WITHOUT ROWID;
     CREATE TABLE receipt (
         project BLOB NOT NULL REFERENCES project(id), node TEXT NOT NULL, body BLOB NOT NULL,
         signature BLOB NOT NULL, PRIMARY KEY (project, node)) WITHOUT ROWID;";

/// A project as the node keeps it.
pub struct Kept {
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// The state.
    pub state: State,
}

impl Database {
    /// Keeps a project in its first state; does nothing if it is there.
    pub(super) fn add_project(&self, project: &Project, state: &State) -> Result<(), Fault> {
        let predecessor = project.predecessor.map(|id| id.as_bytes().to_vec());
        self.lock().execute(
            "INSERT INTO project VALUES (?1, ?2, ?3, ?4, NULL) ON CONFLICT DO NOTHING",
            params![
                project.id.as_bytes(),
                project.bytes,
                predecessor,
                text(state)?
            ],
        )?;
        Ok(())
    }

    /// A project.
    pub(super) fn project(&self, id: &ProjectId) -> rusqlite::Result<Option<Kept>> {
        let select = "SELECT manifest, state FROM project WHERE id = ?1";
        self.lock()
            .query_row(select, [id.as_bytes()], kept)
            .optional()
    }

    /// All projects.
    pub(super) fn projects(&self) -> rusqlite::Result<Vec<Kept>> {
        let connection = self.lock();
        let mut statement =
            connection.prepare("SELECT manifest, state FROM project ORDER BY id")?;
        statement.query_map([], kept)?.collect()
    }

    /// Whether a later epoch of the project is agreed here.
    pub(super) fn superseded(&self, id: &ProjectId) -> rusqlite::Result<bool> {
        let connection = self.lock();
        let mut statement =
            connection.prepare("SELECT manifest, state FROM project WHERE predecessor = ?1")?;
        let successors = statement.query_map([id.as_bytes()], kept)?;
        for successor in successors {
            if successor?.state.is_agreed() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether new acts may begin in the project now.
    pub(super) fn term(&self, project: &Project, now: Timestamp) -> rusqlite::Result<Term> {
        match project.term(now) {
            Term::Running if self.superseded(&project.id)? => Ok(Term::Superseded),
            term => Ok(term),
        }
    }

    /// Takes a project through an event. `evidence` writes what the event rests on and says the
    /// event; once the state machine has allowed it, `account` writes the audit log; then all of it
    /// stands, or nothing.
    pub(super) fn advance(
        &self,
        project: &Project,
        evidence: impl FnOnce(&Transaction<'_>) -> Result<Event, Fault>,
        account: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<State, Fault> {
        let term = self.term(project, Timestamp::now())?;
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let state = state(&transaction, &project.id)?.ok_or_else(Fault::no_project)?;
        let event = evidence(&transaction)?;
        let next = state.apply(event, term)?;
        account()?;
        transaction.execute(
            "UPDATE project SET state = ?2 WHERE id = ?1",
            params![project.id.as_bytes(), text(&next)?],
        )?;
        transaction.commit()?;
        Ok(next)
    }

    /// Refuses unless the event could happen now.
    pub(super) fn permit(&self, project: &Project, event: Event) -> Result<State, Fault> {
        let term = self.term(project, Timestamp::now())?;
        let state = state(&self.lock(), &project.id)?.ok_or_else(Fault::no_project)?;
        Ok(state.apply(event, term)?)
    }

    /// The notices of a project, in order of party and number.
    pub(super) fn notices(&self, id: &ProjectId) -> Result<Vec<Notice>, Fault> {
        let connection = self.lock();
        let mut statement = connection.prepare(
            "SELECT party, number, kind, reason, signature FROM notice WHERE project = ?1
             ORDER BY party, number",
        )?;
        let rows = statement.query_map([id.as_bytes()], |row| {
            let (party, kind): (String, String) = (row.get(0)?, row.get(2)?);
            let unreadable = || unreadable("a notice");
            Ok(Notice {
                party: party.parse().map_err(|_| unreadable())?,
                number: row.get(1).map(unsigned)?,
                kind: Kind::from_word(&kind).ok_or_else(unreadable)?,
                reason: row.get(3)?,
                signature: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The number of an owner's next notice.
    pub(super) fn next_notice(&self, id: &ProjectId, party: &PartyId) -> rusqlite::Result<u64> {
        self.lock().query_row(
            "SELECT COALESCE(MAX(number), 0) + 1 FROM notice WHERE project = ?1 AND party = ?2",
            params![id.as_bytes(), party.as_str()],
            |row| row.get(0).map(unsigned),
        )
    }

    /// Keeps a verified notice and takes the project through it. A notice that is here already
    /// changes nothing; an older one than the owner's last is refused.
    pub(super) fn notice(
        &self,
        project: &Project,
        notice: &Notice,
        account: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        // SQLite keeps numbers signed; one beyond is of no honest owner.
        let number = i64::try_from(notice.number).map_err(|_| old_notice())?;
        let key = params![project.id.as_bytes(), notice.party.as_str(), number];
        let known: Option<(String, String)> = self
            .lock()
            .query_row(
                "SELECT kind, reason FROM notice WHERE project = ?1 AND party = ?2 AND number = ?3",
                key,
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        if let Some((kind, reason)) = known {
            if kind == notice.kind.as_str() && reason == notice.reason {
                return Ok(());
            }
            return Err(old_notice());
        }
        let insert = |transaction: &Transaction<'_>| {
            let later: bool = transaction.query_row(
                "SELECT EXISTS (SELECT 1 FROM notice
                 WHERE project = ?1 AND party = ?2 AND number > ?3)",
                key,
                |row| row.get(0),
            )?;
            if later {
                return Err(old_notice());
            }
            transaction.execute(
                "INSERT INTO notice VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    project.id.as_bytes(),
                    notice.party.as_str(),
                    number,
                    notice.kind.as_str(),
                    notice.reason,
                    notice.signature
                ],
            )?;
            Ok(notice.kind.event(notice.party.clone()))
        };
        self.advance(project, insert, account).map(drop)
    }

    /// What a closing project is being rid of: `inventory` of what is here, taken down once before
    /// anything is destroyed, so that a close that was interrupted still accounts for all of it.
    pub(super) fn destroying(
        &self,
        id: &ProjectId,
        inventory: impl FnOnce() -> Result<Vec<Destroyed>, Fault>,
    ) -> Result<Vec<Destroyed>, Fault> {
        let before: Option<String> = self.lock().query_row(
            "SELECT destroying FROM project WHERE id = ?1",
            [id.as_bytes()],
            |row| row.get(0),
        )?;
        if let Some(text) = before {
            return serde_json::from_str(&text)
                .map_err(|error| Fault::internal("store.failed", &error));
        }
        let destroying = inventory()?;
        let text = serde_json::to_string(&destroying)
            .map_err(|error| Fault::internal("store.failed", &error))?;
        self.lock().execute(
            "UPDATE project SET destroying = ?2 WHERE id = ?1",
            params![id.as_bytes(), text],
        )?;
        Ok(destroying)
    }

    /// Keeps a receipt; a node has one per project.
    pub(super) fn add_receipt(
        &self,
        id: &ProjectId,
        node: &PartyId,
        receipt: &SignedReceipt,
    ) -> rusqlite::Result<()> {
        add_receipt(&self.lock(), id, node, receipt)
    }

    /// Keeps the own receipt and closes the project.
    pub(super) fn destroyed(
        &self,
        project: &Project,
        node: &PartyId,
        receipt: &SignedReceipt,
        account: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let evidence = |transaction: &Transaction<'_>| {
            add_receipt(transaction, &project.id, node, receipt)?;
            Ok(Event::Destroyed)
        };
        self.advance(project, evidence, account).map(drop)
    }

    /// The receipts of a project, in order of node.
    pub(super) fn receipts(
        &self,
        id: &ProjectId,
    ) -> rusqlite::Result<Vec<(String, SignedReceipt)>> {
        let connection = self.lock();
        let mut statement = connection.prepare(
            "SELECT node, body, signature FROM receipt WHERE project = ?1 ORDER BY node",
        )?;
        let rows = statement.query_map([id.as_bytes()], |row| {
            let receipt = SignedReceipt {
                bytes: row.get(1)?,
                signature: row.get(2)?,
            };
            Ok((row.get(0)?, receipt))
        })?;
        rows.collect()
    }

    /// Deletes a project's rows of these tables, and every trace of them in the files: deleted
    /// content is overwritten, and the log of recent changes emptied.
    pub(super) fn erase(&self, id: &ProjectId, tables: &[&str]) -> Result<(), Fault> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        for table in tables {
            let delete = format!("DELETE FROM {table} WHERE project = ?1");
            transaction.execute(&delete, [id.as_bytes()])?;
        }
        transaction.commit()?;
        // The log's pages may hold rows as they were; its file is cut to nothing. Whoever else
        // reads the database just now keeps it from that.
        let busy: bool =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            let message = "another program reads this node's database; try again when it is done";
            return Err(Fault::new(tonic::Code::Unavailable, "store.busy", message));
        }
        Ok(())
    }
}

fn add_receipt(
    connection: &Connection,
    id: &ProjectId,
    node: &PartyId,
    receipt: &SignedReceipt,
) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO receipt VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            params![
                id.as_bytes(),
                node.as_str(),
                receipt.bytes,
                receipt.signature
            ],
        )
        .map(drop)
}

fn old_notice() -> Fault {
    Fault::new(
        tonic::Code::AlreadyExists,
        "project.notice",
        "this owner has sent a later notice, or another of this number",
    )
}

fn state(connection: &Connection, id: &ProjectId) -> rusqlite::Result<Option<State>> {
    connection
        .query_row(
            "SELECT state FROM project WHERE id = ?1",
            [id.as_bytes()],
            |row| parse(&row.get::<_, String>(0)?),
        )
        .optional()
}

fn kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        manifest: row.get(0)?,
        state: parse(&row.get::<_, String>(1)?)?,
    })
}

fn text(state: &State) -> Result<String, Fault> {
    serde_json::to_string(state).map_err(|error| Fault::internal("store.failed", &error))
}

fn parse(text: &str) -> rusqlite::Result<State> {
    serde_json::from_str(text).map_err(|_| unreadable("a project's state"))
}

fn unreadable(what: &str) -> rusqlite::Error {
    let kind = rusqlite::types::Type::Text;
    rusqlite::Error::FromSqlConversionFailure(0, kind, format!("{what} is unreadable").into())
}
