//! The node's data as of one moment, beside it on the same disk.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use linkage_core::audit::tree::Hash;
use linkage_core::audit::verify::Fault;
use rusqlite::{Connection, OpenFlags};

use super::{AUDIT, Audit, DATA, Error, SEALED, SEALING_KEY, SIGNING_KEY, io_error, made, restore};
use crate::auditlog::verify::verify_dir;
use crate::auditlog::{self, LOCK_FILE};
use crate::sealed;
use crate::secret::SecretRef;
use crate::serve;
use crate::settings::Settings;
use crate::store::{self, migrate};

/// Folder of the snapshot in the data folder: it is as much a secret as what lies there, and files
/// need not be copied.
const FOLDER: &str = "backup.partial";

/// A snapshot. Dropping it removes it.
pub(super) struct Snapshot {
    folder: PathBuf,
    /// Version of the node's database.
    pub database_version: usize,
    /// The audit log.
    pub audit: Audit,
    /// Held so that no other backup uses the folder.
    _lock: File,
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // What is left is no part of the node's data, and the next backup removes it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Snapshot {
    /// Takes one; the node may run.
    pub(super) fn take(settings: &Settings) -> Result<Self, Error> {
        let (folder, lock) = folder(&settings.data_dir)?;
        let mut snapshot = Self {
            folder,
            database_version: 0,
            audit: Audit {
                origin: String::new(),
                size: 0,
                root: String::new(),
            },
            _lock: lock,
        };
        let data = snapshot.folder.join(DATA);
        store::private_folder(&data)?;
        let from = Folder::of(settings);
        from.link(&data)?;
        from.copy_databases(&data)?;
        from.link(&data)?;
        let log = data.join(AUDIT);
        auditlog::copy::copy_dir(&settings.data_dir.join(AUDIT), &log)?;
        snapshot.audit = verify_log(&log)?;
        let (database, _) = store::database(settings);
        let copy = data.join(database.file_name().unwrap_or_default());
        snapshot.database_version = migrate::examine(&copy)?.version;
        snapshot.copy_keys(settings)?;
        Ok(snapshot)
    }

    /// The files, by their names in the archive, in order.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, Error> {
        files(&self.folder)
    }

    /// Where a file lies.
    pub(super) fn path(&self, name: &Path) -> PathBuf {
        self.folder.join(name)
    }

    /// The keys that the configuration names. One that is not encrypted is refused.
    fn copy_keys(&self, settings: &Settings) -> Result<(), Error> {
        let folder = self.folder.join(SEALED);
        store::private_folder(&folder)?;
        let signing = (SIGNING_KEY, Some(&settings.signing_key));
        for (name, path) in [signing, (SEALING_KEY, settings.sealing_key.as_ref())] {
            let Some(path) = path else {
                continue;
            };
            if sealed::sealed_under(path)?.is_none() {
                return Err(sealed::Error::Plain(path.clone()).into());
            }
            copy_file(path, &folder.join(name)).map_err(io_error(path))?;
        }
        Ok(())
    }
}

/// The empty folder for a snapshot, and its lock.
fn folder(data_dir: &Path) -> Result<(PathBuf, File), Error> {
    let folder = data_dir.join(FOLDER);
    store::private_folder(&folder)?;
    let failed = io_error(&folder);
    let lock = File::open(&folder).map_err(&failed)?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => return Err(Error::Busy(data_dir.to_owned())),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
        Ok(()) => {}
    }
    // One that was interrupted left something.
    for entry in fs::read_dir(&folder).map_err(&failed)? {
        let path = entry.map_err(&failed)?.path();
        fs::remove_dir_all(&path).map_err(io_error(&path))?;
    }
    Ok((folder, lock))
}

/// What is to be done with a file of the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Kept as it is.
    Plain,
    /// Copied by SQLite.
    Database,
    /// Part of the audit log, which is copied apart.
    Log,
    /// Of the moment only: what a start makes anew, or half written.
    Passing,
}

fn kind(path: &Path) -> Kind {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let top = path.iter().next().unwrap_or_default();
    let is_alone = path.iter().count() == 1;
    let made_anew = [serve::ADDRESS_FILE, serve::MONITOR_FILE];
    let made_now = [FOLDER, restore::FOLDER, made::FOLDER];
    let half = [
        ".partial",
        ".tmp",
        ".new",
        ".db-wal",
        ".db-shm",
        ".db-journal",
    ];
    if made_now.iter().any(|folder| top == OsStr::new(folder))
        || half.iter().any(|end| name.ends_with(end))
        || (is_alone && (made_anew.contains(&&*name) || name.contains(".before-")))
    {
        Kind::Passing
    } else if name.ends_with(".db") {
        Kind::Database
    } else if top == OsStr::new(AUDIT) {
        Kind::Log
    } else {
        Kind::Plain
    }
}

