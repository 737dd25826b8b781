//! Truth files: which records belong together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use linkage_core::quality::Truth;

use super::table_file::{self, TableFile};

/// Why a truth file cannot be used. No message shows a record's id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is no such table.
    #[error(transparent)]
    Table(#[from] table_file::Error),
    /// A record comes twice.
    #[error(
        "{}, row {row}: this record of data set \"{dataset}\" is listed before, in row {before}",
        truth.display()
    )]
    Twice {
        /// The file.
        truth: PathBuf,
        /// Row of the second.
        row: u64,
        /// Its data set.
        dataset: String,
        /// Row of the first.
        before: u64,
    },
    /// There is no record in it.
    #[error("{} names no record", .0.display())]
    Empty(PathBuf),
    /// It does not know one of the data sets.
    #[error("{} has no data set \"{dataset}\"; it has: {known}", truth.display())]
    Dataset {
        /// The file.
        truth: PathBuf,
        /// The data set sought.
        dataset: String,
        /// Those it has.
        known: String,
    },
}

/// The data sets and records that the truth names, numbered.
#[derive(Default)]
pub struct Known {
    /// Names of the data sets.
    pub names: Vec<String>,
    /// Their numbers.
    pub datasets: HashMap<String, usize>,
    /// Index and row in the file of each record.
    records: Vec<HashMap<String, (u32, u64)>>,
    entities: Vec<Vec<Option<u64>>>,
}

impl Known {
    /// Reads `dataset,record_id,entity_id`.
    ///
    /// # Errors
    /// [`Error`], naming the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut table = TableFile::open(path, ["dataset", "record_id", "entity_id"])?;
        let mut known = Self::default();
        let mut numbers: HashMap<String, u64> = HashMap::new();
        while let Some((row, [dataset, record, entity])) = table.next_row()? {
            let at = known.dataset(dataset);
            let next = numbers.len() as u64;
            let entity =
                (!entity.is_empty()).then(|| *numbers.entry(entity.to_owned()).or_insert(next));
            if let Err(before) = known.add(at, record, row, entity) {
                return Err(Error::Twice {
                    truth: path.to_owned(),
                    row,
                    dataset: dataset.to_owned(),
                    before,
                });
            }
        }
        if known.names.is_empty() {
            return Err(Error::Empty(path.to_owned()));
        }
        Ok(known)
    }

    fn dataset(&mut self, name: &str) -> usize {
        if let Some(at) = self.datasets.get(name) {
            return *at;
        }
        let at = self.names.len();
        self.names.push(name.to_owned());
        self.datasets.insert(name.to_owned(), at);
        self.records.push(HashMap::new());
        self.entities.push(vec![]);
        at
    }

    /// Adds a record, or says in which row it was before.
    fn add(&mut self, at: usize, record: &str, row: u64, entity: Option<u64>) -> Result<(), u64> {
        let (Some(records), Some(entities)) = (self.records.get_mut(at), self.entities.get_mut(at))
        else {
            return Ok(());
        };
        let index = u32::try_from(entities.len()).unwrap_or(u32::MAX);
        if let Some((_, before)) = records.insert(record.to_owned(), (index, row)) {
            return Err(before);
        }
        entities.push(entity);
        Ok(())
    }

    /// Index of a record in its data set.
    pub fn record(&self, owner: usize, record: &str) -> Option<u32> {
        Some(self.records.get(owner)?.get(record)?.0)
    }

    /// The entity of a record; `None` if it is unknown.
    pub fn entity(&self, owner: usize, record: &str) -> Option<u64> {
        let index = self.record(owner, record)?;
        *self.entities.get(owner)?.get(index as usize)?
    }

    /// The truth about the records by their indices.
    pub fn into_truth(self) -> Truth {
        Truth::new(self.entities)
    }
}
