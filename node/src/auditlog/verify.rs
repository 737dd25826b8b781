//! Verifying logs: no network, no private key, any user who can read the files. A log may lie in a
//! node's folder, also while the node runs, in a copy of it, or in a bundle.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use linkage_core::audit::checkpoint::{Checkpoint, CheckpointError};
use linkage_core::audit::entry::{Entry, EventTime};
use linkage_core::audit::note::{Note, NoteError, VerifyingKey};
use linkage_core::audit::policy::{Policy, Witnessed};
use linkage_core::audit::tiles::{Content, TILE_WIDTH, Tile, tile_hashes};
use linkage_core::audit::tree::{Frontier, Hash};
use linkage_core::audit::verify::{Batch, Fault, Reading, compare};

use super::bundle;
use super::segments::{self, Frame, Frames};
use super::tiles::Tiles;
use super::{CHECKPOINT_FILE, KEY_FILE, LOCK_FILE, WITNESSED_FILE};

/// What a log is checked against.
#[derive(Debug, Default)]
pub struct Against {
    /// Logs and witnesses to believe. Without it the key beside the log is believed: that finds
    /// damage, and changes by whoever lacks the private key.
    pub policy: Option<Policy>,
    /// A checkpoint of the log that somebody kept.
    pub since: Option<Note>,
}

/// What a log that is in order holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The log.
    pub origin: String,
    /// Number of entries, pruned ones included.
    pub entries: u64,
    /// The first entry that is still there.
    pub first: u64,
    /// How many the checkpoint covers; the rest is not signed yet.
    pub signed: u64,
    /// Root over the signed entries.
    pub root: Hash,
    /// Time of the first entry that is there.
    pub first_time: Option<EventTime>,
    /// Time of the last.
    pub last_time: Option<EventTime>,
    /// Acts that have begun and not ended: of a running node only.
    pub open: u64,
    /// What the policy accepts, if one was given.
    pub witnessed: Option<Witnessed>,
}

/// A fault and the file it was found in.
#[derive(Debug)]
pub struct Found {
    /// The file, if it is in one.
    pub file: Option<PathBuf>,
    /// What is wrong.
    pub fault: Fault,
}

impl From<Fault> for Found {
    fn from(fault: Fault) -> Self {
        Self { file: None, fault }
    }
}

impl From<io::Error> for Found {
    fn from(error: io::Error) -> Self {
        Fault::from(error).into()
    }
}

/// The outcome for one log.
#[derive(Debug)]
pub struct Report {
    /// The folder or bundle.
    pub path: PathBuf,
    /// What it holds, or what is wrong with it.
    pub result: Result<Summary, Found>,
}

/// Verifies logs one by one, and when all are in order what they tell of each other. `progress`
/// hears of every file of a journal that has passed: its log, and the entries so far.
pub fn verify_all(
    paths: &[PathBuf],
    against: &Against,
    progress: &mut dyn FnMut(&Path, u64),
) -> Vec<Report> {
    let mut batches = vec![];
    let mut reports = vec![];
    for path in paths {
        let result = verify(path, against, &mut |entries| progress(path, entries));
        let result = result.map(|(summary, told)| {
            batches.push((summary.origin.clone(), told));
            summary
        });
        let path = path.clone();
        reports.push(Report { path, result });
    }
    if batches.len() == paths.len()
        && let Err(fault) = compare(&batches)
    {
        let sender = match &fault {
            Fault::Mismatch { sender, .. } => batches.iter().position(|(log, _)| log == sender),
            _ => None,
        };
        if let Some(report) = sender.and_then(|at| reports.get_mut(at)) {
            report.result = Err(fault.into());
        }
    }
    reports
}

/// The exit code of a verification: 0, or that of the first log with a fault.
pub fn exit_code(reports: &[Report]) -> u8 {
    let fault = reports
        .iter()
        .find_map(|report| report.result.as_ref().err());
    fault.map_or(0, |found| found.fault.exit_code())
}

/// Verifies the log in the folder `dir` with the key beside it.
///
/// # Errors
/// The first [`Fault`].
pub fn verify_dir(dir: &Path) -> Result<Summary, Fault> {
    let verified = verify(dir, &Against::default(), &mut |_| {});
    verified
        .map(|(summary, _)| summary)
        .map_err(|found| found.fault)
}

