//! The search as a step of a linkage run.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use linkage_core::candidates::Candidates;
use linkage_core::run;
use linkage_core::schema::CandidateSettings;

use super::{Limits, Search};
use crate::checkpoint::clear;
use crate::error::Error;
use crate::store::TokenStore;

/// Finds the candidates of [`run::link_with`] in token stores, within limits.
///
/// Every search has its folder and keeps it until [`Finder::remove`], so that a run that is stopped
/// after some of its searches does not do these again.
#[derive(Debug)]
pub struct Finder<'a> {
    stores: &'a [TokenStore],
    settings: &'a CandidateSettings,
    limits: Limits,
    folder: &'a Path,
    /// Folders of the finished searches.
    finished: Mutex<Vec<PathBuf>>,
}

impl<'a> Finder<'a> {
    /// A finder in `stores`, which are in the order of the owners. `limits` are those of each
    /// search; `folder` holds the folders of all.
    pub fn new(
        stores: &'a [TokenStore],
        settings: &'a CandidateSettings,
        limits: Limits,
        folder: &'a Path,
    ) -> Self {
        Self {
            stores,
            settings,
            limits,
            folder,
            finished: Mutex::default(),
        }
    }

    /// Removes the folders of the finished searches.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(self) -> Result<(), Error> {
        let finished = self.finished.into_inner();
        let finished = finished.unwrap_or_else(PoisonError::into_inner);
        finished.iter().try_for_each(|folder| clear(folder))
    }

    fn store(&self, owner: usize) -> Result<&TokenStore, Error> {
        self.stores.get(owner).ok_or(Error::Owner(owner))
    }

    fn find(
        &self,
        a: &TokenStore,
        b: Option<&TokenStore>,
        folder: PathBuf,
    ) -> Result<Candidates, Error> {
        let search = Search::new(a, b, self.settings, self.limits, &folder);
        let (candidates, _) = search.candidates(&|_, _| ())?;
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        finished.push(folder);
        Ok(candidates)
    }
}

impl run::Finder for Finder<'_> {
    type Error = Error;

    fn within(&self, owner: usize) -> Result<Candidates, Error> {
        let folder = self.folder.join(format!("within-{owner}"));
        self.find(self.store(owner)?, None, folder)
    }

    fn across(&self, owner_a: usize, owner_b: usize) -> Result<Candidates, Error> {
        let folder = self.folder.join(format!("across-{owner_a}-{owner_b}"));
        self.find(self.store(owner_a)?, Some(self.store(owner_b)?), folder)
    }
}
