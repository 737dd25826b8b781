//! Backups of a node's data: one file, encrypted to `age` recipients, made while the node runs.
//!
//! The file is a tar archive within an age file (<https://age-encryption.org/v1>), so that any `age`
//! and any `tar` can open it:
//!
//! | name | content |
//! |---|---|
//! | `data/…` | the data folder: databases, uploads or outbox, receipts, project keys, the audit log |
//! | `sealed/…` | the keys that the configuration names, as they are: encrypted under the credential |
//! | `manifest.json` | length and SHA-256 of each file, the audit log's root, whose the backup is |
//! | `manifest.sig` | the node's Ed25519 signature over the manifest |
//!
//! Anyone can encrypt to a recipient; only the node can sign. The credential is never in it, nor
//! the configuration and the certificates: whoever opens a backup has no key, and cannot act as the
//! node.
//!
//! A backup is consistent although the node goes on, by its order. Names of files are kept first,
//! then the databases are copied, each as of one moment, then come the files that are new, and last
//! the audit log. So there is every file that a database speaks of, at least as long as it says,
//! and the log has every act that shows in them. To the node that starts on it, it looks like the
//! disk after a power cut.

mod create;
pub mod made;
mod restore;
mod snapshot;
#[cfg(test)]
mod tests;
mod unpack;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use linkage_core::ids::PartyId;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

pub use self::create::{Created, create};
pub use self::restore::{Restored, restore, unfinished, verify};
use crate::sealed;
use crate::settings::NodeRole;

/// Version of the format.
const VERSION: u32 = 1;

/// The manifest's name in the archive.
const MANIFEST: &str = "manifest.json";

/// The name of its signature.
const SIGNATURE: &str = "manifest.sig";

/// Folder of the archive for what lies in the data folder.
const DATA: &str = "data";

/// Folder of the archive for the keys that the configuration names.
const SEALED: &str = "sealed";

/// The signing key in that folder.
const SIGNING_KEY: &str = "signing.key";

/// The sealing key in that folder; owners only.
const SEALING_KEY: &str = "sealing.key";

/// Folder of the audit log within the data folder.
const AUDIT: &str = "audit";

/// What the signature is over, before the manifest's bytes: no other signature of the node's key
/// can be taken for it.
const CONTEXT: &[u8] = b"linkage/backup/v1\0";

/// Largest manifest, in bytes: some 200 000 files.
const MANIFEST_BYTES_MAX: u64 = 32 << 20;

/// End of a backup's name.
const EXTENSION: &str = "age";

