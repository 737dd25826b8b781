//! Files that are there whole or not at all, whenever the machine stops.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Opens an empty file that only its owner may read.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// File by which one process holds a folder.
pub(crate) const LOCK: &str = "lock";

/// Holds the folder against other processes for as long as the file is open.
pub(crate) fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    let file = create(&path).map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy {
            folder: folder.into(),
        }),
        Err(TryLockError::Error(error)) => Err(Error::io(&path)(error)),
    }
}

/// A file under a temporary name, removed unless it is put in place.
pub(crate) struct NewFile {
    pub file: File,
    target: PathBuf,
    temporary: PathBuf,
    placed: bool,
}

impl NewFile {
    /// Makes the temporary file beside `target`.
    pub fn new(target: &Path) -> io::Result<Self> {
        let mut name = OsString::from(target);
        name.push(".tmp");
        let temporary = PathBuf::from(name);
        Ok(Self {
            file: create(&temporary)?,
            target: target.into(),
            temporary,
            placed: false,
        })
    }

    /// Puts the file in its place. Its bytes are on disk before its name is, and the name before
    /// this returns.
    pub fn place(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.target)?;
        self.placed = true;
        let folder = self.target.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.placed {
            // Nothing depends on it: the next attempt empties what is left.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
