//! Opening a backup and checking all of it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, KeyPair as _, UnparsedPublicKey};

use super::snapshot::verify_log;
use super::{
    AUDIT, CONTEXT, DATA, Entry, Error, Hashing, MANIFEST, MANIFEST_BYTES_MAX, Manifest, SEALED,
    SEALING_KEY, SIGNATURE, SIGNING_KEY, VERSION, io_error,
};
use crate::sealed::Credential;
use crate::settings::Settings;
use crate::store::{self, migrate};
use crate::{keyfile, serve};

/// Bytes that are copied at once: a chunk of age's encryption.
const COPY_BYTES: usize = 64 * 1024;

/// A backup that was unpacked and found whole.
#[derive(Debug)]
pub(super) struct Unpacked {
    /// What it holds.
    pub manifest: Manifest,
    /// SHA-256 of the manifest.
    pub sha256: [u8; 32],
}

/// Decrypts a backup of the node of `settings` with the identities in a file, unpacks it into the
/// empty folder `to`, and checks the signature, every file, the database, and the audit log from
/// its first entry.
pub(super) fn unpack(
    settings: &Settings,
    backup: &Path,
    identity: &Path,
    to: &Path,
) -> Result<Unpacked, Error> {
    let opening = Opening { backup, to };
    let words = opening.unpack(identity)?;
    let taken = |name: &str| {
        let word = words.words.get(name);
        word.ok_or_else(|| opening.damaged(format!("it has no {name}")))
    };
    let bytes = taken(MANIFEST)?;
    let manifest = opening.manifest(settings, bytes, taken(SIGNATURE)?)?;
    if manifest.files != words.files {
        let mut pairs = manifest.files.iter().zip(&words.files);
        let differs = pairs.find(|(said, found)| said != found);
        let which = differs.map_or("the number of files", |(said, _)| said.path.as_str());
        return Err(opening.damaged(format!("{which} is not as the manifest says")));
    }
    opening.check_data(settings, &manifest)?;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest(&SHA256, bytes).as_ref());
    Ok(Unpacked { manifest, sha256 })
}

/// What an archive held: the files that were written, and the small ones that were only read.
struct Archived {
    files: Vec<Entry>,
    words: BTreeMap<String, Vec<u8>>,
}

struct Opening<'a> {
    backup: &'a Path,
    to: &'a Path,
}

