//! What owners were asked for, and whether one will not answer.

use linkage_core::ids::ProjectId;
use rusqlite::{OptionalExtension, params};

use super::MatcherStore;
use crate::store::{signed, unsigned};

/// A question to one owner. Its filter lies in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The owner.
    pub party: String,
    /// Rows that the filter hits: the tokens that the owner is to send.
    pub rows: u64,
    /// Whether the owner refused to answer.
    pub refused: bool,
}

impl MatcherStore {
    /// Keeps the questions to all owners of a project, in one transaction: there are all or none.
    ///
    /// # Errors
    /// When the database fails.
    pub fn add_asks(&self, project: &ProjectId, asks: &[Ask]) -> rusqlite::Result<()> {
        let mut connection = self.0.lock();
        let transaction = connection.transaction()?;
        for ask in asks {
            transaction.execute(
                "INSERT INTO ask VALUES (?1, ?2, ?3, ?4)",
                params![project.as_bytes(), ask.party, signed(ask.rows), ask.refused],
            )?;
        }
        transaction.commit()
    }

    /// The questions to the owners of a project, in order of party.
    ///
    /// # Errors
    /// When the database fails.
    pub fn asks(&self, project: &ProjectId) -> rusqlite::Result<Vec<Ask>> {
        let connection = self.0.lock();
        let mut statement = connection
            .prepare("SELECT party, rows, refused FROM ask WHERE project = ?1 ORDER BY party")?;
        let ask = |row: &rusqlite::Row<'_>| {
            Ok(Ask {
                party: row.get(0)?,
                rows: unsigned(row.get(1)?),
                refused: row.get(2)?,
            })
        };
        statement.query_map([project.as_bytes()], ask)?.collect()
    }

    /// The question to one owner.
    ///
    /// # Errors
    /// When the database fails.
    pub fn ask(&self, project: &ProjectId, party: &str) -> rusqlite::Result<Option<Ask>> {
        let ask = |row: &rusqlite::Row<'_>| {
            Ok(Ask {
                party: party.to_owned(),
                rows: unsigned(row.get(0)?),
                refused: row.get(1)?,
            })
        };
        self.0
            .lock()
            .query_row(
                "SELECT rows, refused FROM ask WHERE project = ?1 AND party = ?2",
                params![project.as_bytes(), party],
                ask,
            )
            .optional()
    }

    /// Notes that an owner will not answer; `false` if it was not asked.
    ///
    /// # Errors
    /// When the database fails.
    pub fn refuse_ask(&self, project: &ProjectId, party: &str) -> rusqlite::Result<bool> {
        let refused = self.0.lock().execute(
            "UPDATE ask SET refused = 1 WHERE project = ?1 AND party = ?2",
            params![project.as_bytes(), party],
        )?;
        Ok(refused == 1)
    }
}
