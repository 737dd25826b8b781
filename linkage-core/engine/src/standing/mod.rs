//! Linking again after records have been added, changed or deleted, without a full search.
//!
//! A standing folder keeps the token stores and candidate pairs of the last run. The next run finds
//! in the new tokens the records that it knows (by content: see
//! [`linkage_core::candidates::Change`]), takes over what was found about them, and searches only
//! pairs with a new record.
//!
//! **What is promised.** The outcome (links, thresholds, estimates, clusters) is that of a full run
//! on the new tokens, bit for bit. Pairs of owners for which that cannot be had are searched in
//! full, and [`Note`] says which and why: owners that were not there before, other settings, and
//! what [`FullSearch`] names.
//!
//! ```text
//! DIR/standing.json     which run stands: its folder, owners and settings
//! DIR/run-7/            of that run: NUMBER.store for each owner, within-NUMBER.found,
//!                       across-NUMBER-NUMBER.found
//! ```
//!
//! A run that is stopped leaves the one before standing.

mod file;

use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use linkage_core::candidates::{self, Candidates, Change, FullSearch};
use linkage_core::run;
use linkage_core::schema::CandidateSettings;
use serde::{Deserialize, Serialize};

use crate::durable::{self, NewFile};
use crate::error::Error;
use crate::store::{TokenStore, Verify, import_once};

/// Version of the folder's files: they are read only by the version that wrote them.
const VERSION: u32 = 1;

const MANIFEST: &str = "standing.json";

/// Longest manifest: names of some hundred owners.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// Which run stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    run: u64,
    owners: Vec<String>,
    settings: CandidateSettings,
}

/// How the candidates of one search were come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// From those that stood.
    Updated,
    /// In full: nothing stood.
    New,
    /// In full, in spite of what stood.
    Full(FullSearch),
}

/// What a search of the run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Index of the first owner.
    pub owner_a: usize,
    /// Index of the second owner; the first again for its own records.
    pub owner_b: usize,
    /// How its candidates were come by.
    pub how: How,
}

/// A standing folder with the tokens of the next run, and what stood before.
#[derive(Debug)]
pub struct Standing {
    folder: PathBuf,
    before: Option<Manifest>,
    run: u64,
    owners: Vec<String>,
    /// Held until this is dropped.
    _lock: File,
}

impl Standing {
    /// Opens the folder, or makes it, for a run with these owners.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Busy`] while another process has the folder open;
    /// [`Error::Damaged`] for a manifest that is none.
    pub fn open(folder: &Path, owners: Vec<String>) -> Result<Self, Error> {
        make(folder)?;
        let lock = durable::lock(folder)?;
        let path = folder.join(MANIFEST);
        let before = match fs::metadata(&path) {
            Ok(told) if told.len() <= MANIFEST_BYTES_MAX => {
                let text = fs::read(&path).map_err(Error::io(&path))?;
                let manifest = serde_json::from_slice::<Manifest>(&text);
                let known = manifest.ok().filter(|known| known.version == VERSION);
                Some(known.ok_or_else(|| Error::damaged(&path))?)
            }
            Ok(_) => return Err(Error::damaged(&path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let run = before
            .as_ref()
            .map_or(1, |before| before.run.wrapping_add(1));
        let this = Self {
            folder: folder.into(),
            before,
            run,
            owners,
            _lock: lock,
        };
        make(&this.run_folder(run))?;
        Ok(this)
    }

    /// The token store of the token file of owner `owner`, for this run.
    ///
    /// # Errors
    /// As [`import_once`].
    pub fn store(
        &self,
        owner: usize,
        tokens: &Path,
    ) -> Result<TokenStore, crate::store::StoreError> {
        import_once(tokens, &self.run_folder(self.run).join(store_name(owner)))
    }

    /// The finder for this run, in `stores` in the order of the owners.
    ///
    /// # Errors
    /// [`Error::Store`] for a store that stood and is damaged.
    pub fn finder<'a>(
        &'a self,
        stores: &'a [TokenStore],
        settings: &'a CandidateSettings,
    ) -> Result<UpdatingFinder<'a>, Error> {
        let mut before = Vec::with_capacity(stores.len());
        for (name, store) in self.owners.iter().zip(stores) {
            before.push(self.known(name, store, settings)?);
        }
        Ok(UpdatingFinder {
            standing: self,
            stores,
            settings,
            before,
            notes: Mutex::default(),
        })
    }

    /// The owner's records as they stood, if they can be compared with those of now.
    fn known(
        &self,
        name: &str,
        store: &TokenStore,
        settings: &CandidateSettings,
    ) -> Result<Option<Known>, Error> {
        let Some(before) = self.before.as_ref().filter(|b| b.settings == *settings) else {
            return Ok(None);
        };
        let Some(number) = before.owners.iter().position(|owner| owner == name) else {
            return Ok(None);
        };
        let path = self.run_folder(before.run).join(store_name(number));
        let old = TokenStore::open(&path, Verify::Checksums)?;
        if old.header().comparable(store.header()).is_err() {
            return Ok(None);
        }
        let change = Change::between(&old.columns(), &store.columns());
        Ok(Some(Known {
            number,
            store: old,
            change,
        }))
    }

    /// Lets this run stand from now on, and removes the one before.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn commit(self, settings: &CandidateSettings) -> Result<(), Error> {
        let path = self.folder.join(MANIFEST);
        let manifest = Manifest {
            version: VERSION,
            run: self.run,
            owners: self.owners.clone(),
            settings: settings.clone(),
        };
        let text = serde_json::to_vec_pretty(&manifest);
        let text = text.map_err(|error| Error::io(&path)(error.into()))?;
        let new = NewFile::new(&path).map_err(Error::io(&path))?;
        (&new.file).write_all(&text).map_err(Error::io(&path))?;
        new.place().map_err(Error::io(&path))?;
        let Some(before) = &self.before else {
            return Ok(());
        };
        let old = self.run_folder(before.run);
        fs::remove_dir_all(&old).map_err(Error::io(&old))
    }