/// A log to be read.
pub(super) struct Source {
    /// The newest checkpoint.
    pub note: Note,
    /// The newest that a quorum has cosigned, if it is another.
    pub witnessed: Option<Note>,
    /// The entries before the first that is there.
    pub tree: Frontier,
    /// The files that hold the entries, each with its frames.
    pub files: Vec<(PathBuf, Frames<BufReader<File>>)>,
    /// Where tiles lie.
    pub tiles: Option<PathBuf>,
    /// The key beside the log, or why there is none.
    pub key: Result<VerifyingKey, CheckpointError>,
    /// A node may be writing.
    pub is_running: bool,
}

fn verify(
    path: &Path,
    against: &Against,
    progress: &mut dyn FnMut(u64),
) -> Result<(Summary, Vec<Batch>), Found> {
    let source = if path.is_dir() {
        open_dir(path)?
    } else {
        bundle::open(path)?
    };
    let origin = Checkpoint::parse(source.note.text())
        .map_err(Fault::from)?
        .origin;
    let key = match &against.policy {
        Some(policy) => policy.log(&origin).ok_or(CheckpointError::Origin),
        None => source.key.as_ref().map_err(|error| *error),
    };
    let key = key.map_err(Fault::Checkpoint)?;
    let newest = Checkpoint::open(&source.note, key).map_err(|error| in_file(path, error))?;
    let mut marks = Marks::new(&newest);
    for note in source.witnessed.iter().chain(&against.since) {
        marks.add(Checkpoint::open(note, key).map_err(Fault::from)?)?;
    }
    let notes = [source.witnessed.clone(), Some(source.note.clone())];
    let is_running = source.is_running;
    let mut pass = Pass::new(&origin, source, marks)?;
    pass.read(progress)?;
    let witnessed = accept(against.policy.as_ref(), &notes)?;
    pass.finish(is_running, witnessed)
}

/// The newest of the checkpoints that the policy accepts.
fn accept(policy: Option<&Policy>, notes: &[Option<Note>]) -> Result<Option<Witnessed>, Fault> {
    let Some(policy) = policy else {
        return Ok(None);
    };
    let mut fault = None;
    let mut newest: Option<Witnessed> = None;
    for note in notes.iter().flatten() {
        match policy.accept(note) {
            Ok(found) => {
                let size = newest.as_ref().map(|newest| newest.checkpoint.size);
                if size.is_none_or(|size| size < found.checkpoint.size) {
                    newest = Some(found);
                }
            }
            Err(unaccepted) => fault = Some(Fault::Quorum(unaccepted)),
        }
    }
    match (newest, fault) {
        (None, Some(fault)) => Err(fault),
        (newest, _) => Ok(newest),
    }
}

/// States of the log that somebody signed, by size.
struct Marks {
    newest: Checkpoint,
    others: Vec<Checkpoint>,
}

impl Marks {
    fn new(newest: &Checkpoint) -> Self {
        Self {
            newest: newest.clone(),
            others: vec![],
        }
    }

    fn add(&mut self, kept: Checkpoint) -> Result<(), Fault> {
        if kept.size > self.newest.size {
            return Err(Fault::Rewound {
                kept: kept.size,
                found: self.newest.size,
            });
        }
        self.others.push(kept);
        Ok(())
    }

    /// Compares the log at this size with what was signed about it.
    fn check(&self, size: u64, root: Hash) -> Result<(), Fault> {
        if self.newest.size == size && self.newest.root != root {
            return Err(Fault::Root { size });
        }
        let mut others = self.others.iter();
        if others.any(|other| other.size == size && other.root != root) {
            return Err(Fault::Fork { size });
        }
        Ok(())
    }

    fn has(&self, size: u64) -> bool {
        self.newest.size == size || self.others.iter().any(|other| other.size == size)
    }
}

/// One pass over a log.
struct Pass {
    reading: Reading,
    tiles: Tiles,
    /// Where the tiles to compare with lie.
    folder: Option<PathBuf>,
    files: Vec<(PathBuf, Frames<BufReader<File>>)>,
    marks: Marks,
    first: u64,
}

