//! A run folder: which pieces of a search are finished, so that a run that was stopped at any
//! moment goes on where it was.
//!
//! ```text
//! lock            held by the process that works here
//! manifest        what is searched, how the rows are divided, and the finished pieces with the
//!                 checksums of their indexes; JSON, then a line with its CRC-32C
//! pass-NNN        blocks of a pass by pairs of stripes; removed when all cells are finished
//! cell-NNN-NNN    scored pairs of a pair of stripes
//! ```
//!
//! A piece is on disk before the manifest names it, and the manifest is replaced as a whole: what
//! it names is there. What it does not name is made again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use linkage_core::candidates::RuleCount;
use serde::{Deserialize, Serialize};

use crate::durable::{self, NewFile};
use crate::error::Error;
use crate::search::Direction;
use crate::spill::plan::Stripes;

const MANIFEST: &str = "manifest";
const PASS: &str = "pass-";
const CELL: &str = "cell-";
const SCRATCH: &str = "keys-";

/// What is searched: a folder belongs to one search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Job {
    /// Version of the folder's files.
    pub version: u32,
    pub direction: Direction,
    /// SHA-256 of the batches, in hexadecimal.
    pub inputs: Vec<String>,
    pub block_pairs_max: u64,
    /// Bits of the floor: a decimal number could be another one.
    pub floor_bits: u64,
}

impl Job {
    /// What differs between the folder's job and this one.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        let input = |job: &Self, at: usize| job.inputs.get(at).cloned();
        let differences = [
            (self.version != other.version, "the version of its files"),
            (
                self.direction != other.direction,
                "whether a data set is compared with itself",
            ),
            (input(self, 0) != input(other, 0), "the first data set"),
            (input(self, 1) != input(other, 1), "the second data set"),
            (
                self.block_pairs_max != other.block_pairs_max,
                "the setting block_pairs_max",
            ),
            (
                self.floor_bits != other.floor_bits,
                "the lowest agreement to keep",
            ),
        ];
        let found = differences.into_iter().find(|(differs, _)| *differs);
        found.map(|(_, what)| what)
    }
}

/// A finished pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PassDone {
    pub number: usize,
    pub index_crc: u32,
    pub count: RuleCount,
}

/// A finished cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CellDone {
    pub a: u32,
    pub b: u32,
    pub index_crc: u32,
    pub compared: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    job: Job,
    stripes: Stripes,
    passes: Vec<PassDone>,
    cells: Vec<CellDone>,
}

/// An open run folder, held by this process alone.
#[derive(Debug)]
pub(crate) struct RunFolder {
    folder: PathBuf,
    manifest: Manifest,
    _lock: File,
}

impl RunFolder {
    /// Opens the folder for `job`, and makes it if need be. `fits` says whether rows divided as an
    /// earlier run did fit in the memory there is; if not, that run's pieces are removed and
    /// `stripes` is how the rows are divided.
    ///
    /// # Errors
    /// [`Error::Changed`] when the folder holds another job, [`Error::Busy`], [`Error::Damaged`],
    /// [`Error::Io`].
    pub fn open(
        folder: &Path,
        job: Job,
        stripes: Stripes,
        fits: impl Fn(Stripes) -> bool,
    ) -> Result<Self, Error> {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        made.map_err(Error::io(folder))?;
        let lock = durable::lock(folder)?;
        let found = read(&folder.join(MANIFEST))?;
        if let Some(what) = found.as_ref().and_then(|found| found.job.difference(&job)) {
            return Err(Error::Changed {
                folder: folder.into(),
                what,
            });
        }
        let manifest = found.filter(|found| fits(found.stripes));
        let fresh = manifest.is_none();
        let this = Self {
            folder: folder.into(),
            manifest: manifest.unwrap_or(Manifest {
                job,
                stripes,
                passes: vec![],
                cells: vec![],
            }),
            _lock: lock,
        };
        if fresh {
            // First, so that no name in it stands for a file of an earlier division.
            this.write()?;
        }
        this.remove_others()?;
        Ok(this)
    }

    /// How the rows are divided.
    pub fn stripes(&self) -> Stripes {
        self.manifest.stripes
    }

    /// Where pass `number` lies or will lie.
    pub fn pass(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{PASS}{number:03}"))
    }

    /// Where the cell of stripes `a` and `b` lies or will lie.
    pub fn cell(&self, a: u32, b: u32) -> PathBuf {
        self.folder.join(format!("{CELL}{a:03}-{b:03}"))
    }

