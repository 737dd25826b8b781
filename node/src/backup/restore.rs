//! Opening a backup: to see that it is whole, or to put it in the place of a node's data.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use linkage_core::audit::action::Action;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::create::AUDIT;
use super::{
    CONTEXT, Entry, Error, Hashing, MANIFEST, MANIFEST_BYTES_MAX, Manifest, SIGNATURE, VERSION,
    io_error, sync_folder,
};
use crate::settings::Settings;
use crate::store::{self, migrate};
use crate::{auditlog, serve};

/// A backup that was opened and found whole.
#[derive(Debug)]
pub struct Opened {
    /// What it holds.
    pub manifest: Manifest,
}

/// A backup that was put in place.
#[derive(Debug)]
pub struct Confirmed {
    /// What it holds.
    pub manifest: Manifest,
    /// Where the data that were there before lie now, if there were any.
    pub before: Option<PathBuf>,
}

/// Opens a backup of the node of `settings` with the age identities in `identity` and checks all of
/// it: every file, the manifest's signature, the database, and the audit log from its first entry.
///
/// # Errors
/// [`Error`].
pub fn verify(settings: &Settings, backup: &Path, identity: &Path) -> Result<Opened, Error> {
    let folder = backup.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let staged = tempfile::tempdir_in(folder).map_err(io_error(folder))?;
    let manifest = unpack(settings, backup, identity, staged.path())?;
    Ok(Opened { manifest })
}

/// Puts a backup in the place of the node's data, if its id is `confirmed`. What was there is moved
/// aside, not deleted. The node must not run.
///
/// # Errors
/// [`Error`]; then the node's data are as they were.
pub fn restore(
    settings: &Settings,
    backup: &Path,
    identity: &Path,
    confirmed: Option<&str>,
) -> Result<Confirmed, Error> {
    let data = &settings.data_dir;
    let parent = data.parent().unwrap_or(Path::new("."));
    let _lock = match data.exists() {
        true => Some(store::lock(data)?),
        false => None,
    };
    let staged = tempfile::Builder::new()
        .prefix("restore.")
        .tempdir_in(parent)
        .map_err(io_error(parent))?;
    let manifest = unpack(settings, backup, identity, staged.path())?;
    if confirmed != Some(manifest.id.as_str()) {
        return Err(Error::NotConfirmed { found: manifest.id });
    }
    log_restore(settings, staged.path(), &manifest)?;
    let before = match data.exists() {
        true => {
            let aside = aside(data, &manifest.id);
            fs::rename(data, &aside).map_err(io_error(&aside))?;
            Some(aside)
        }
        false => None,
    };
    let staged = staged.keep();
    if let Err(error) = fs::rename(&staged, data) {
        if let Some(before) = &before {
            // The first error is the one to tell.
            let _ = fs::rename(before, data);
        }
        return Err(io_error(data)(error));
    }
    sync_folder(parent)?;
    Ok(Confirmed { manifest, before })
}

/// The restored log tells of the restore: whoever kept a later checkpoint must find out why.
fn log_restore(settings: &Settings, folder: &Path, manifest: &Manifest) -> Result<(), Error> {
    let at = Settings {
        data_dir: folder.to_owned(),
        ..settings.clone()
    };
    let journal = serve::journal(&at)?;
    journal
        .act(Action::BackupRestore, manifest.id.clone())
        .count("files", manifest.files.len() as u64)
        .ok()
        .map_err(Error::Journal)
}

fn aside(data: &Path, id: &str) -> PathBuf {
    let mut name = data.file_name().unwrap_or_default().to_owned();
    name.push(format!(".before-{id}"));
    data.with_file_name(name)
}