impl Pass {
    fn new(origin: &str, source: Source, marks: Marks) -> Result<Self, Fault> {
        let first = source.tree.size();
        let tiles = match &source.tiles {
            Some(folder) => Tiles::resume(folder, first)?,
            None => Tiles::detached(&source.tree),
        };
        // What was pruned is left as tiles, which must lead to the signed roots all the same.
        for size in marks.others.iter().map(|mark| mark.size) {
            if size < first {
                marks.check(size, tiles.root_at(size)?)?;
            }
        }
        marks.check(first, tiles.root())?;
        Ok(Self {
            reading: Reading::resume(origin, source.tree),
            tiles,
            folder: source.tiles,
            files: source.files,
            marks,
            first,
        })
    }

    fn read(&mut self, progress: &mut dyn FnMut(u64)) -> Result<(), Found> {
        let files = std::mem::take(&mut self.files);
        let last = files.len().saturating_sub(1);
        let paths: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
        for (at, (path, mut frames)) in files.into_iter().enumerate() {
            let rest = paths.get(at..).unwrap_or_default();
            self.read_file(&mut frames, at == last, rest)
                .map_err(|fault| in_file(&path, fault))?;
            progress(self.reading.size());
        }
        let (signed, found) = (self.marks.newest.size, self.reading.size());
        if found < signed {
            let file = paths.last().cloned();
            let fault = Fault::Truncated { signed, found };
            return Err(Found { file, fault });
        }
        Ok(())
    }

    fn read_file(
        &mut self,
        frames: &mut Frames<BufReader<File>>,
        is_last: bool,
        rest: &[PathBuf],
    ) -> Result<(), Fault> {
        loop {
            let index = self.reading.size();
            match frames.next_frame()? {
                Frame::Entry(bytes) => {
                    if let Err(fault) = self.reading.accept(bytes) {
                        return Err(moved(fault, rest));
                    }
                    self.tiles.push(bytes);
                    let size = index + 1;
                    if size.is_multiple_of(u64::from(TILE_WIDTH)) {
                        self.compare_tiles()?;
                    }
                    if self.marks.has(size) {
                        self.compare_partial(size)?;
                        self.marks.check(size, self.reading.root())?;
                    }
                }
                Frame::End => return Ok(()),
                // A node that runs, or was killed, may be within a write.
                Frame::Torn if is_last => return Ok(()),
                Frame::Bad if is_last && index >= self.marks.newest.size => return Ok(()),
                Frame::Torn | Frame::Bad => return Err(Fault::Changed { index }),
            }
        }
    }

    /// Compares the files that are full now with those on the disk. Behind the newest checkpoint
    /// there need not be any yet.
    fn compare_tiles(&mut self) -> Result<(), Fault> {
        let full: HashMap<Tile, Vec<u8>> = self.tiles.take_full();
        let mut full: Vec<_> = full.into_iter().collect();
        // Of the leaves first: they tell which entry it is.
        full.sort_by_key(|(tile, _)| match tile.content {
            Content::Hashes(level) => (level, tile.index),
            Content::Entries => (u8::MAX, tile.index),
        });
        let is_signed = self.reading.size() <= self.marks.newest.size;
        full.iter()
            .try_for_each(|(tile, bytes)| self.compare_tile(*tile, bytes, is_signed))
    }

    /// Compares the partial files of the newest checkpoint.
    fn compare_partial(&mut self, size: u64) -> Result<(), Fault> {
        if size != self.marks.newest.size {
            return Ok(());
        }
        for (tile, bytes) in self.tiles.partial() {
            // A node that runs may have written the next ones in their place.
            self.compare_tile(tile, &bytes, false)?;
        }
        Ok(())
    }

    fn compare_tile(&self, tile: Tile, bytes: &[u8], must_be: bool) -> Result<(), Fault> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let path = tile.to_string();
        let found = match fs::read(folder.join(&path)) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_be => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Fault::Tile { path });
            }
            Err(error) => return Err(error.into()),
        };
        if found == bytes {
            return Ok(());
        }
        let changed = match tile.content {
            Content::Hashes(0) => first_difference(tile, bytes, &found),
            _ => None,
        };
        Err(changed.map_or(Fault::Tile { path }, |index| Fault::Changed { index }))
    }

    fn finish(
        self,
        is_running: bool,
        witnessed: Option<Witnessed>,
    ) -> Result<(Summary, Vec<Batch>), Found> {
        let (first_time, last_time) = self.reading.times();
        let summary = Summary {
            origin: self.marks.newest.origin,
            entries: self.reading.size(),
            first: self.first,
            signed: self.marks.newest.size,
            root: self.marks.newest.root,
            first_time: first_time.cloned(),
            last_time: last_time.cloned(),
            open: self.reading.open(),
            witnessed,
        };
        Ok((summary, self.reading.finish(is_running)?))
    }
}

