//! The audit log on disk.
//!
//! | file | content |
//! |---|---|
//! | `journal/<first entry>` | the entries, framed, in order, only ever appended to |
//! | `tile/…` | tree and entries as in c2sp.org/tlog-tiles; made from the journal |
//! | `checkpoint` | signed note over the newest state |
//! | `checkpoint.witnessed` | the newest one that a quorum of witnesses has cosigned |
//! | `log.vkey`, `witness.vkey` | the keys that check the log, and what the node cosigns |
//! | `peers.db` | what this node has cosigned and been cosigned, and how far exports are |
//!
//! [`AuditLog::append`] returns only when the entry is on the disk, and fails otherwise: whoever
//! logs before acting thereby does not act. Entries that wait at the same time are written and
//! flushed together. A checkpoint follows within 10 s, at once where a receipt is asked for, and at
//! the end. A crash can leave entries that no checkpoint covers and, after them, part of a frame,
//! which [`AuditLog::open`] cuts off; what a checkpoint covers must be there, or the log is not
//! opened.

pub mod bundle;
mod commit;
pub mod copy;
pub mod export;
#[cfg(test)]
mod export_tests;
mod open;
pub mod prune;
pub mod receipt;
pub mod segments;
#[cfg(test)]
mod tests;
mod tiles;
pub mod verify;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use linkage_core::audit::action::Action;
use linkage_core::audit::checkpoint::{Checkpoint, NodeKeys};
use linkage_core::audit::entry::{Entry, EntryError, Event};
use linkage_core::audit::note::{Note, NoteError, VerifyingKey};
use linkage_core::audit::receipt::Receipt;
use linkage_core::audit::tree::Hash;
use linkage_core::audit::tree::proof::{consistency, inclusion};
use linkage_core::audit::verify::Fault;
use uuid::Uuid;

use commit::{Disk, State};

/// The newest checkpoint.
pub const CHECKPOINT_FILE: &str = "checkpoint";
/// The newest checkpoint that a quorum has cosigned.
pub const WITNESSED_FILE: &str = "checkpoint.witnessed";
/// The key that checks the log.
pub const KEY_FILE: &str = "log.vkey";
/// The key that checks what the node cosigns.
pub const WITNESS_KEY_FILE: &str = "witness.vkey";
/// Locked by the process that writes the log.
pub const LOCK_FILE: &str = "lock";

/// Time within which a checkpoint covers an entry: also the most that a crash leaves unsigned.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);

