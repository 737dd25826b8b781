//! An owner's state: projects, the order and attributes of uploaded rows, positions, budget.

mod uploads;

use std::path::Path;

use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::project::Project;
use linkage_core::project::notice::Notice;
use linkage_core::project::receipt::{Destroyed, SignedReceipt};
use linkage_core::project::state::{Event, State};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rusqlite_migration::M;
use zeroize::Zeroizing;

use super::project::{self, Kept};
use super::{Database, Error, fixed};
use crate::fault::Fault;

pub use uploads::{Answer, Asked, Uploaded};

const MIGRATIONS: &[M<'static>] = &[M::up(project::TABLES), M::up(
    "CREATE TABLE upload (
         project BLOB PRIMARY KEY, dataset TEXT NOT NULL, sealed INTEGER NOT NULL,
         summary TEXT NOT NULL, dummies BLOB NOT NULL, keys_first INTEGER NOT NULL,
         answer TEXT, asked INTEGER, rows INTEGER) WITHOUT ROWID;
     CREATE TABLE record (
         project BLOB NOT NULL REFERENCES upload(project), row INTEGER NOT NULL, id TEXT NOT NULL,
         PRIMARY KEY (project, row)) WITHOUT ROWID;
     CREATE TABLE attribute (
         project BLOB NOT NULL REFERENCES upload(project), name TEXT NOT NULL, categories BLOB NOT NULL,
         PRIMARY KEY (project, name)) WITHOUT ROWID;
     CREATE TABLE position (
         project BLOB PRIMARY KEY REFERENCES upload(project), run BLOB NOT NULL,
         range INTEGER NOT NULL, positions BLOB NOT NULL) WITHOUT ROWID;
     CREATE TABLE answer (request BLOB PRIMARY KEY, project BLOB NOT NULL,
         epsilon_thousandths INTEGER NOT NULL) WITHOUT ROWID;",
)];

/// A record whose attribute has none of the declared values.
const NO_CATEGORY: u16 = u16::MAX;

/// An owner's database.
pub struct OwnerStore(Database);

/// Where the own records stand, for tables.
pub struct Positions {
    /// The linkage run.
    pub run: [u8; 16],
    /// Positions are below this.
    pub range: u32,
    /// The position of each uploaded row.
    pub positions: Vec<u32>,
}

/// What became of a debit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debit {
    /// It stands.
    Done,
    /// The budget would be exceeded.
    Exhausted,
    /// The request has been answered before.
    Repeated,
}

impl OwnerStore {
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

