//! The search as a step of a linkage run.

use std::path::Path;

use linkage_core::candidates::Candidates;
use linkage_core::run;
use linkage_core::schema::CandidateSettings;

use super::{Limits, across, within};
use crate::error::Error;
use crate::store::TokenStore;

/// Finds the candidates of [`run::link_with`] in token stores, within limits.
#[derive(Debug)]
pub struct Finder<'a> {
    /// The stores, in the order of the owners.
    pub stores: &'a [TokenStore],
    /// Settings of candidates.
    pub settings: &'a CandidateSettings,
    /// What each search may use.
    pub limits: Limits,
    /// Holds the run folders; what is finished in them is not done again.
    pub folder: &'a Path,
}

impl Finder<'_> {
    fn store(&self, owner: usize) -> Result<&TokenStore, Error> {
        self.stores.get(owner).ok_or(Error::Owner(owner))
    }
}

impl run::Finder for Finder<'_> {
    type Error = Error;

    fn within(&self, owner: usize) -> Result<Candidates, Error> {
        let store = self.store(owner)?;
        let folder = self.folder.join(format!("within-{owner}"));
        within(store, self.settings, &self.limits, &folder, &|_, _| ())
    }

    fn across(&self, owner_a: usize, owner_b: usize) -> Result<Candidates, Error> {
        let (a, b) = (self.store(owner_a)?, self.store(owner_b)?);
        let folder = self.folder.join(format!("across-{owner_a}-{owner_b}"));
        across(a, b, self.settings, &self.limits, &folder, &|_, _| ())
    }
}