/// Why the log could not be opened or written. On any of these the act must not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("{} cannot be read or written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the log open.
    #[error("another process writes the audit log in {}", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder holds the log of another node or key.
    #[error("{} belongs to another node or signing key", path.display())]
    OtherKey {
        /// The key file.
        path: PathBuf,
    },
    /// The node's name cannot stand in a checkpoint.
    #[error("the node's name cannot name an audit log")]
    Name(#[from] NoteError),
    /// What is on the disk is not what this node left there.
    #[error("the audit log in {} was tampered with or damaged", dir.display())]
    Damaged {
        /// The folder.
        dir: PathBuf,
        /// What is wrong.
        source: Box<Fault>,
    },
    /// The event is not well-formed. Nothing was written.
    #[error("the event cannot be logged")]
    Event(#[from] EntryError),
    /// There is no such entry, or no such earlier state.
    #[error("the log has no entry {0}")]
    Absent(u64),
    /// A write failed; the entries that waited for it are not in the log.
    #[error("the audit log could not be written")]
    Write(#[source] Arc<io::Error>),
    /// An earlier write failed in a way that leaves the state of the disk unknown; the node must be
    /// restarted to find out.
    #[error("the audit log is blocked by an earlier failure")]
    Blocked,
}

/// The log of a running node. Shared between threads by reference.
pub struct AuditLog {
    shared: Arc<Shared>,
    /// Makes checkpoints; ended by [`AuditLog`]'s drop.
    clerk: Option<JoinHandle<()>>,
}

struct Shared {
    dir: PathBuf,
    keys: NodeKeys,
    /// This process, in every entry.
    boot: String,
    started: Instant,
    state: Mutex<State>,
    /// Told when `state` changes.
    changed: Condvar,
    /// Held by whoever writes; taken only without holding `state`, or before it.
    disk: Mutex<Disk>,
    /// When a quorum of witnesses last held, in seconds since 1970; 0 if none is asked for.
    quorum_at: AtomicU64,
    /// Held open so that no other process writes.
    _lock: File,
}

impl AuditLog {
    /// Opens the log in `dir` and makes it if there is none. Checks the end of the log and of its
    /// tree against the newest checkpoint; [`verify::verify_dir`] reads all of it. Every intent
    /// that an earlier process left without an outcome gets the outcome `unknown`.
    ///
    /// # Errors
    /// [`Error`]; above all [`Error::Damaged`] if the end of the log is not what the checkpoint
    /// says.
    pub fn open(dir: &Path, keys: NodeKeys) -> Result<Self, Error> {
        let opened = open::open(dir, &keys)?;
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            keys,
            boot: Uuid::new_v4().to_string(),
            started: Instant::now(),
            state: Mutex::new(State::new(opened.disk.tiles.size())),
            changed: Condvar::new(),
            disk: Mutex::new(opened.disk),
            quorum_at: AtomicU64::new(0),
            _lock: opened.lock,
        });
        let mut log = Self {
            shared,
            clerk: None,
        };
        for event in opened.to_log {
            log.append(event)?;
        }
        log.checkpoint()?;
        let shared = Arc::clone(&log.shared);
        let clerk = std::thread::Builder::new().name("audit-checkpoint".to_owned());
        let clerk = clerk.spawn(move || shared.keep_signing());
        log.clerk = Some(clerk.map_err(|source| file_error(dir, source))?);
        Ok(log)
    }

    /// Writes `event` and returns its number in the log. When this returns the entry is on the
    /// disk.
    ///
    /// # Errors
    /// [`Error`], after which the act that was to be logged must not happen.
    pub fn append(&self, event: Event) -> Result<u64, Error> {
        self.shared.append(event)
    }

    /// The number of the first entry of this action about this object that came to its end.
    ///
    /// # Errors
    /// [`Error::File`] if the log cannot be read; [`Error::Event`] if it holds what is no entry.
    pub fn find(&self, action: Action, object: &str) -> Result<Option<u64>, Error> {
        let failed = |source| file_error(&self.shared.dir, source);
        let mut entries = segments::entries(&self.shared.dir, 0).map_err(failed)?;
        while let Some((index, bytes)) = entries.next_entry().map_err(failed)? {
            let event = Entry::from_bytes(bytes)?.event;
            if event.action == action && event.object == object && event.result.is_some() {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// The newest checkpoint, made now if an entry is not covered by the last.
    ///
    /// # Errors
    /// [`Error`] if it cannot be written.
    pub fn checkpoint(&self) -> Result<Note, Error> {
        self.shared.checkpoint()
    }

    /// An entry with the proof that it is in the log, under a checkpoint made now if need be.
    ///
    /// # Errors
    /// [`Error::Absent`] if there is no such entry.
    pub fn receipt(&self, index: u64) -> Result<Receipt, Error> {
        let note = self.checkpoint()?;
        self.receipt_under(index, note)
    }

    /// An entry with the proof that it is in the tree of `note`, a checkpoint of this log.
    ///
    /// # Errors
    /// [`Error::Absent`] if the checkpoint does not cover the entry.
    pub fn receipt_under(&self, index: u64, note: Note) -> Result<Receipt, Error> {
        let absent = |_| Error::Absent(index);
        let checkpoint = Checkpoint::open(&note, self.verifying_key()).map_err(absent)?;
        let disk = self.shared.disk();
        let read = |source| file_error(&self.shared.dir, source);
        if index >= checkpoint.size || checkpoint.size > disk.tiles.size() {
            return Err(Error::Absent(index));
        }
        let receipt = Receipt {
            entry: disk.tiles.entry(index).map_err(read)?,
            index,
            proof: inclusion(&disk.tiles, index, checkpoint.size).map_err(read)?,
            note,
        };
        // A tile that was damaged since the start would make a receipt that nobody accepts.
        receipt.verify(self.verifying_key()).map_err(|_| {
            let damage = io::Error::from(io::ErrorKind::InvalidData);
            file_error(&self.shared.dir.join("tile"), damage)
        })?;
        Ok(receipt)
    }

    /// The proof that the newest checkpoint continues the first `old` entries.
    ///
    /// # Errors
    /// [`Error::Absent`] if the log has fewer entries.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        let disk = self.shared.disk();
        if old > new || new > disk.tiles.size() {
            return Err(Error::Absent(old));
        }
        consistency(&disk.tiles, old, new).map_err(|source| file_error(&self.shared.dir, source))
    }

    /// Keeps `note`, a checkpoint of this log with cosignatures, beside the log.
    ///
    /// # Errors
    /// [`Error`] if it cannot be written.
    pub fn keep_witnessed(&self, note: &Note) -> Result<(), Error> {
        let _disk = self.shared.disk();
        replace(
            &self.shared.dir,
            WITNESSED_FILE,
            note.to_string().as_bytes(),
        )
    }

    /// Keeps in mind that a quorum of witnesses held at this moment, in seconds since 1970.
    pub fn set_quorum_at(&self, seconds: u64) {
        self.shared.quorum_at.store(seconds, Ordering::Relaxed);
    }

    /// When a quorum of witnesses last held, in seconds since 1970; `None` if none is asked for.
    pub fn quorum_at(&self) -> Option<u64> {
        let seconds = self.shared.quorum_at.load(Ordering::Relaxed);
        (seconds > 0).then_some(seconds)
    }

    /// Number of entries and the root over them.
    pub fn end(&self) -> (u64, Hash) {
        let disk = self.shared.disk();
        (disk.tiles.size(), disk.tiles.root())
    }

    /// The key that checks this log; its name is the log's origin.
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.shared.keys.log.verifying()
    }

    /// The node's keys.
    pub fn keys(&self) -> &NodeKeys {
        &self.shared.keys
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Whether an earlier failure has blocked the log until the node is restarted.
    pub fn is_blocked(&self) -> bool {
        self.shared.state().is_blocked
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.shared.state().is_ending = true;
        self.shared.changed.notify_all();
        if let Some(clerk) = self.clerk.take() {
            // It signs the last entries. A panic in it was reported when it happened.
            let _ = clerk.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn checkpoint(&self) -> Result<Note, Error> {
        let mut disk = self.disk();
        let size = disk.tiles.size();
        if let Some((signed, note)) = &disk.signed
            && *signed == size
        {
            return Ok(note.clone());
        }
        let tiles = disk.tiles.write();
        tiles.map_err(|source| file_error(&self.dir.join("tile"), source))?;
        let checkpoint = Checkpoint {
            origin: self.keys.log.verifying().name().to_owned(),
            size,
            root: disk.tiles.root(),
        };
        let note = checkpoint.sign(&self.keys.log)?;
        replace(&self.dir, CHECKPOINT_FILE, note.to_string().as_bytes())?;
        disk.signed = Some((size, note.clone()));
        Ok(note)
    }

    /// Makes a checkpoint every 10 s if there is something new, and one at the end.
    fn keep_signing(&self) {
        loop {
            let state = self.state();
            let is_waiting = |state: &mut State| !state.is_ending;
            let waited = self
                .changed
                .wait_timeout_while(state, CHECKPOINT_INTERVAL, is_waiting);
            let is_ending = match waited {
                Ok((state, _)) => state.is_ending,
                Err(_) => true,
            };
            if let Err(error) = self.checkpoint() {
                let error = crate::fault::Chain(&error);
                tracing::error!(reason = "audit.checkpoint", %error, "no checkpoint could be made");
            }
            if is_ending {
                return;
            }
        }
    }
}

/// Replaces the file `name` in `dir` as a whole: after a crash it is the old one or the new one.
pub(crate) fn replace(dir: &Path, name: &str, content: &[u8]) -> Result<(), Error> {
    let path = dir.join(name);
    let draft = dir.join(format!("{name}.tmp"));
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|source| file_error(&path, source))
}

pub(crate) fn file_error(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}