    /// Keeps a project in its first state here; does nothing if it is there.
    ///
    /// # Errors
    /// When the database fails, as all acts here.
    pub fn add_project(&self, project: &Project, state: &State) -> Result<(), Fault> {
        self.0.add_project(project, state)
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

    /// Takes a project through an event; `account` writes the audit log before it stands.
    ///
    /// # Errors
    /// The state machine's refusal, what `account` says, or when the database fails.
    pub fn advance(
        &self,
        project: &Project,
        event: Event,
        account: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<State, Fault> {
        self.0.advance(project, |_| Ok(event), account)
    }

    /// The number of this owner's next notice about a project.
    ///
    /// # Errors
    /// When the database fails.
    pub fn next_notice(&self, id: &ProjectId, party: &PartyId) -> rusqlite::Result<u64> {
        self.0.next_notice(id, party)
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

    /// Erases what a project left in the database beside its manifest, notices and spent budget.
    ///
    /// # Errors
    /// When the database fails.
    pub fn erase(&self, id: &ProjectId) -> Result<(), Fault> {
        self.0
            .erase(id, &["record", "attribute", "position", "upload"])
    }

    /// Keeps the own receipt and closes the project.
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

    /// Keeps another node's receipt.
    ///
    /// # Errors
    /// When the database fails.
    pub fn add_receipt(
        &self,
        id: &ProjectId,
        node: &PartyId,
        receipt: &SignedReceipt,
    ) -> rusqlite::Result<()> {
        self.0.add_receipt(id, node, receipt)
    }

    /// The receipts of a project with the parties of the nodes that gave them.
    ///
    /// # Errors
    /// When the database fails.
    pub fn receipts(&self, id: &ProjectId) -> rusqlite::Result<Vec<(String, SignedReceipt)>> {
        self.0.receipts(id)
    }

    /// Record identities in the order of the uploaded rows, without those of nobody.
    ///
    /// # Errors
    /// When the database fails.
    pub fn record_ids(&self, project: &ProjectId) -> rusqlite::Result<Vec<Zeroizing<String>>> {
        let connection = self.0.lock();
        let mut statement =
            connection.prepare("SELECT id FROM record WHERE project = ?1 ORDER BY row")?;
        let ids =
            statement.query_map([project.as_bytes()], |row| row.get(0).map(Zeroizing::new))?;
        ids.collect()
    }

    /// Names of the attributes that this owner has in the project.
    ///
    /// # Errors
    /// When the database fails.
    pub fn attribute_names(&self, project: &ProjectId) -> rusqlite::Result<Vec<String>> {
        let connection = self.0.lock();
        let mut statement =
            connection.prepare("SELECT name FROM attribute WHERE project = ?1 ORDER BY name")?;
        statement
            .query_map([project.as_bytes()], |row| row.get(0))?
            .collect()
    }

    /// The category of each uploaded row.
    ///
    /// # Errors
    /// When the database fails.
    pub fn categories(
        &self,
        project: &ProjectId,
        attribute: &str,
    ) -> rusqlite::Result<Option<Vec<Option<u16>>>> {
        let bytes: Option<Vec<u8>> = self
            .0
            .lock()
            .query_row(
                "SELECT categories FROM attribute WHERE project = ?1 AND name = ?2",
                params![project.as_bytes(), attribute],
                |row| row.get(0),
            )
            .optional()?;
        let category = |bytes: &[u8; 2]| {
            let category = u16::from_le_bytes(*bytes);
            (category != NO_CATEGORY).then_some(category)
        };
        Ok(bytes.map(|bytes| bytes.as_chunks().0.iter().map(category).collect()))
    }

    /// Keeps the positions of the own rows, with which the project is open here.
    ///
    /// # Errors
    /// The state machine's refusal, or when the database fails.
    pub fn set_positions(&self, project: &Project, positions: &Positions) -> Result<State, Fault> {
        let evidence = |transaction: &Transaction<'_>| {
            put_positions(transaction, &project.id, positions)?;
            Ok(Event::Deliver { missing: vec![] })
        };
        self.0.advance(project, evidence, || Ok(()))
    }

    /// The positions of the own rows.
    ///
    /// # Errors
    /// When the database fails.
    pub fn positions(&self, project: &ProjectId) -> rusqlite::Result<Option<Positions>> {
        let positions = |row: &rusqlite::Row<'_>| {
            let (run, bytes): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(3)?);
            Ok(Positions {
                run: fixed(&run)?,
                range: row.get(2)?,
                positions: unpacked(&bytes),
            })
        };
        self.0
            .lock()
            .query_row(
                "SELECT * FROM position WHERE project = ?1",
                [project.as_bytes()],
                positions,
            )
            .optional()
    }

    /// Thousandths of epsilon that the answers of the project and of its earlier epochs have spent.
    ///
    /// # Errors
    /// When the database fails.
    pub fn spent_thousandths(&self, project: &ProjectId) -> rusqlite::Result<u64> {
        spent(&self.0.lock(), project)
    }

    /// Takes `epsilon` off the project's budget for a request, once, before anything is computed.
    /// `fits` is told what is spent and decides whether the debit may stand; check and debit are
    /// one transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub fn debit(
        &self,
        project: &ProjectId,
        request: &[u8; 16],
        epsilon_thousandths: u32,
        fits: impl FnOnce(u64) -> bool,
    ) -> rusqlite::Result<Debit> {
        let mut connection = self.0.lock();
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let repeated: bool = transaction.query_row(
            "SELECT EXISTS (SELECT 1 FROM answer WHERE request = ?1)",
            [request],
            |row| row.get(0),
        )?;
        if repeated {
            return Ok(Debit::Repeated);
        }
        let spent = spent(&transaction, project)?;
        if !fits(spent) {
            return Ok(Debit::Exhausted);
        }
        transaction.execute(
            "INSERT INTO answer VALUES (?1, ?2, ?3)",
            params![request, project.as_bytes(), epsilon_thousandths],
        )?;
        transaction.commit()?;
        Ok(Debit::Done)
    }
}

