//! An owner's state: projects, the order and attributes of uploaded rows, positions, budget.

use std::path::Path;

use linkage_core::ids::ProjectId;
use rusqlite::{OptionalExtension, params};
use rusqlite_migration::M;
use zeroize::Zeroizing;

use super::{Database, Error, fixed, signed, unsigned};

const MIGRATIONS: &[M<'static>] = &[M::up(
    "CREATE TABLE project (id BLOB PRIMARY KEY, manifest BLOB NOT NULL) WITHOUT ROWID;
     CREATE TABLE upload (
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

/// What is kept of an upload beside the tokens: nothing of it leaves the node.
pub struct Uploaded<'a> {
    /// Name of the data set.
    pub dataset: &'a str,
    /// Counts as JSON.
    pub summary: &'a str,
    /// Attribute name and the category of each uploaded row.
    pub attributes: &'a [(String, Vec<Option<u16>>)],
    /// Rows of the batch that are nobody's, rising. All other rows are counted without them.
    pub dummies: &'a [u32],
    /// Whether keys are sent first and tokens when asked for.
    pub keys_first: bool,
}

/// How the matcher's question about a project was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// With the tokens.
    Given,
    /// Not at all.
    Refused,
}

impl Answer {
    fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Refused => "refused",
        }
    }
}