    /// Where the keys of a side are while a pass needs them.
    pub fn scratch(&self, side: &str) -> PathBuf {
        self.folder.join(format!("{SCRATCH}{side}"))
    }

    /// The pass, if it is finished.
    pub fn finished_pass(&self, number: usize) -> Option<&PassDone> {
        let mut passes = self.manifest.passes.iter();
        passes.find(|pass| pass.number == number)
    }

    /// The cell, if it is finished.
    pub fn finished_cell(&self, a: u32, b: u32) -> Option<&CellDone> {
        let mut cells = self.manifest.cells.iter();
        cells.find(|cell| (cell.a, cell.b) == (a, b))
    }

    /// All finished cells.
    pub fn cells(&self) -> &[CellDone] {
        &self.manifest.cells
    }

    /// Notes a finished pass, whose file is in its place.
    pub fn finish_pass(&mut self, done: PassDone) -> Result<(), Error> {
        self.manifest.passes.push(done);
        self.write()
    }

    /// Notes a finished cell, whose file is in its place.
    pub fn finish_cell(&mut self, done: CellDone) -> Result<(), Error> {
        self.manifest.cells.push(done);
        self.write()
    }

    /// Removes the passes, which finished cells do not need.
    pub fn remove_passes(&self) -> Result<(), Error> {
        remove_files(&self.folder, |name| name.starts_with(PASS))
    }

    /// Removes everything that the search has put in the folder, and the folder if it is then
    /// empty.
    pub fn remove(self) -> Result<(), Error> {
        remove(&self.folder)
    }

    /// Removes pieces that the manifest does not name.
    fn remove_others(&self) -> Result<(), Error> {
        let passes = self.manifest.passes.iter();
        let cells = self.manifest.cells.iter();
        let named: Vec<PathBuf> = passes
            .map(|pass| self.pass(pass.number))
            .chain(cells.map(|cell| self.cell(cell.a, cell.b)))
            .collect();
        remove_files(&self.folder, |name| {
            is_piece(name) && !named.contains(&self.folder.join(name))
        })
    }

    fn write(&self) -> Result<(), Error> {
        let path = self.folder.join(MANIFEST);
        let write = || -> io::Result<()> {
            let json = serde_json::to_string_pretty(&self.manifest)?;
            let mut new = NewFile::new(&path)?;
            write!(
                new.file,
                "{json}\n{:08x}\n",
                crc32c::crc32c(json.as_bytes())
            )?;
            new.place()
        };
        write().map_err(Error::io(&path))
    }
}

/// Removes what a finished search has left in its folder; nothing if there is no such folder.
pub(crate) fn clear(folder: &Path) -> Result<(), Error> {
    if folder.join(MANIFEST).exists() {
        let _lock = durable::lock(folder)?;
        remove(folder)?;
    }
    Ok(())
}

/// Removes all files of a search; the caller holds the lock.
fn remove(folder: &Path) -> Result<(), Error> {
    // Without its manifest no other file counts.
    let manifest = folder.join(MANIFEST);
    fs::remove_file(&manifest).map_err(Error::io(&manifest))?;
    remove_files(folder, |name| is_piece(name) || name == durable::LOCK)?;
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
            Err(Error::io(folder)(error))
        }
        _ => Ok(()),
    }
}

fn remove_files(folder: &Path, which: impl Fn(&str) -> bool) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        if entry.file_name().to_str().is_some_and(&which) {
            fs::remove_file(entry.path()).map_err(Error::io(&entry.path()))?;
        }
    }
    Ok(())
}

fn is_piece(name: &str) -> bool {
    [PASS, CELL, SCRATCH]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// The manifest at `path`; `None` if there is none.
fn read(path: &Path) -> Result<Option<Manifest>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).map(Some).ok_or_else(|| Error::damaged(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Error::damaged(path)),
        Err(error) => Err(Error::io(path)(error)),
    }
}

fn parse(text: &str) -> Option<Manifest> {
    let (json, crc) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let right = format!("{:08x}", crc32c::crc32c(json.as_bytes())) == crc;
    let manifest: Manifest = serde_json::from_str(json).ok().filter(|_| right)?;
    let Stripes { rows_a, rows_b, .. } = manifest.stripes;
    (rows_a > 0 && rows_b > 0).then_some(manifest)
}

#[cfg(test)]
mod tests;