/// The first entry whose hash is another in the tile on the disk.
fn first_difference(tile: Tile, made: &[u8], found: &[u8]) -> Option<u64> {
    let made = tile_hashes(made, tile.width)?;
    let found = tile_hashes(found, tile.width)?;
    let place = made.iter().zip(&found).position(|(a, b)| a != b)?;
    Some(tile.index * u64::from(TILE_WIDTH) + place as u64)
}

/// Tells an entry that was moved from one that is missing, by looking for it in the rest of the
/// journal.
fn moved(fault: Fault, rest: &[PathBuf]) -> Fault {
    let Fault::Missing { index, found } = fault else {
        return fault;
    };
    let holds = |path: &PathBuf| -> io::Result<bool> {
        let mut frames = Frames::open(path)?;
        while let Frame::Entry(bytes) = frames.next_frame()? {
            if Entry::from_bytes(bytes).is_ok_and(|entry| entry.seq == index) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    if rest.iter().any(|path| holds(path).unwrap_or(false)) {
        Fault::Order { index, found }
    } else {
        Fault::Missing { index, found }
    }
}

fn open_dir(dir: &Path) -> Result<Source, Found> {
    let note = read_note(&dir.join(CHECKPOINT_FILE))?;
    let note = note.ok_or_else(|| in_file(&dir.join(CHECKPOINT_FILE), Fault::Unsigned))?;
    let witnessed = read_note(&dir.join(WITNESSED_FILE))?;
    let key = match fs::read_to_string(dir.join(KEY_FILE)) {
        Ok(text) => text
            .trim_end_matches('\n')
            .parse()
            .map_err(CheckpointError::Note),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(CheckpointError::Note(NoteError::Key))
        }
        Err(error) => return Err(error.into()),
    };
    // Looked at after the checkpoint, so that it covers nothing that is not there yet.
    let journal = segments::list(dir)?;
    let first = journal.first().map_or(0, |segment| segment.first);
    let mut files = vec![];
    let mut expected = first;
    for segment in journal {
        if !(segment.first - first).is_multiple_of(segments::SEGMENT_ENTRIES)
            || segment.first < expected
        {
            let (index, found) = (expected, segment.first);
            return Err(in_file(&segment.path, Fault::Missing { index, found }));
        }
        expected = segment.first + segments::SEGMENT_ENTRIES;
        let frames = Frames::open(&segment.path).map_err(|error| in_file(&segment.path, error))?;
        files.push((segment.path, frames));
    }
    let tree = Tiles::resume(dir, first)
        .map_err(|error| in_file(&dir.join("tile"), error))?
        .tree()
        .clone();
    Ok(Source {
        note,
        witnessed,
        tree,
        files,
        tiles: Some(dir.to_owned()),
        key,
        is_running: is_locked(&dir.join(LOCK_FILE)),
    })
}

fn read_note(path: &Path) -> Result<Option<Note>, Found> {
    let mut text = String::new();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(in_file(path, error)),
    };
    let limit = linkage_core::audit::note::NOTE_BYTES_MAX as u64 + 1;
    let refused = |_| in_file(path, CheckpointError::from(NoteError::Form));
    file.take(limit)
        .read_to_string(&mut text)
        .map_err(refused)?;
    let note = Note::parse(&text);
    Ok(Some(note.map_err(|error| {
        in_file(path, CheckpointError::from(error))
    })?))
}

/// Whether a process has the log open. A copy has no process.
fn is_locked(path: &Path) -> bool {
    File::open(path)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn in_file(path: &Path, fault: impl Into<Fault>) -> Found {
    Found {
        file: Some(path.to_owned()),
        fault: fault.into(),
    }
}
