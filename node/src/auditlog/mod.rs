//! The audit log on disk.
//!
//! | file | content |
//! |---|---|
//! | `audit.log` | one entry a line, only ever appended to |
//! | `audit.checkpoint` | signed note over the newest entry, replaced after every append |
//! | `audit.pub` | the key that checks the note |
//!
//! An append returns only when the entry is on the disk and covered by a checkpoint on the disk,
//! and fails otherwise: whoever logs before acting thereby does not act. A crash can leave
//! one entry that no checkpoint covers and, after it, part of a line; [`AuditLog::open`] signs the
//! one and cuts off the other. More than that is no crash, and the log is not opened.

mod recover;
#[cfg(test)]
mod tests;
pub mod verify;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::Timestamp;
use linkage_core::audit::action::Action;
use linkage_core::audit::chain::Chain;
use linkage_core::audit::checkpoint::{CheckpointError, VerifyingKey};
use linkage_core::audit::entry::{
    Actor, ActorKind, Entry, EntryError, EntryHash, Event, EventTime, Outcome,
};
use linkage_core::audit::verify::Fault;
use ring::signature::Ed25519KeyPair;
use uuid::Uuid;

/// The log itself.
const LOG_FILE: &str = "audit.log";
/// The newest checkpoint.
const CHECKPOINT_FILE: &str = "audit.checkpoint";
/// The key that checks it.
const KEY_FILE: &str = "audit.pub";

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
    Name(#[source] CheckpointError),
    /// What is on the disk is not what this node left there.
    #[error("the audit log in {} was tampered with or damaged", dir.display())]
    Damaged {
        /// The folder.
        dir: PathBuf,
        /// What is wrong.
        source: Fault,
    },
    /// The event is not well-formed. Nothing was written.
    #[error("the event cannot be logged")]
    Event(#[from] EntryError),
    /// An earlier write failed in a way that leaves the state of the disk unknown; the node must be
    /// restarted to find out.
    #[error("the audit log is blocked by an earlier failure")]
    Blocked,
}

/// The log of a running node. Shared between threads by reference.
pub struct AuditLog {
    dir: PathBuf,
    key: Ed25519KeyPair,
    verifying: VerifyingKey,
    state: Mutex<State>,
}

struct State {
    log: File,
    /// The folder, open for flushing renames.
    dir: File,
    /// Bytes of complete entries in the file.
    length: u64,
    chain: Chain,
    /// Entries that the checkpoint on the disk covers.
    signed: u64,
    is_blocked: bool,
}

impl AuditLog {
    /// Opens the log in `dir` and makes it if there is none. `now` dates the `audit.recovered`
    /// entry that is written if a crash left part of a line.
    ///
    /// Reads the end of the log only, which the newest signature binds to everything before it;
    /// [`verify::verify_dir`] reads all of it.
    ///
    /// # Errors
    /// [`Error`]; above all [`Error::Damaged`] if the end of the log is not what the checkpoint
    /// says.
    pub fn open(
        dir: &Path,
        key: Ed25519KeyPair,
        node: &str,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let verifying = VerifyingKey::of(&key, node).map_err(Error::Name)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|source| file_error(dir, source))?;
        let folder = File::open(dir).map_err(|source| file_error(dir, source))?;
        let log = open_locked(dir)?;
        claim(dir, &folder, &verifying)?;

        let found = recover::find_end(dir, &log, &verifying)?;
        let state = State {
            log,
            dir: folder,
            length: found.length,
            chain: found.chain,
            signed: found.signed.unwrap_or_default(),
            is_blocked: false,
        };
        let opened = Self {
            dir: dir.to_owned(),
            key,
            verifying,
            state: Mutex::new(state),
        };
        opened.settle(found.signed.is_none(), found.torn_bytes, now)?;
        Ok(opened)
    }

    /// Writes `event` and returns its number in the log. When this returns the entry and a
    /// checkpoint over it are on the disk.
    ///
    /// # Errors
    /// [`Error`], after which the act that was to be logged must not happen. If only the
    /// checkpoint failed, the entry is in the log all the same, and the next append signs it first.
    pub fn append(&self, event: Event) -> Result<u64, Error> {
        let mut state = self.state.lock().map_err(|_| Error::Blocked)?;
        if state.is_blocked {
            return Err(Error::Blocked);
        }
        // At most one entry may lack a signature, or a restart could not tell a crash from
        // tampering.
        if state.signed < state.chain.size() {
            self.sign(&mut state)?;
        }
        let (line, next) = state.chain.next(event)?;
        state
            .write(&line)
            .map_err(|source| file_error(&self.dir.join(LOG_FILE), source))?;
        let seq = state.chain.size();
        state.chain = next;
        self.sign(&mut state)?;
        Ok(seq)
    }

    /// Whether the log has an entry of this action about this object.
    ///
    /// # Errors
    /// [`Error::File`] if the log cannot be read; [`Error::Event`] if it holds what is no entry.
    pub fn has(&self, action: Action, object: &str) -> Result<bool, Error> {
        let path = self.dir.join(LOG_FILE);
        let log = fs::read(&path).map_err(|source| file_error(&path, source))?;
        let lines = log.split(|byte| *byte == b'\n');
        for line in lines.filter(|line| !line.is_empty()) {
            let event = Entry::from_line(line)?.event;
            if event.action == action && event.object == object {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Number of entries and the hash of the last: what a peer may keep to check this log against.
    ///
    /// # Errors
    /// [`Error::Blocked`] if a writer panicked.
    pub fn end(&self) -> Result<(u64, EntryHash), Error> {
        let state = self.state.lock().map_err(|_| Error::Blocked)?;
        Ok((state.chain.size(), state.chain.head()))
    }

    /// The key that checks this log.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// Brings the files into the state that a finished append leaves.
    fn settle(&self, is_new: bool, torn_bytes: u64, now: Timestamp) -> Result<(), Error> {
        let mut state = self.state.lock().map_err(|_| Error::Blocked)?;
        if torn_bytes > 0 {
            let cut = state
                .log
                .set_len(state.length)
                .and_then(|()| state.log.sync_all());
            cut.map_err(|source| file_error(&self.dir.join(LOG_FILE), source))?;
        }
        if is_new || state.signed < state.chain.size() {
            self.sign(&mut state)?;
        }
        drop(state);
        if torn_bytes > 0 {
            self.append(recovered(self.verifying.name(), torn_bytes, now))?;
        }
        Ok(())
    }

    /// Puts a checkpoint over the whole log on the disk.
    fn sign(&self, state: &mut State) -> Result<(), Error> {
        let note = state.chain.checkpoint().sign(&self.key, &self.verifying);
        replace(&self.dir, &state.dir, CHECKPOINT_FILE, note.as_bytes())?;
        state.signed = state.chain.size();
        Ok(())
    }
}

impl State {
    /// Appends `line` and waits until the disk has it.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if let Err(error) = self.log.write_all_at(line, self.length) {
            // A full disk leaves part of the line; without it the log can go on when there is
            // space.
            self.is_blocked = self.log.set_len(self.length).is_err();
            return Err(error);
        }
        if let Err(error) = self.log.sync_data() {
            // After a failed flush the kernel may have dropped the pages, and a second flush would
            // report success (Rebello et al., "Can Applications Recover from fsync Failures?",
            // 2020).
            self.is_blocked = true;
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(())
    }
}

/// Opens the log for this process alone, readable by this user alone.
fn open_locked(dir: &Path) -> Result<File, Error> {
    let path = dir.join(LOG_FILE);
    let log = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| file_error(&path, source))?;
    match log.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::InUse {
                dir: dir.to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(file_error(&path, source)),
    }
    log.set_permissions(fs::Permissions::from_mode(0o600))
        .map_err(|source| file_error(&path, source))?;
    Ok(log)
}

/// Checks that the folder belongs to this key, or marks a new one as belonging to it.
fn claim(dir: &Path, folder: &File, verifying: &VerifyingKey) -> Result<(), Error> {
    let path = dir.join(KEY_FILE);
    match fs::read(&path) {
        Ok(text) if text == format!("{verifying}\n").into_bytes() => Ok(()),
        Ok(_) => Err(Error::OtherKey { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            replace(dir, folder, KEY_FILE, format!("{verifying}\n").as_bytes())
        }
        Err(source) => Err(file_error(&path, source)),
    }
}

/// Replaces the file `name` in `dir` as a whole: after a crash it is the old one or the new one.
fn replace(dir: &Path, folder: &File, name: &str, content: &[u8]) -> Result<(), Error> {
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
        folder.sync_all()
    };
    write().map_err(|source| file_error(&path, source))
}

fn recovered(node: &str, torn_bytes: u64, now: Timestamp) -> Event {
    // The subsecond part of a moment in a log is never negative: nodes run after 1970.
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    let moment = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds);
    Event {
        time: EventTime::from(now),
        op: Uuid::new_v7(moment).to_string(),
        actor: Actor {
            kind: ActorKind::Node,
            id: node.to_owned(),
            role: "self".to_owned(),
            cert_sha256: None,
        },
        action: Action::AuditRecovered,
        object: LOG_FILE.to_owned(),
        project: None,
        result: Outcome::Ok,
        reason: None,
        counts: [("bytes_cut".to_owned(), torn_bytes)].into(),
        digests: [].into(),
    }
}

fn file_error(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}