    fn run_folder(&self, run: u64) -> PathBuf {
        self.folder.join(format!("run-{run}"))
    }
}

fn store_name(owner: usize) -> String {
    format!("{owner}.store")
}

/// Makes a folder that only its owner may enter, if it is not there.
fn make(folder: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(Error::io(folder))
}

/// An owner's records as they stood, and how they have changed.
#[derive(Debug)]
struct Known {
    /// The owner's number then.
    number: usize,
    store: TokenStore,
    change: Change,
}

/// Finds the candidates of [`run::link_with`] from those that stood.
#[derive(Debug)]
pub struct UpdatingFinder<'a> {
    standing: &'a Standing,
    stores: &'a [TokenStore],
    settings: &'a CandidateSettings,
    before: Vec<Option<Known>>,
    notes: Mutex<Vec<Note>>,
}

impl UpdatingFinder<'_> {
    /// Records of each owner that are gone and that are new; `None` for an owner of which nothing
    /// stood.
    pub fn changes(&self) -> Vec<Option<(usize, usize)>> {
        let counts = |known: &Option<Known>| Some(known.as_ref()?.change.counts());
        self.before.iter().map(counts).collect()
    }

    /// What each search did, in the order of the searches.
    pub fn notes(&self) -> Vec<Note> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.clone()
    }

    fn known(&self, owner: usize) -> Option<&Known> {
        self.before.get(owner)?.as_ref()
    }

    fn store(&self, owner: usize) -> Result<&TokenStore, Error> {
        self.stores.get(owner).ok_or(Error::Owner(owner))
    }

    /// What stood of a search by the file's name.
    fn stood(&self, name: &str) -> Result<Option<Candidates>, Error> {
        let Some(before) = &self.standing.before else {
            return Ok(None);
        };
        file::read(&self.standing.run_folder(before.run).join(name))
    }

    /// Keeps the candidates for the next run.
    fn keep(
        &self,
        (owner_a, owner_b): (usize, usize),
        name: &str,
        updated: Option<Result<Candidates, FullSearch>>,
        full: impl FnOnce() -> Candidates,
    ) -> Result<Candidates, Error> {
        let (found, how) = match updated {
            Some(Ok(found)) => (found, How::Updated),
            Some(Err(why)) => (full(), How::Full(why)),
            None => (full(), How::New),
        };
        let run = self.standing.run_folder(self.standing.run);
        file::write(&run.join(name), &found)?;
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(Note {
            owner_a,
            owner_b,
            how,
        });
        Ok(found)
    }
}

impl run::Finder for UpdatingFinder<'_> {
    type Error = Error;

    fn within(&self, owner: usize) -> Result<Candidates, Error> {
        let columns = self.store(owner)?.columns();
        let known = self.known(owner);
        let stood = match known {
            Some(known) => self.stood(&within_name(known.number))?,
            None => None,
        };
        let updated = known.zip(stood.as_ref()).map(|(known, found)| {
            let old = known.store.columns();
            candidates::within_updated((&old, found), &columns, &known.change, self.settings)
        });
        let full = || candidates::within(&columns, self.settings);
        self.keep((owner, owner), &within_name(owner), updated, full)
    }

    fn across(&self, owner_a: usize, owner_b: usize) -> Result<Candidates, Error> {
        let new = (
            self.store(owner_a)?.columns(),
            self.store(owner_b)?.columns(),
        );
        let known = self.known(owner_a).zip(self.known(owner_b));
        let stood = match known {
            Some((a, b)) => self.stood(&across_name(a.number, b.number))?,
            None => None,
        };
        let updated = known.zip(stood.as_ref()).map(|((a, b), found)| {
            let old = (a.store.columns(), b.store.columns());
            candidates::across_updated(
                (&old.0, &old.1, found),
                (&new.0, &new.1),
                (&a.change, &b.change),
                self.settings,
            )
        });
        let full = || candidates::across(&new.0, &new.1, self.settings);
        self.keep(
            (owner_a, owner_b),
            &across_name(owner_a, owner_b),
            updated,
            full,
        )
    }
}

fn within_name(owner: usize) -> String {
    format!("within-{owner}.found")
}

fn across_name(owner_a: usize, owner_b: usize) -> String {
    format!("across-{owner_a}-{owner_b}.found")
}

#[cfg(test)]
mod tests;