/// What the matcher asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Rows of which it asked the token.
    pub hits: u64,
    /// Rows in all.
    pub rows: u64,
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
    /// Opens or makes the database.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Database::open(path, MIGRATIONS).map(Self)
    }

    /// Keeps the manifest of a project that this owner has signed.
    ///
    /// # Errors
    /// When the database fails, as all acts here.
    pub fn add_project(&self, id: &ProjectId, manifest: &[u8]) -> rusqlite::Result<()> {
        self.0.add_project(id, manifest)
    }

    /// The manifest of a project that this owner has signed.
    ///
    /// # Errors
    /// When the database fails.
    pub fn manifest(&self, id: &ProjectId) -> rusqlite::Result<Option<Vec<u8>>> {
        self.0.manifest(id)
    }

    /// Keeps what belongs to a batch that is about to be uploaded; replaces an earlier one. `ids`
    /// are the records' identities in the order of the uploaded rows.
    ///
    /// # Errors
    /// When the database fails.
    pub fn begin_upload<'i>(
        &self,
        project: &ProjectId,
        uploaded: &Uploaded<'_>,
        ids: impl Iterator<Item = &'i str>,
    ) -> rusqlite::Result<()> {
        let mut connection = self.0.lock();
        let transaction = connection.transaction()?;
        for table in ["record", "attribute", "position", "upload"] {
            let delete = format!("DELETE FROM {table} WHERE project = ?1");
            transaction.execute(&delete, [project.as_bytes()])?;
        }
        transaction.execute(
            "INSERT INTO upload VALUES (?1, ?2, 0, ?3, ?4, ?5, NULL, NULL, NULL)",
            params![
                project.as_bytes(),
                uploaded.dataset,
                uploaded.summary,
                packed(uploaded.dummies),
                uploaded.keys_first,
            ],
        )?;
        let mut record = transaction.prepare("INSERT INTO record VALUES (?1, ?2, ?3)")?;
        for (row, id) in (0_i64..).zip(ids) {
            record.execute(params![project.as_bytes(), row, id])?;
        }
        drop(record);
        for (name, categories) in uploaded.attributes {
            let bytes: Vec<u8> = categories
                .iter()
                .flat_map(|c| c.unwrap_or(NO_CATEGORY).to_le_bytes())
                .collect();
            transaction.execute(
                "INSERT INTO attribute VALUES (?1, ?2, ?3)",
                params![project.as_bytes(), name, bytes],
            )?;
        }
        transaction.commit()
    }

    /// Whether a batch was begun for the project: `Some(true)` when the matcher has accepted it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn upload_sealed(&self, project: &ProjectId) -> rusqlite::Result<Option<bool>> {
        self.0
            .lock()
            .query_row(
                "SELECT sealed FROM upload WHERE project = ?1",
                [project.as_bytes()],
                |row| row.get(0),
            )
            .optional()
    }

    /// Data set and counts (JSON) of the begun batch.
    ///
    /// # Errors
    /// When the database fails.
    pub fn upload_summary(
        &self,
        project: &ProjectId,
    ) -> rusqlite::Result<Option<(String, String)>> {
        self.0
            .lock()
            .query_row(
                "SELECT dataset, summary FROM upload WHERE project = ?1",
                [project.as_bytes()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
    }

    /// Marks the batch as accepted by the matcher.
    ///
    /// # Errors
    /// When the database fails.
    pub fn seal_upload(&self, project: &ProjectId) -> rusqlite::Result<()> {
        self.0
            .lock()
            .execute(
                "UPDATE upload SET sealed = 1 WHERE project = ?1",
                [project.as_bytes()],
            )
            .map(drop)
    }

    /// Projects whose keys the matcher has and whose question is not answered.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unanswered(&self) -> rusqlite::Result<Vec<ProjectId>> {
        let connection = self.0.lock();
        let mut statement = connection.prepare(
            "SELECT project FROM upload WHERE sealed = 1 AND keys_first = 1 AND answer IS NULL",
        )?;
        let ids = statement.query_map([], |row| {
            let id: Vec<u8> = row.get(0)?;
            Ok(ProjectId::from(fixed::<32>(&id)?))
        })?;
        ids.collect()
    }

    /// Keeps how a question was answered.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_answer(
        &self,
        project: &ProjectId,
        answer: Answer,
        asked: Asked,
    ) -> rusqlite::Result<()> {
        self.0
            .lock()
            .execute(
                "UPDATE upload SET answer = ?2, asked = ?3, rows = ?4 WHERE project = ?1",
                params![
                    project.as_bytes(),
                    answer.name(),
                    signed(asked.hits),
                    signed(asked.rows)
                ],
            )
            .map(drop)
    }

    /// What the matcher asked for, once that is answered.
    ///
    /// # Errors
    /// When the database fails.
    pub fn asked(&self, project: &ProjectId) -> rusqlite::Result<Option<Asked>> {
        self.0
            .lock()
            .query_row(
                "SELECT asked, rows FROM upload WHERE project = ?1 AND answer IS NOT NULL",
                [project.as_bytes()],
                |row| {
                    Ok(Asked {
                        hits: unsigned(row.get(0)?),
                        rows: unsigned(row.get(1)?),
                    })
                },
            )
            .optional()
    }

    /// Rows of the project's batch that are nobody's, rising.
    ///
    /// # Errors
    /// When the database fails.
    pub fn dummies(&self, project: &ProjectId) -> rusqlite::Result<Vec<u32>> {
        let bytes: Option<Vec<u8>> = self
            .0
            .lock()
            .query_row(
                "SELECT dummies FROM upload WHERE project = ?1",
                [project.as_bytes()],
                |row| row.get(0),
            )
            .optional()?;
        Ok(unpacked(&bytes.unwrap_or_default()))
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

    /// Keeps the positions of the own rows.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_positions(
        &self,
        project: &ProjectId,
        positions: &Positions,
    ) -> rusqlite::Result<()> {
        let bytes = packed(&positions.positions);
        self.0
            .lock()
            .execute(
                "INSERT OR REPLACE INTO position VALUES (?1, ?2, ?3, ?4)",
                params![project.as_bytes(), positions.run, positions.range, bytes],
            )
            .map(drop)
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

    /// Thousandths of epsilon that the project's answers have spent.
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

fn spent(connection: &rusqlite::Connection, project: &ProjectId) -> rusqlite::Result<u64> {
    let sum: i64 = connection.query_row(
        "SELECT COALESCE(SUM(epsilon_thousandths), 0) FROM answer WHERE project = ?1",
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
        store.set_positions(&project, &positions).unwrap();
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
