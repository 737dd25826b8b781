//! Making a backup.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use age::x25519::Recipient;
use ring::digest::{SHA256, digest};
use ring::signature::Ed25519KeyPair;
use tar::{Builder, EntryType, Header};
use uuid::Uuid;

use super::snapshot::Snapshot;
use super::{
    CONTEXT, Entry, Error, Hashing, MANIFEST, Manifest, SIGNATURE, VERSION, file_name, io_error,
    made, require_owner, sync_folder,
};
use crate::sealed::Credential;
use crate::serve;
use crate::settings::Settings;

/// How often it is tried. An upload that goes on after an interruption cuts off the part of a chunk
/// that it left; twice within one backup is bad luck, thrice is something else.
const ATTEMPTS: u32 = 3;

/// A backup that was made.
#[derive(Debug, Clone)]
pub struct Created {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
}

/// Makes a backup of the node's data in `folder`, for any of `recipients` to open. The node may
/// run; its audit log tells of the backup soon after, or when it starts.
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
    require_owner(&settings.data_dir)?;
    let credential = Credential::read(&settings.credential)?;
    let key = serve::signing_key(&settings.signing_key, &credential)?;
    let mut attempt = 1;
    loop {
        match attempt_to_create(settings, folder, &recipients, &key) {
            Err(Error::Changed(_)) if attempt < ATTEMPTS => attempt += 1,
            ended => return ended,
        }
    }
}

fn attempt_to_create(
    settings: &Settings,
    folder: &Path,
    recipients: &[Recipient],
    key: &Ed25519KeyPair,
) -> Result<Created, Error> {
    let snapshot = Snapshot::take(settings)?;
    let mut manifest = Manifest {
        version: VERSION,
        id: Uuid::now_v7().to_string(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        role: settings.role,
        party: settings.party.clone(),
        database_version: snapshot.database_version,
        audit: snapshot.audit.clone(),
        files: vec![],
    };
    let path = folder.join(file_name(&manifest));
    let partial = path.with_extension("partial");
    let finished = write(&snapshot, key, recipients, &partial, &mut manifest).and_then(|digest| {
        // Told before it is there, so that no backup is there untold.
        made::tell(&settings.data_dir, &manifest, &digest)?;
        fs::rename(&partial, &path).map_err(io_error(&path))
    });
    if finished.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&partial);
    }
    finished?;
    sync_folder(folder)?;
    Ok(Created { path, manifest })
}

/// Writes the archive, completes the manifest, and gives the manifest's SHA-256.
fn write(
    snapshot: &Snapshot,
    key: &Ed25519KeyPair,
    recipients: &[Recipient],
    partial: &Path,
    manifest: &mut Manifest,
) -> Result<[u8; 32], Error> {
    let io = io_error(partial);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(partial)
        .map_err(&io)?;
    let recipients = recipients.iter().map(|one| one as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).map_err(Error::Encrypt)?;
    let stream = encryptor.wrap_output(BufWriter::new(file)).map_err(&io)?;
    let mut archive = Archive {
        tar: Builder::new(stream),
        partial,
    };
    for name in snapshot.files()? {
        manifest
            .files
            .push(archive.add(&snapshot.path(&name), &name)?);
    }
    let bytes = serde_json::to_vec(&manifest).map_err(|error| io(error.into()))?;
    let signature = key.sign(&[CONTEXT, &bytes].concat());
    archive.append(MANIFEST, bytes.len() as u64, bytes.as_slice())?;
    let signature = signature.as_ref();
    archive.append(SIGNATURE, signature.len() as u64, signature)?;
    let stream = archive.tar.into_inner().map_err(&io)?;
    let file = stream.finish().map_err(&io)?;
    let file = file.into_inner().map_err(|error| io(error.into_error()))?;
    file.sync_all().map_err(&io)?;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest(&SHA256, &bytes).as_ref());
    Ok(sha256)
}

/// An archive that is being written.
struct Archive<'a, W: Write> {
    tar: Builder<W>,
    partial: &'a Path,
}

impl<W: Write> Archive<'_, W> {
    /// Adds a file under a name.
    fn add(&mut self, path: &Path, name: &Path) -> Result<Entry, Error> {
        let name = name.to_str().ok_or_else(|| {
            let message = "its name is no text";
            io_error(path)(std::io::Error::other(message))
        })?;
        let file = File::open(path).map_err(io_error(path))?;
        // What is appended meanwhile belongs to the next backup.
        let bytes = file.metadata().map_err(io_error(path))?.len();
        let mut hashing = Hashing::new(file.take(bytes));
        self.append(name, bytes, &mut hashing)?;
        if hashing.bytes != bytes {
            return Err(Error::Changed(path.to_owned()));
        }
        Ok(hashing.finish(name.to_owned()))
    }

    fn append(&mut self, name: &str, bytes: u64, from: impl Read) -> Result<(), Error> {
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