fn put_positions(
    connection: &Connection,
    project: &ProjectId,
    positions: &Positions,
) -> rusqlite::Result<()> {
    let bytes = packed(&positions.positions);
    connection
        .execute(
            "INSERT OR REPLACE INTO position VALUES (?1, ?2, ?3, ?4)",
            params![project.as_bytes(), positions.run, positions.range, bytes],
        )
        .map(drop)
}

fn packed(numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

fn unpacked(bytes: &[u8]) -> Vec<u32> {
    let numbers = bytes.as_chunks().0.iter();
    numbers.map(|number| u32::from_le_bytes(*number)).collect()
}

fn spent(connection: &Connection, project: &ProjectId) -> rusqlite::Result<u64> {
    // A new epoch is about the same people: it does not renew the budget.
    let sum: i64 = connection.query_row(
        "WITH RECURSIVE epoch (id) AS (
             VALUES (?1)
             UNION SELECT predecessor FROM project JOIN epoch USING (id)
             WHERE predecessor IS NOT NULL)
         SELECT COALESCE(SUM(epsilon_thousandths), 0) FROM answer JOIN epoch ON project = epoch.id",
        [project.as_bytes()],
        |row| row.get(0),
    )?;
    // Debits are positive. A sum that is not comes from a tampered file and must not look like
    // room.
    Ok(u64::try_from(sum).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debit_counts_once_and_never_beyond_the_budget() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owner.db");
        let project = ProjectId::of_manifest(b"p");
        let debit = |store: &OwnerStore, name: u8| {
            store
                .debit(&project, &[name; 16], 400, |spent| {
                    spent.saturating_add(400) <= 1000
                })
                .unwrap()
        };
        let store = OwnerStore::open(&path).unwrap();
        assert_eq!(debit(&store, 1), Debit::Done);
        assert_eq!(debit(&store, 1), Debit::Repeated);
        assert_eq!(debit(&store, 2), Debit::Done);
        drop(store);
        let store = OwnerStore::open(&path).unwrap();
        assert_eq!(debit(&store, 3), Debit::Exhausted);
        assert_eq!(store.spent_thousandths(&project).unwrap(), 800);
    }

    #[test]
    fn rows_attributes_and_positions_come_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let store = OwnerStore::open(&dir.path().join("owner.db")).unwrap();
        let project = ProjectId::of_manifest(b"p");
        let ids = ["b", "a", "c"];
        let attributes = [("grade".to_owned(), vec![Some(1), None, Some(0)])];
        let uploaded = Uploaded {
            dataset: "people",
            summary: "{}",
            attributes: &attributes,
            dummies: &[1, 4],
            keys_first: true,
        };
        store
            .begin_upload(&project, &uploaded, ids.into_iter())
            .unwrap();
        store
            .begin_upload(&project, &uploaded, ids.into_iter())
            .unwrap();
        assert_eq!(store.upload_sealed(&project).unwrap(), Some(false));
        store.seal_upload(&project).unwrap();
        assert_eq!(store.upload_sealed(&project).unwrap(), Some(true));
        assert_eq!(store.dummies(&project).unwrap(), [1, 4]);
        assert_eq!(store.unanswered().unwrap(), [project]);
        assert_eq!(store.asked(&project).unwrap(), None);
        let asked = Asked { hits: 2, rows: 5 };
        store.set_answer(&project, Answer::Given, asked).unwrap();
        assert_eq!(store.asked(&project).unwrap(), Some(asked));
        assert!(store.unanswered().unwrap().is_empty());
        let positions = Positions {
            run: [1; 16],
            range: 2048,
            positions: vec![5, 9, 7],
        };
        put_positions(&store.0.lock(), &project, &positions).unwrap();
        assert_eq!(store.record_ids(&project).unwrap()[0].as_str(), "b");
        let grades = store.categories(&project, "grade").unwrap().unwrap();
        assert_eq!(grades, [Some(1), None, Some(0)]);
        assert_eq!(
            store.positions(&project).unwrap().unwrap().positions,
            [5, 9, 7]
        );
        let mode = std::fs::metadata(dir.path().join("owner.db")).unwrap();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777,
            0o600
        );
    }
}
