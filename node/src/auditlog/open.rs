//! Opening a log that a node left, possibly by a crash.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use linkage_core::audit::action::Action;
use linkage_core::audit::checkpoint::{Checkpoint, NodeKeys};
use linkage_core::audit::entry::{Actor, ActorKind, Count, Entry, Event, Outcome, Phase};
use linkage_core::audit::note::{Note, VerifyingKey};
use linkage_core::audit::verify::Fault;
use uuid::Uuid;

use super::commit::{Disk, new_segment};
use super::segments::{self, Frame, Frames, Segment};
use super::tiles::Tiles;
use super::{CHECKPOINT_FILE, Error, KEY_FILE, LOCK_FILE, WITNESS_KEY_FILE, file_error, replace};

/// A log that is ready to be written.
pub(super) struct Opened {
    pub disk: Disk,
    pub lock: File,
    /// What must be logged before anything else.
    pub to_log: Vec<Event>,
}

pub(super) fn open(dir: &Path, keys: &NodeKeys) -> Result<Opened, Error> {
    let io = |source| file_error(dir, source);
    for folder in [dir, &dir.join(segments::FOLDER)] {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| file_error(folder, source))?;
    }
    let lock = lock(dir)?;
    claim(dir, KEY_FILE, keys.log.verifying())?;
    claim(dir, WITNESS_KEY_FILE, keys.witness.verifying())?;

    let key = keys.log.verifying();
    let signed = read_checkpoint(dir, key)?;
    let damaged = |source| Error::Damaged {
        dir: dir.to_owned(),
        source: Box::new(source),
    };
    let mut journal = segments::list(dir).map_err(io)?;
    if journal.is_empty() {
        if let Some((checkpoint, _)) = signed.as_ref().filter(|(c, _)| c.size > 0) {
            let signed = checkpoint.size;
            return Err(damaged(Fault::Truncated { signed, found: 0 }));
        }
        journal.push(Segment::of(dir, 0));
        new_segment(&Segment::of(dir, 0)).map_err(io)?;
    }
    let start = first_to_read(&journal).map_err(io)?;
    let mut read = Read::default();
    let resumed = read
        .read(dir, &journal, start)
        .and_then(|tiles| check(&tiles, signed.as_ref()).map(|()| tiles));
    let mut tiles = match resumed {
        // Tiles before the last files of the journal may be damaged; entries that are not, make
        // them again.
        Err(_) if start > 0 && journal.first().is_some_and(|first| first.first == 0) => {
            read = Read::default();
            let tiles = read.read(dir, &journal, 0).map_err(damaged)?;
            check(&tiles, signed.as_ref()).map_err(damaged)?;
            tiles
        }
        resumed => resumed.map_err(damaged)?,
    };
    tiles.restore().map_err(io)?;
    let segment = cut(journal.last(), &read).map_err(io)?;
    let mut to_log = vec![];
    if read.torn > 0 {
        to_log.push(recovered(key.name(), read.torn));
    }
    to_log.extend(read.lost_intents());
    Ok(Opened {
        disk: Disk {
            dir: dir.to_owned(),
            segment,
            length: read.length,
            tiles,
            signed: signed.map(|(checkpoint, note)| (checkpoint.size, note)),
        },
        lock,
        to_log,
    })
}

/// What the journal's last files hold.
#[derive(Default)]
struct Read {
    /// Bytes of whole frames in the last file, and after them.
    length: u64,
    torn: u64,
    /// Intents without outcome.
    open: BTreeMap<u64, Event>,
}

impl Read {
    /// Reads the journal from its file number `start` on.
    fn read(&mut self, dir: &Path, journal: &[Segment], start: usize) -> Result<Tiles, Fault> {
        let from = journal.get(start).map_or(0, |segment| segment.first);
        let mut tiles = Tiles::resume(dir, from)?;
        for (at, segment) in journal.iter().enumerate().skip(start) {
            let index = tiles.size();
            if segment.first != index {
                let found = segment.first;
                return Err(Fault::Missing { index, found });
            }
            let is_last = at + 1 == journal.len();
            self.read_file(segment, &mut tiles, is_last)?;
        }
        Ok(tiles)
    }

    fn read_file(
        &mut self,
        segment: &Segment,
        tiles: &mut Tiles,
        is_last: bool,
    ) -> Result<(), Fault> {
        let mut frames = Frames::open(&segment.path)?;
        loop {
            let index = tiles.size();
            match frames.next_frame()? {
                Frame::Entry(bytes) => {
                    let entry = Entry::from_bytes(bytes)
                        .map_err(|source| Fault::Malformed { index, source })?;
                    if entry.seq != index {
                        let found = entry.seq;
                        return Err(Fault::Missing { index, found });
                    }
                    tiles.push(bytes);
                    self.follow(entry);
                }
                Frame::End => break,
                // Only the last write can have been cut short; what it held after a crash of the
                // machine can be anything.
                Frame::Torn | Frame::Bad if is_last => break,
                Frame::Torn | Frame::Bad => return Err(Fault::Changed { index }),
            }
        }
        self.length = frames.good_bytes();
        self.torn = fs::metadata(&segment.path)?.len() - self.length;
        Ok(())
    }