impl Opening<'_> {
    fn damaged(&self, what: impl Into<String>) -> Error {
        Error::Damaged {
            path: self.backup.to_owned(),
            what: what.into(),
        }
    }

    fn broken(&self, error: &io::Error) -> Error {
        self.damaged(error.to_string())
    }

    fn unpack(&self, identity: &Path) -> Result<Archived, Error> {
        let file = File::open(self.backup).map_err(io_error(self.backup))?;
        let decrypt = |source| Error::Decrypt {
            path: self.backup.to_owned(),
            source,
        };
        let identities = identities(identity)?;
        let decryptor = age::Decryptor::new_buffered(BufReader::new(file)).map_err(decrypt)?;
        let identities = identities
            .iter()
            .map(|one| one.as_ref() as &dyn age::Identity);
        let stream = decryptor.decrypt(identities).map_err(decrypt)?;

        let mut archive = tar::Archive::new(stream);
        let mut archived = Archived {
            files: vec![],
            words: BTreeMap::new(),
        };
        for entry in archive.entries().map_err(|error| self.broken(&error))? {
            let mut entry = entry.map_err(|error| self.broken(&error))?;
            let name = String::from_utf8(entry.path_bytes().into_owned());
            let name = name.map_err(|_| self.damaged("a name in it is no text"))?;
            if !entry.header().entry_type().is_file() || !is_ours(&name) {
                let words = format!("{name:?} has no place in a backup");
                return Err(self.damaged(words));
            }
            if name == MANIFEST || name == SIGNATURE {
                let mut bytes = vec![];
                let read = (&mut entry)
                    .take(MANIFEST_BYTES_MAX)
                    .read_to_end(&mut bytes);
                read.map_err(|error| self.broken(&error))?;
                archived.words.insert(name, bytes);
            } else {
                archived.files.push(self.write(&mut entry, name)?);
            }
        }
        self.read_to_end(archive.into_inner())?;
        Ok(archived)
    }

    /// Reads what is behind the archive: only at the end of the age file is it known to be whole.
    fn read_to_end(&self, mut stream: impl Read) -> Result<(), Error> {
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) if buffer.iter().take(read).all(|byte| *byte == 0) => {}
                Ok(_) => return Err(self.damaged("there is something behind its end")),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(&error)),
            }
        }
    }

    fn write(&self, from: &mut impl Read, name: String) -> Result<Entry, Error> {
        let path = self.to.join(&name);
        if let Some(folder) = path.parent() {
            store::private_folder(folder)?;
        }
        let failed = io_error(&path);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => self.damaged(format!("{name} is in it twice")),
                _ => failed(error),
            })?;
        let mut hashing = Hashing::new(from);
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let read = hashing
                .read(&mut buffer)
                .map_err(|error| self.broken(&error))?;
            if read == 0 {
                break;
            }
            let part = buffer.get(..read).unwrap_or_default();
            file.write_all(part).map_err(&failed)?;
        }
        file.sync_all().map_err(&failed)?;
        Ok(hashing.finish(name))
    }

    /// The manifest, if it is signed by this node's key and is of this node. Where the configured
    /// key is not there any more, the one in the backup is used: only who has the credential could
    /// have encrypted it.
    fn manifest(
        &self,
        settings: &Settings,
        bytes: &[u8],
        signature: &[u8],
    ) -> Result<Manifest, Error> {
        let credential = Credential::read(&settings.credential)?;
        let key = serve::signing_key(&signing_key(settings, self.to), &credential)?;
        let public = UnparsedPublicKey::new(&ED25519, key.public_key().as_ref());
        let signed = public.verify(&[CONTEXT, bytes].concat(), signature);
        signed.map_err(|_| self.damaged("it is not signed with this node's key"))?;
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|error| self.damaged(error.to_string()))?;
        if manifest.version != VERSION {
            let version = manifest.version;
            let words = format!("its format has version {version}, known is {VERSION}");
            return Err(self.damaged(words));
        }
        if (manifest.role, &manifest.party) != (settings.role, &settings.party) {
            return Err(Error::OtherNode {
                found: format!("{}/{}", manifest.role.as_str(), manifest.party),
                expected: format!("{}/{}", settings.role.as_str(), settings.party),
            });
        }
        Ok(manifest)
    }

    /// Checks the database and the audit log that were unpacked.
    fn check_data(&self, settings: &Settings, manifest: &Manifest) -> Result<(), Error> {
        let data = self.to.join(DATA);
        let (database, known) = store::database(settings);
        let path = data.join(database.file_name().unwrap_or_default());
        let examined = migrate::examine(&path)?;
        if examined.version > known {
            return Err(Error::Store(store::Error::Newer {
                path,
                found: examined.version,
                known,
            }));
        }
        if let Some(first) = examined.damage.first() {
            return Err(self.damaged(format!("its database: {first}")));
        }
        let audit = verify_log(&data.join(AUDIT))?;
        if audit != manifest.audit {
            return Err(self.damaged("its audit log is not as the manifest says"));
        }
        Ok(())
    }
}

/// The node's signing key: the configured one, or where it is gone the one that was unpacked to
/// `unpacked`.
pub(super) fn signing_key(settings: &Settings, unpacked: &Path) -> PathBuf {
    if settings.signing_key.exists() {
        settings.signing_key.clone()
    } else {
        unpacked.join(SEALED).join(SIGNING_KEY)
    }
}

/// Whether a name can be that of a file in a backup: below the folder of the data, without a way
/// out of it, or one of the few that have names of their own.
fn is_ours(name: &str) -> bool {
    let Some((folder, rest)) = name.split_once('/') else {
        return name == MANIFEST || name == SIGNATURE;
    };
    match folder {
        DATA => {
            let plain = |part| matches!(part, Component::Normal(_));
            let path = Path::new(rest);
            // As it would be written again: no empty or single-dot parts either.
            let again: PathBuf = path.iter().collect();
            !rest.is_empty() && path.components().all(plain) && again.as_os_str() == rest
        }
        SEALED => rest == SIGNING_KEY || rest == SEALING_KEY,
        _ => false,
    }
}

/// The age identities in a file that others cannot read.
fn identities(path: &Path) -> Result<Vec<Box<dyn age::Identity + Send + Sync>>, Error> {
    let unusable = || Error::Identity(path.to_owned());
    let file = File::open(path).map_err(io_error(path))?;
    let mode = file
        .metadata()
        .map_err(io_error(path))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(Error::Secret(keyfile::Error::Open { path, mode }.into()));
    }
    let read = age::IdentityFile::from_buffer(BufReader::new(file)).map_err(|_| unusable())?;
    let identities = read.into_identities().map_err(|_| unusable())?;
    if identities.is_empty() {
        return Err(unusable());
    }
    Ok(identities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out() {
        for name in [
            "data/owner.db",
            "data/audit/tile/0/000",
            "sealed/signing.key",
            MANIFEST,
        ] {
            assert!(is_ours(name), "{name}");
        }
        for name in [
            "",
            "data",
            "data/",
            "/data/x",
            "data//x",
            "data/../x",
            "data/a/../../x",
            "data/./x",
            "data/x/",
            "../x",
            "/etc/passwd",
            "sealed/other",
            "sealed/../x",
            "other",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