/// Why a backup cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{} cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nobody could open it.
    #[error("name at least one recipient, age1...: nobody could open the backup")]
    NoRecipient,
    /// A recipient is none.
    #[error("{0:?} is no age recipient: expected age1...")]
    Recipient(String),
    /// The identity file.
    #[error("{} is no file of age identities, readable by its owner alone", .0.display())]
    Identity(PathBuf),
    /// It cannot be encrypted.
    #[error("the backup cannot be encrypted")]
    Encrypt(#[source] age::EncryptError),
    /// It cannot be decrypted.
    #[error("{} cannot be opened with this identity", path.display())]
    Decrypt {
        /// The backup.
        path: PathBuf,
        /// What age said.
        #[source]
        source: age::DecryptError,
    },
    /// The content is not what the manifest says.
    #[error("{} is damaged or no backup of ours: {what}", path.display())]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A file got shorter while it was read.
    #[error("{} changed while it was read; try again", .0.display())]
    Changed(PathBuf),
    /// The data are another user's.
    #[error(
        "{} belongs to user {owner}, and this is user {user}: run it as that user, such as with \
         `sudo -u linkage-owner`, or the node could not use what this leaves",
        path.display()
    )]
    OtherUser {
        /// The data folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// Another backup is being made.
    #[error("another backup of {} is being made; wait for it", .0.display())]
    Busy(PathBuf),
    /// A node runs on the data folder.
    #[error("a node runs on {}; stop it first", .0.display())]
    Running(PathBuf),
    /// There are data already.
    #[error("{} is not empty: move what is there away; a restore never mixes or replaces", .0.display())]
    NotEmpty(PathBuf),
    /// Another node's backup.
    #[error("the backup is of {found}, the configuration of {expected}")]
    OtherNode {
        /// Whose it is.
        found: String,
        /// Whose configuration it is.
        expected: String,
    },
    /// Not the backup that was confirmed.
    #[error(
        "the backup's id is {found}; what the node did after it is lost: to restore it all the same, \
         give --confirm {found}"
    )]
    NotConfirmed {
        /// Its id.
        found: String,
    },
    /// A key, or the credential that opens it.
    #[error(transparent)]
    Secret(#[from] sealed::Error),
    /// The node's keys.
    #[error(transparent)]
    Keys(#[from] crate::serve::Error),
    /// The database or the data folder.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The audit log.
    #[error("the audit log cannot be copied or opened")]
    Audit(#[from] crate::auditlog::Error),
    /// The copy of the audit log does not verify.
    #[error("the audit log in the backup is not whole")]
    AuditFault(#[source] linkage_core::audit::verify::Fault),
    /// The restore cannot be logged.
    #[error("the restore cannot be logged")]
    Journal(#[source] crate::fault::Fault),
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::Io {
        path: path.clone(),
        source,
    }
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format.
    pub version: u32,
    /// The backup's id, a UUID of version 7.
    pub id: String,
    /// Version of the program that made it.
    pub program: String,
    /// The node's role.
    pub role: NodeRole,
    /// The node's party.
    pub party: PartyId,
    /// Version of the database.
    pub database_version: usize,
    /// The audit log.
    pub audit: Audit,
    /// The files, in the archive's order.
    pub files: Vec<Entry>,
}

/// The audit log in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Which log.
    pub origin: String,
    /// How many entries its checkpoint covers.
    pub size: u64,
    /// Root over them, in hexadecimal digits.
    pub root: String,
}

/// A file in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in the archive.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, in hexadecimal digits.
    pub sha256: String,
}

/// A backup in a folder, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The file.
    pub path: PathBuf,
    /// Whose it is: role and party.
    pub node: String,
    /// The backup's id.
    pub id: String,
    /// When it was made, by its id.
    pub created: jiff::Timestamp,
    /// Its length.
    pub bytes: u64,
}

/// The backups in a folder, the newest last. What is named otherwise is none.
///
/// # Errors
/// [`Error::Io`].
pub fn list(folder: &Path) -> Result<Vec<Listed>, Error> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).map_err(io_error(folder))? {
        let path = entry.map_err(io_error(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some((node, id)) = name.and_then(parse_name) else {
            continue;
        };
        let Some(created) = created(&id) else {
            continue;
        };
        let bytes = path.metadata().map_err(io_error(&path))?.len();
        found.push(Listed {
            path,
            node,
            id,
            created,
            bytes,
        });
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

fn file_name(manifest: &Manifest) -> String {
    let Manifest {
        role, party, id, ..
    } = manifest;
    format!("linkage_{}_{party}_{id}.{EXTENSION}", role.as_str())
}

fn parse_name(name: &str) -> Option<(String, String)> {
    let stem = name
        .strip_prefix("linkage_")?
        .strip_suffix(EXTENSION)?
        .strip_suffix('.')?;
    let (node, id) = stem.rsplit_once('_')?;
    let (role, party) = node.split_once('_')?;
    Some((format!("{role}/{party}"), id.to_owned()))
}

/// The moment in a UUID of version 7.
fn created(id: &str) -> Option<jiff::Timestamp> {
    let moment = uuid::Uuid::try_parse(id).ok()?.get_timestamp()?;
    let (seconds, nanoseconds) = moment.to_unix();
    let (seconds, nanoseconds) = (seconds.try_into().ok()?, nanoseconds.try_into().ok()?);
    jiff::Timestamp::new(seconds, nanoseconds).ok()
}

/// Hashes what is read through it.
struct Hashing<R> {
    inner: R,
    context: Context,
    bytes: u64,
}

impl<R: Read> Hashing<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            context: Context::new(&SHA256),
            bytes: 0,
        }
    }

    fn finish(self, path: String) -> Entry {
        Entry {
            path,
            bytes: self.bytes,
            sha256: hex::encode(self.context.finish()),
        }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.context.update(buffer.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Waits until the disk has a folder's entries.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(io_error(folder))
}

/// Refuses whoever is not the user of the data: files and locks of another user would stop the
/// node.
fn require_owner(data_dir: &Path) -> Result<(), Error> {
    let owner = data_dir.metadata().map_err(io_error(data_dir))?.uid();
    let user = nix::unistd::geteuid().as_raw();
    if owner == user {
        return Ok(());
    }
    Err(Error::OtherUser {
        path: data_dir.to_owned(),
        owner,
        user,
    })
}