    fn follow(&mut self, entry: Entry) {
        match (entry.event.phase, entry.event.intent) {
            (Phase::Intent, _) => {
                self.open.insert(entry.seq, entry.event);
            }
            (Phase::Outcome, Some(intent)) => {
                self.open.remove(&intent);
            }
            _ => {}
        }
    }

    fn lost_intents(&self) -> impl Iterator<Item = Event> {
        self.open.iter().map(|(intent, event)| Event {
            phase: Phase::Outcome,
            intent: Some(*intent),
            result: Some(Outcome::Unknown),
            reason: Some("node.stopped".to_owned()),
            ..event.clone()
        })
    }
}

/// The file of the journal from which on it must be read: the last one, and those before it that
/// the same process has written, for its intents.
fn first_to_read(journal: &[Segment]) -> io::Result<usize> {
    let mut start = journal.len().saturating_sub(1);
    let mut boot = None;
    while let Some(segment) = journal.get(start) {
        let first = match Frames::open(&segment.path)?.next_frame()? {
            Frame::Entry(bytes) => Entry::from_bytes(bytes).ok().map(|entry| entry.boot),
            _ => None,
        };
        // An empty or torn file says nothing about who wrote the one before.
        let is_same = boot.is_none() || boot == first;
        boot = boot.or(first);
        if start == 0 || !is_same {
            break;
        }
        start -= 1;
    }
    Ok(start)
}

/// Compares with the newest checkpoint.
fn check(tiles: &Tiles, signed: Option<&(Checkpoint, Note)>) -> Result<(), Fault> {
    let Some((checkpoint, _)) = signed else {
        return match tiles.size() {
            0 => Ok(()),
            // The first checkpoint is on the disk before the first entry.
            _ => Err(Fault::Unsigned),
        };
    };
    let (signed, found) = (checkpoint.size, tiles.size());
    if found < signed {
        return Err(Fault::Truncated { signed, found });
    }
    if tiles.root_at(signed)? == checkpoint.root {
        Ok(())
    } else {
        Err(Fault::Root { size: signed })
    }
}

/// Opens the last file of the journal and cuts off what is no whole frame.
fn cut(last: Option<&Segment>, read: &Read) -> io::Result<File> {
    let last = last.ok_or(io::ErrorKind::NotFound)?;
    let file = new_segment(last)?;
    if read.torn > 0 {
        file.set_len(read.length)?;
        file.sync_all()?;
    }
    Ok(file)
}

/// Takes the log for this process alone.
fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join(LOCK_FILE);
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| file_error(&path, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::InUse {
            dir: dir.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(file_error(&path, source)),
    }
}

/// Checks that the folder belongs to this key, or marks a new one as belonging to it.
fn claim(dir: &Path, name: &str, key: &VerifyingKey) -> Result<(), Error> {
    let path = dir.join(name);
    let line = format!("{key}\n");
    match fs::read(&path) {
        Ok(text) if text == line.as_bytes() => Ok(()),
        Ok(_) => Err(Error::OtherKey { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            replace(dir, name, line.as_bytes())
        }
        Err(source) => Err(file_error(&path, source)),
    }
}

fn read_checkpoint(dir: &Path, key: &VerifyingKey) -> Result<Option<(Checkpoint, Note)>, Error> {
    let path = dir.join(CHECKPOINT_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(file_error(&path, source)),
    };
    let note = Note::parse(&text).map_err(Into::into);
    let opened = note.and_then(|note| Ok((Checkpoint::open(&note, key)?, note)));
    opened.map(Some).map_err(|error| Error::Damaged {
        dir: dir.to_owned(),
        source: Box::new(Fault::Checkpoint(error)),
    })
}

fn recovered(node: &str, torn: u64) -> Event {
    Event {
        op: Uuid::now_v7().to_string(),
        phase: Phase::Event,
        intent: None,
        actor: Actor {
            kind: ActorKind::Node,
            id: node.to_owned(),
            role: "self".to_owned(),
            cert_sha256: None,
        },
        action: Action::AuditRecovered,
        object: segments::FOLDER.to_owned(),
        project: None,
        result: Some(Outcome::Ok),
        reason: None,
        counts: [("bytes_cut".to_owned(), Count::Exact(torn))].into(),
        digests: [].into(),
        detail_commit: None,
    }
}
