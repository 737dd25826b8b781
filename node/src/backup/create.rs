//! Making a backup.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use age::x25519::Recipient;
use ring::signature::Ed25519KeyPair;
use rusqlite::{Connection, OpenFlags};
use tar::{Builder, EntryType, Header};
use uuid::Uuid;

use super::{
    CONTEXT, Entry, Error, Hashing, MANIFEST, Manifest, SIGNATURE, VERSION, file_name, io_error,
    sync_folder,
};
use crate::settings::Settings;
use crate::store::{self, migrate};
use crate::{auditlog, serve};

/// Folder of the audit log within the data folder.
pub(super) const AUDIT: &str = "audit";

/// A backup that was made.
#[derive(Debug, Clone)]
pub struct Created {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
}

/// Makes a backup of the node's data in `folder`, for any of `recipients` to open. The node may run.
///
/// # Errors
/// [`Error`]; then nothing is left in `folder`.
pub fn create(settings: &Settings, folder: &Path, recipients: &[String]) -> Result<Created, Error> {
    let recipients = recipients
        .iter()
        .map(|text| text.parse().map_err(|_| Error::Recipient(text.clone())))
        .collect::<Result<Vec<Recipient>, _>>()?;
    if recipients.is_empty() {
        return Err(Error::NoRecipient);
    }
    let key = serve::signing_key(&settings.signing_key)?;
    // In the data folder: the copies are as much a secret as what lies there.
    let staged = tempfile::Builder::new()
        .prefix("backup.")
        .tempdir_in(&settings.data_dir)
        .map_err(io_error(&settings.data_dir))?;
    let (database, database_version) = copy_database(settings, staged.path())?;

    let id = Uuid::now_v7().to_string();
    let mut manifest = Manifest {
        version: VERSION,
        id: id.clone(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        role: settings.role,
        party: settings.party.clone(),
        database_version,
        files: vec![],
    };
    let path = folder.join(file_name(&manifest));
    let partial = path.with_extension("partial");
    let written = write(settings, &key, &recipients, &partial, &database, &mut manifest);
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&partial);
    }
    written?;
    fs::rename(&partial, &path).map_err(io_error(&path))?;
    sync_folder(folder)?;
    Ok(Created { path, manifest })
}

/// A copy of the database at one moment, in `folder`, and its version.
fn copy_database(settings: &Settings, folder: &Path) -> Result<(PathBuf, usize), Error> {
    let (source, _) = store::database(settings);
    let failed = |source_error| store::Error::Database {
        path: source.clone(),
        source: source_error,
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&source, flags).map_err(failed)?;
    let name = source.file_name().unwrap_or_default();
    let copy = folder.join(name);
    migrate::copy_to(&connection, &copy)?;
    let version = migrate::examine(&copy)?.version;
    Ok((copy, version))
}

fn write(
    settings: &Settings,
    key: &Ed25519KeyPair,
    recipients: &[Recipient],
    partial: &Path,
    database: &Path,
    manifest: &mut Manifest,
) -> Result<(), Error> {
    let io = |source| io_error(partial)(source);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(partial)
        .map_err(io)?;
    let recipients = recipients.iter().map(|one| one as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).map_err(Error::Encrypt)?;
    let stream = encryptor.wrap_output(BufWriter::new(file)).map_err(io)?;
    let mut archive = Archive {
        tar: Builder::new(stream),
        partial,
        files: vec![],
    };
    let name = database.file_name().unwrap_or_default();
    archive.add(database, Path::new(name))?;
    let name = name.to_string_lossy().into_owned();
    for path in beside(&settings.data_dir, &name)? {
        archive.add(&settings.data_dir.join(&path), &path)?;
    }
    let log = tempfile::tempdir_in(&settings.data_dir).map_err(io_error(&settings.data_dir))?;
    let copied = auditlog::copy::copy_dir(&settings.data_dir.join(AUDIT), log.path())?;
    for path in copied {
        archive.add(&log.path().join(&path), &Path::new(AUDIT).join(&path))?;
    }
    manifest.files = std::mem::take(&mut archive.files);
    let bytes = serde_json::to_vec(&manifest).map_err(|error| io(error.into()))?;
    let signature = key.sign(&[CONTEXT, &bytes].concat());
    archive.append(MANIFEST, bytes.len() as u64, bytes.as_slice())?;
    archive.append(SIGNATURE, signature.as_ref().len() as u64, signature.as_ref())?;
    let stream = archive.tar.into_inner().map_err(io)?;
    let file = stream.finish().map_err(io)?;
    let file = file.into_inner().map_err(|error| io(error.into_error()))?;
    file.sync_all().map_err(io)
}

/// An archive that is being written.
struct Archive<'a, W: Write> {
    tar: Builder<W>,
    partial: &'a Path,
    files: Vec<Entry>,
}

impl<W: Write> Archive<'_, W> {
    /// Adds a file under a name. One that is gone by now is left out: the node removed it.
    fn add(&mut self, path: &Path, name: &Path) -> Result<(), Error> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io_error(path)(error)),
        };
        // What is appended meanwhile belongs to the next backup.
        let bytes = file.metadata().map_err(io_error(path))?.len();
        let name = name.to_string_lossy().into_owned();
        let mut hashing = Hashing::new(file.take(bytes));
        self.append(&name, bytes, &mut hashing)?;
        if hashing.bytes != bytes {
            let changed = std::io::Error::other("it changed while it was read; try again");
            return Err(io_error(path)(changed));
        }
        self.files.push(hashing.finish(name));
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: u64, from: impl std::io::Read) -> Result<(), Error> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(0);
        self.tar
            .append_data(&mut header, name, from)
            .map_err(io_error(self.partial))
    }
}

/// The files of the data folder that are neither the database `name`, the audit log, nor of the
/// moment only.
fn beside(data_dir: &Path, name: &str) -> Result<Vec<PathBuf>, Error> {
    let mut found = vec![];
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let full = data_dir.join(&folder);
        for entry in fs::read_dir(&full).map_err(io_error(&full))? {
            let entry = entry.map_err(io_error(&full))?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let is_top = folder.as_os_str().is_empty();
            if is_top && (file == AUDIT || is_passing(&file, name)) {
                continue;
            }
            let kind = entry.file_type().map_err(io_error(&full))?;
            let path = folder.join(&file);
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && !file.ends_with(".partial") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file of the data folder is of no use to a restored node: the database, which is copied
/// apart, and what a start makes anew.
fn is_passing(file: &str, database: &str) -> bool {
    let stem = database.trim_end_matches(".db");
    let made_anew = [serve::ADDRESS_FILE, serve::MONITOR_FILE, store::LOCK_FILE];
    file.starts_with(database)
        || file.starts_with(&format!("{stem}.before-"))
        || file.starts_with("backup.")
        || file.starts_with(".tmp")
        || made_anew.contains(&file)
}
