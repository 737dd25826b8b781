//! Where a run's candidate pairs come from.

use crate::candidates::{self, Candidates};
use crate::encode::{BatchError, Columns};
use crate::schema::CandidateSettings;

/// Finds the candidate pairs of a run, by whatever means: the pairs are those of [`candidates`].
pub trait Finder {
    /// Why there are none.
    type Error: From<BatchError>;

    /// What [`candidates::within`] finds in the records of `owner`.
    ///
    /// # Errors
    /// The finder's own.
    fn within(&self, owner: usize) -> Result<Candidates, Self::Error>;

    /// What [`candidates::across`] finds between the records of two owners.
    ///
    /// # Errors
    /// The finder's own.
    fn across(&self, owner_a: usize, owner_b: usize) -> Result<Candidates, Self::Error>;
}

/// Finds candidate pairs in memory: what [`link`](super::link()) uses.
#[derive(Debug)]
pub struct InMemory<'a> {
    /// The owners' records.
    pub batches: &'a [Columns<'a>],
    /// What is compared.
    pub settings: &'a CandidateSettings,
}

impl InMemory<'_> {
    fn batch(&self, owner: usize) -> Result<&Columns<'_>, BatchError> {
        let none = BatchError::Incomparable("there is no such owner");
        self.batches.get(owner).ok_or(none)
    }
}

impl Finder for InMemory<'_> {
    type Error = BatchError;

    fn within(&self, owner: usize) -> Result<Candidates, BatchError> {
        Ok(candidates::within(self.batch(owner)?, self.settings))
    }

    fn across(&self, owner_a: usize, owner_b: usize) -> Result<Candidates, BatchError> {
        let (a, b) = (self.batch(owner_a)?, self.batch(owner_b)?);
        Ok(candidates::across(a, b, self.settings))
    }
}