/// Decrypts, unpacks into the empty folder `to`, and checks everything.
fn unpack(settings: &Settings, backup: &Path, identity: &Path, to: &Path) -> Result<Manifest, Error> {
    let damaged = |what: String| Error::Damaged {
        path: backup.to_owned(),
        what,
    };
    let file = File::open(backup).map_err(io_error(backup))?;
    let decrypt = |source| Error::Decrypt {
        path: backup.to_owned(),
        source,
    };
    let identities = identities(identity)?;
    let decryptor = age::Decryptor::new_buffered(BufReader::new(file)).map_err(decrypt)?;
    let identities = identities.iter().map(|one| one.as_ref() as &dyn age::Identity);
    let stream = decryptor.decrypt(identities).map_err(decrypt)?;

    let broken = |error: std::io::Error| damaged(error.to_string());
    let mut archive = tar::Archive::new(stream);
    let mut files = vec![];
    let mut words = BTreeMap::new();
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.into_owned();
        let text = name.to_string_lossy().into_owned();
        if text == MANIFEST || text == SIGNATURE {
            let mut bytes = vec![];
            let limited = (&mut entry).take(MANIFEST_BYTES_MAX);
            { limited }.read_to_end(&mut bytes).map_err(broken)?;
            words.insert(text, bytes);
            continue;
        }
        let is_plain = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain || !entry.header().entry_type().is_file() {
            return Err(damaged(format!("{text} is no plain file")));
        }
        files.push(write(&mut entry, &to.join(&name), text)?);
    }
    let taken = |name: &str| words.get(name).ok_or_else(|| damaged(format!("no {name}")));
    let manifest = checked(settings, taken(MANIFEST)?, taken(SIGNATURE)?, &damaged)?;
    if manifest.files != files {
        let differs = manifest.files.iter().zip(&files).find(|(a, b)| a != b);
        let which = differs.map_or("the number of files", |(said, _)| said.path.as_str());
        return Err(damaged(format!("{which} is not as the manifest says")));
    }
    check_content(settings, to)?;
    Ok(manifest)
}

/// The manifest, if it is signed by this node's key and is of this node.
fn checked(
    settings: &Settings,
    bytes: &[u8],
    signature: &[u8],
    damaged: &dyn Fn(String) -> Error,
) -> Result<Manifest, Error> {
    let key: Ed25519KeyPair = serve::signing_key(&settings.signing_key)?;
    let public = UnparsedPublicKey::new(&ED25519, key.public_key().as_ref());
    let signed = public.verify(&[CONTEXT, bytes].concat(), signature);
    signed.map_err(|_| damaged("it was not signed with the configured signing_key".to_owned()))?;
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if manifest.version != VERSION {
        return Err(damaged(format!("version {} of the format", manifest.version)));
    }
    if (manifest.role, &manifest.party) != (settings.role, &settings.party) {
        return Err(Error::OtherNode {
            found: format!("{}/{}", manifest.role, manifest.party),
            expected: format!("{}/{}", settings.role, settings.party),
        });
    }
    Ok(manifest)
}

/// Checks the database and the audit log that were unpacked.
fn check_content(settings: &Settings, folder: &Path) -> Result<(), Error> {
    let at = Settings {
        data_dir: folder.to_owned(),
        ..settings.clone()
    };
    let (path, known) = store::database(&at);
    let examined = migrate::examine(&path)?;
    if examined.version > known {
        return Err(Error::Store(store::Error::Newer {
            path,
            found: examined.version,
            known,
        }));
    }
    if let Some(first) = examined.damage.first() {
        return Err(Error::Damaged {
            path,
            what: first.clone(),
        });
    }
    auditlog::verify::verify_dir(&folder.join(AUDIT), None).map_err(Error::AuditFault)?;
    Ok(())
}

fn write(from: &mut impl Read, to: &Path, name: String) -> Result<Entry, Error> {
    let folder = to.parent().unwrap_or(Path::new("."));
    store::private_folder(folder)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(io_error(to))?;
    let mut hashing = Hashing::new(from);
    std::io::copy(&mut hashing, &mut file).map_err(io_error(to))?;
    file.sync_all().map_err(io_error(to))?;
    Ok(hashing.finish(name))
}

/// The age identities in a file that others cannot read.
fn identities(path: &Path) -> Result<Vec<Box<dyn age::Identity + Send + Sync>>, Error> {
    let unusable = || Error::Identity(path.to_owned());
    let file = File::open(path).map_err(io_error(path))?;
    let mode = file.metadata().map_err(io_error(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(unusable());
    }
    let read = age::IdentityFile::from_buffer(BufReader::new(file)).map_err(|_| unusable())?;
    read.into_identities().map_err(|_| unusable())
}
