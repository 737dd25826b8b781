//! Opening a backup: to see that it is whole, or to put it in place.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use linkage_core::audit::action::Action;

use super::unpack::{Unpacked, signing_key, unpack};
use super::{
    AUDIT, DATA, Error, Manifest, SEALED, SEALING_KEY, SIGNING_KEY, io_error, require_owner,
    sync_folder,
};
use crate::auditlog::{AuditLog, LOCK_FILE, verify};
use crate::identity::Identity;
use crate::journal::Journal;
use crate::settings::Settings;
use crate::{keyfile, serve, store};

/// Folder in the data folder in which a restore unpacks. While it is there a node does not start:
/// what lies beside it may be half of something.
pub(super) const FOLDER: &str = "restore.partial";

/// A backup that was put in place.
#[derive(Debug)]
pub struct Restored {
    /// What it held.
    pub manifest: Manifest,
    /// Number of entries in the audit log now: with one on the restore.
    pub entries: u64,
    /// The keys that were not there, and are now.
    pub keys: Vec<PathBuf>,
}

/// The folder of a restore that did not come to its end, if there is one in the data folder.
pub fn unfinished(data_dir: &Path) -> Option<PathBuf> {
    let folder = data_dir.join(FOLDER);
    folder.exists().then_some(folder)
}

/// Opens a backup of the node of `settings` with the age identities in `identity` and checks all of
/// it. Unpacks it beside the backup meanwhile.
///
/// # Errors
/// [`Error`].
pub fn verify(settings: &Settings, backup: &Path, identity: &Path) -> Result<Manifest, Error> {
    let folder = backup
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let staged = tempfile::tempdir_in(folder).map_err(io_error(folder))?;
    Ok(unpack(settings, backup, identity, staged.path())?.manifest)
}

/// Puts a backup in the place of the node's data, if its id is `confirmed`. There must be no data:
/// the folder is absent or empty.
///
/// # Errors
/// [`Error`]; unless it is about moving what was unpacked, nothing is left in the data folder. If
/// it is, no node starts on what is left.
pub fn restore(
    settings: &Settings,
    backup: &Path,
    identity: &Path,
    confirmed: Option<&str>,
) -> Result<Restored, Error> {
    let data_dir = &settings.data_dir;
    store::private_folder(data_dir)?;
    require_owner(data_dir)?;
    require_empty(data_dir)?;
    let staged = tempfile::Builder::new()
        .prefix(FOLDER)
        .rand_bytes(0)
        .tempdir_in(data_dir)
        .map_err(io_error(data_dir))?;
    let unpacked = unpack(settings, backup, identity, staged.path())?;
    let manifest = &unpacked.manifest;
    if confirmed != Some(manifest.id.as_str()) {
        let found = manifest.id.clone();
        return Err(Error::NotConfirmed { found });
    }
    // Its lock goes with it: no node can take the log before everything is there.
    let journal = log_restore(settings, staged.path(), &unpacked)?;
    let log = staged.path().join(DATA).join(AUDIT);
    verify::verify_dir(&log).map_err(Error::AuditFault)?;
    let (entries, _) = journal.log().end();
    let keys = place_keys(settings, &staged.path().join(SEALED))?;
    let staged = staged.keep();
    move_data(&staged.join(DATA), data_dir)?;
    fs::remove_dir_all(&staged).map_err(io_error(&staged))?;
    sync_folder(data_dir)?;
    Ok(Restored {
        manifest: unpacked.manifest,
        entries,
        keys,
    })
}

fn require_empty(data_dir: &Path) -> Result<(), Error> {
    let lock = File::open(data_dir.join(AUDIT).join(LOCK_FILE));
    if lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))) {
        return Err(Error::Running(data_dir.to_owned()));
    }
    let mut entries = fs::read_dir(data_dir).map_err(io_error(data_dir))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(Error::NotEmpty(data_dir.to_owned())),
    }
}

/// The restored log tells of the restore: whoever kept a later checkpoint must find out why.
fn log_restore(settings: &Settings, staged: &Path, unpacked: &Unpacked) -> Result<Journal, Error> {
    let keys = serve::audit_keys(&Settings {
        signing_key: signing_key(settings, staged),
        ..settings.clone()
    })?;
    let role = settings.role.role();
    let me = Identity::new(&settings.trust_domain, role, settings.party.as_str());
    let me = me.map_err(|_| Error::OtherNode {
        found: unpacked.manifest.party.to_string(),
        expected: settings.party.to_string(),
    })?;
    let log = AuditLog::open(&staged.join(DATA).join(AUDIT), keys)?;
    let journal = Journal::new(log, me);
    journal
        .act(Action::BackupRestore, unpacked.manifest.id.clone())
        .digest("manifest", &unpacked.sha256)
        .count("files", unpacked.manifest.files.len() as u64)
        .ok()
        .map_err(Error::Journal)?;
    // The last: it is written under the path that the log has now.
    journal.log().checkpoint()?;
    Ok(journal)
}

/// Moves what was unpacked into place, the audit log first: where a node has begun to run
/// meanwhile, there is one, and nothing is moved.
fn move_data(from: &Path, to: &Path) -> Result<(), Error> {
    let mut names = vec![];
    for entry in fs::read_dir(from).map_err(io_error(from))? {
        names.push(entry.map_err(io_error(from))?.file_name());
    }
    names.sort_by_key(|name| (name != AUDIT, name.clone()));
    for name in names {
        let target = to.join(&name);
        fs::rename(from.join(&name), &target).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty => Error::NotEmpty(to.to_owned()),
            _ => io_error(&target)(error),
        })?;
    }
    sync_folder(to)
}

/// Puts the encrypted keys where the configuration names them and none are.
fn place_keys(settings: &Settings, from: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut placed = vec![];
    let signing = (SIGNING_KEY, Some(&settings.signing_key));
    for (name, path) in [signing, (SEALING_KEY, settings.sealing_key.as_ref())] {
        let Some(path) = path.filter(|path| !path.exists()) else {
            continue;
        };
        let content = keyfile::private(&from.join(name)).map_err(crate::sealed::Error::from)?;
        let text = String::from_utf8_lossy(&content);
        keyfile::write_new(path, &[&text]).map_err(crate::sealed::Error::from)?;
        keyfile::sync_folder_of(path).map_err(io_error(path))?;
        placed.push(path.clone());
    }
    Ok(placed)
}