/// The data folder, and the credential, which is left out wherever it lies.
struct Folder<'a> {
    path: &'a Path,
    /// Device and number of its file.
    credential: Option<(u64, u64)>,
}

impl<'a> Folder<'a> {
    fn of(settings: &'a Settings) -> Self {
        let credential = match &settings.credential {
            SecretRef::File(path) => path.metadata().ok(),
            _ => None,
        };
        Self {
            path: &settings.data_dir,
            credential: credential.map(|file| (file.dev(), file.ino())),
        }
    }

    /// Gives the plain files a second name under `to`, which they keep when the node removes them.
    /// Those that were replaced since the last time are taken again.
    fn link(&self, to: &Path) -> Result<(), Error> {
        for name in files(self.path)? {
            if kind(&name) != Kind::Plain {
                continue;
            }
            let (from, to) = (self.path.join(&name), to.join(&name));
            match self.link_file(&from, &to) {
                // The node removed it just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                linked => linked.map_err(io_error(&from))?,
            }
        }
        Ok(())
    }

    fn link_file(&self, from: &Path, to: &Path) -> io::Result<()> {
        let file = from.metadata()?;
        let id = (file.dev(), file.ino());
        if self.credential == Some(id) {
            return Ok(());
        }
        match to.metadata() {
            Ok(there) if (there.dev(), there.ino()) == id => return Ok(()),
            Ok(_) => fs::remove_file(to)?,
            Err(_) => make_folder(to)?,
        }
        match fs::hard_link(from, to) {
            // A folder of the node's data may be another disk.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy_file(from, to),
            linked => linked,
        }
    }

    /// Copies every database as of one moment.
    fn copy_databases(&self, to: &Path) -> Result<(), Error> {
        for name in files(self.path)? {
            if kind(&name) != Kind::Database {
                continue;
            }
            let (from, to) = (self.path.join(&name), to.join(&name));
            make_folder(&to).map_err(io_error(&to))?;
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&from, flags);
            let connection = connection.map_err(|source| store::Error::Database {
                path: from.clone(),
                source,
            })?;
            migrate::copy_to(&connection, &to)?;
        }
        Ok(())
    }
}

/// Verifies a copy of a log. The node that it is of may have been in the middle of an act.
pub(super) fn verify_log(dir: &Path) -> Result<Audit, Error> {
    let lock = dir.join(LOCK_FILE);
    let failed = io_error(&lock);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock)
        .map_err(&failed)?;
    file.try_lock().map_err(|error| failed(error.into()))?;
    let verified = verify_dir(dir);
    fs::remove_file(&lock).map_err(&failed)?;
    let summary = verified.map_err(Error::AuditFault)?;
    let Hash(root) = summary.root;
    if summary.entries < summary.signed {
        let (signed, found) = (summary.signed, summary.entries);
        return Err(Error::AuditFault(Fault::Truncated { signed, found }));
    }
    Ok(Audit {
        origin: summary.origin,
        size: summary.signed,
        root: hex::encode(root),
    })
}

/// The files below a folder, by their paths from it, in order. What goes away meanwhile is left
/// out.
fn files(top: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = vec![];
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let full = top.join(&folder);
        let entries = match fs::read_dir(&full) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(io_error(&full))?,
        };
        for entry in entries {
            let entry = entry.map_err(io_error(&full))?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type().map_err(io_error(&full))?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn make_folder(of: &Path) -> io::Result<()> {
    let folder = of.parent().unwrap_or(Path::new("."));
    store::private_folder(folder).map_err(io::Error::other)
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut copy = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)?;
    io::copy(&mut File::open(from)?, &mut copy).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_its_kind() {
        for (path, expected) in [
            ("matcher.db", Kind::Database),
            ("audit/peers.db", Kind::Database),
            ("audit/peers.db-wal", Kind::Passing),
            ("audit/journal/00000000000000000000", Kind::Log),
            ("audit/tile/0/000", Kind::Log),
            ("uploads/ab.tokens", Kind::Plain),
            ("uploads/address", Kind::Plain),
            ("keys/p.key", Kind::Plain),
            ("keys/p.key.new", Kind::Passing),
            ("address", Kind::Passing),
            ("owner.before-1.1.db", Kind::Passing),
            ("backup.partial/data/owner.db", Kind::Passing),
            ("restore.partial/data/owner.db", Kind::Passing),
            ("backup.made/0199f3a2", Kind::Passing),
            ("people.rejects.csv", Kind::Plain),
        ] {
            assert_eq!(kind(Path::new(path)), expected, "{path}");
        }
    }
}
