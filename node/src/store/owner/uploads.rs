//! Batches that were encoded: what of them stays here, and what the matcher asked for.

use linkage_core::ids::ProjectId;
use rusqlite::{OptionalExtension, params};

use super::{NO_CATEGORY, OwnerStore, packed, unpacked};
use crate::store::{fixed, signed, unsigned};

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

impl OwnerStore {
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
}
