//! Appending: entries that wait at the same time are written with one flush.
//!
//! Whoever finds nobody writing writes for all who wait by then; the others sleep until their
//! group is done. There is no delay to collect a group: while one flush takes its milliseconds, the
//! next group gathers by itself.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use linkage_core::audit::entry::{Entry, EntryError, Event, VERSION};
use linkage_core::audit::note::Note;

use super::segments::{SEGMENT_ENTRIES, Segment, push_frame};
use super::tiles::Tiles;
use super::{Error, Shared};

/// What the writers share.
pub(super) struct State {
    /// Number of the next entry.
    next: u64,
    /// Entries that nobody writes yet.
    waiting: Group,
    is_writing: bool,
    /// A write failed so that nobody knows what is on the disk.
    pub is_blocked: bool,
    /// The log is being closed.
    pub is_ending: bool,
}

/// Entries that are written together.
#[derive(Default)]
struct Group {
    entries: Vec<Vec<u8>>,
    outcome: Arc<OnceLock<Result<(), Failure>>>,
}

#[derive(Clone)]
enum Failure {
    Write(Arc<io::Error>),
    Blocked,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Write(source) => Self::Write(source),
            Failure::Blocked => Self::Blocked,
        }
    }
}

/// The files, used by one writer at a time.
pub(super) struct Disk {
    /// The log's folder.
    pub dir: PathBuf,
    /// The last file of the journal.
    pub segment: File,
    /// Bytes of whole frames in it.
    pub length: u64,
    /// The tree over everything that is safe on the disk.
    pub tiles: Tiles,
    /// Size and note of the newest checkpoint.
    pub signed: Option<(u64, Note)>,
}

impl State {
    pub fn new(size: u64) -> Self {
        Self {
            next: size,
            waiting: Group::default(),
            is_writing: false,
            is_blocked: false,
            is_ending: false,
        }
    }
}

impl Shared {
    pub(super) fn append(&self, event: Event) -> Result<u64, Error> {
        let mut state = self.state();
        // A group does not reach over the end of a file.
        while state.next.is_multiple_of(SEGMENT_ENTRIES) && !state.waiting.entries.is_empty() {
            state = self.step(state);
        }
        if state.is_blocked {
            return Err(Error::Blocked);
        }
        let index = state.next;
        let entry = self.entry(index, event)?;
        state.waiting.entries.push(entry);
        state.next += 1;
        let outcome = Arc::clone(&state.waiting.outcome);
        loop {
            if let Some(outcome) = outcome.get() {
                outcome.clone()?;
                return Ok(index);
            }
            state = self.step(state);
        }
    }

    /// Makes the bytes of the entry. Called under the lock, so that numbers and both clocks are in
    /// the same order.
    fn entry(&self, index: u64, event: Event) -> Result<Vec<u8>, EntryError> {
        let mono_ns = self.started.elapsed().as_nanos();
        Entry {
            v: VERSION,
            seq: index,
            time: Timestamp::now().into(),
            node: self.keys.log.verifying().name().to_owned(),
            boot: self.boot.clone(),
            mono_ns: u64::try_from(mono_ns).unwrap_or(u64::MAX),
            event,
        }
        .to_bytes()
    }

    /// Writes what waits, or waits while somebody else writes.
    fn step<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.is_writing {
            let waited = self.changed.wait(state);
            return waited.unwrap_or_else(PoisonError::into_inner);
        }
        let group = std::mem::take(&mut state.waiting);
        if group.entries.is_empty() {
            return state;
        }
        state.is_writing = true;
        let is_blocked = state.is_blocked;
        drop(state);
        let mut disk = self.disk();
        let result = if is_blocked {
            Err((Failure::Blocked, true))
        } else {
            disk.commit(&group.entries)
        };
        let size = disk.tiles.size();
        drop(disk);
        state = self.state();
        state.is_writing = false;
        if let Err((failure, is_blocked)) = &result {
            // The entries that came meanwhile have numbers after ones that are not there.
            let behind = std::mem::take(&mut state.waiting);
            let _ = behind.outcome.set(Err(failure.clone()));
            state.next = size;
            state.is_blocked |= is_blocked;
        }
        let _ = group.outcome.set(result.map_err(|(failure, _)| failure));
        self.changed.notify_all();
        state
    }
}

impl Disk {
    /// Appends the entries and waits until the disk has them. On failure also tells whether the
    /// state of the disk is unknown.
    fn commit(&mut self, entries: &[Vec<u8>]) -> Result<(), (Failure, bool)> {
        let known = |error| (Failure::Write(Arc::new(error)), false);
        let size = self.tiles.size();
        if size > 0 && self.length > 0 && size.is_multiple_of(SEGMENT_ENTRIES) {
            self.begin_segment(size).map_err(known)?;
        }
        let mut frames = Vec::with_capacity(entries.iter().map(|entry| entry.len() + 8).sum());
        for entry in entries {
            push_frame(&mut frames, entry);
        }
        if let Err(error) = self.segment.write_all_at(&frames, self.length) {
            // A full disk leaves part of a frame; without it the log can go on when there is space.
            let is_unknown = self.segment.set_len(self.length).is_err();
            return Err((Failure::Write(Arc::new(error)), is_unknown));
        }
        if let Err(error) = self.segment.sync_data() {
            // After a failed flush the kernel may have dropped the pages, and a second flush would
            // report success (Rebello et al., "Can Applications Recover from fsync Failures?",
            // 2020).
            return Err((Failure::Write(Arc::new(error)), true));
        }
        self.length += frames.len() as u64;
        for entry in entries {
            self.tiles.push(entry);
        }
        Ok(())
    }

    fn begin_segment(&mut self, first: u64) -> io::Result<()> {
        self.segment = new_segment(&Segment::of(&self.dir, first))?;
        self.length = 0;
        Ok(())
    }
}

/// Makes a file of the journal, and its name safe; takes an empty one that is there.
pub(super) fn new_segment(segment: &Segment) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&segment.path)?;
    if let Some(folder) = segment.path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}
