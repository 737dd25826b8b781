//! Copying a log, also while its node writes it.
//!
//! The copy is what a power cut at some moment would have left: the newest checkpoint at the
//! beginning of the copying, everything that it covers, and the whole entries that were there after
//! it. [`super::AuditLog::open`] makes the rest of the tree from them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use linkage_core::audit::checkpoint::Checkpoint;
use linkage_core::audit::note::Note;
use linkage_core::audit::tiles::{Content, Tile};

use super::prune::HOLD_FILE;
use super::segments::{self, Frame, Frames};
use super::{CHECKPOINT_FILE, Error, KEY_FILE, WITNESS_KEY_FILE, WITNESSED_FILE, file_error};

/// Copies the log in `from` into the folder `to`, which is made if need be. Without what the node
/// knows of other logs: that is a database.
///
/// # Errors
/// [`Error::File`] if a file cannot be read or written, or there is no checkpoint yet.
pub fn copy_dir(from: &Path, to: &Path) -> Result<(), Error> {
    let copy = Copy { from, to };
    copy.folder(to)?;
    copy.folder(&to.join(segments::FOLDER))?;
    // What covers less is read first: read the other way round, it could cover more.
    let witnessed = copy.read(WITNESSED_FILE)?;
    let newest = copy.read(CHECKPOINT_FILE)?;
    let newest = newest.ok_or_else(|| {
        let absent = io::Error::from(io::ErrorKind::NotFound);
        file_error(&from.join(CHECKPOINT_FILE), absent)
    })?;
    let size = covered(&from.join(CHECKPOINT_FILE), &newest)?;
    copy.journal()?;
    copy.tiles(size)?;
    for name in [KEY_FILE, WITNESS_KEY_FILE, HOLD_FILE] {
        if let Some(content) = copy.read(name)? {
            copy.write(name, &content)?;
        }
    }
    if let Some(witnessed) = witnessed {
        copy.write(WITNESSED_FILE, &witnessed)?;
    }
    copy.write(CHECKPOINT_FILE, &newest)
}

/// How many entries a checkpoint covers. Whether it is signed is for whoever verifies the copy.
fn covered(path: &Path, content: &[u8]) -> Result<u64, Error> {
    let damaged = || file_error(path, io::ErrorKind::InvalidData.into());
    let text = std::str::from_utf8(content).map_err(|_| damaged())?;
    let note = Note::parse(text).map_err(|_| damaged())?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|_| damaged())?;
    Ok(checkpoint.size)
}

struct Copy<'a> {
    from: &'a Path,
    to: &'a Path,
}

impl Copy<'_> {
    /// The whole entries of every file of the journal. Only the last can end within one.
    fn journal(&self) -> Result<(), Error> {
        let failed = |source| file_error(self.from, source);
        let journal = segments::list(self.from).map_err(failed)?;
        let last = journal.len().saturating_sub(1);
        for (at, segment) in journal.iter().enumerate() {
            let name = segment.path.file_name().unwrap_or_default();
            let target = self.to.join(segments::FOLDER).join(name);
            let copied = || {
                let file = File::open(&segment.path)?;
                let length = file.metadata()?.len();
                let mut copy = new_file(&target)?;
                io::copy(&mut file.take(length), &mut copy)?;
                if at == last {
                    copy.set_len(whole_bytes(&target)?)?;
                }
                copy.sync_all()
            };
            copied().map_err(|source| file_error(&segment.path, source))?;
        }
        Ok(())
    }

    /// The full files of the tree of `size` entries, which never change. Bundles of entries may
    /// have been pruned.
    fn tiles(&self, size: u64) -> Result<(), Error> {
        let contents = std::iter::once(Content::Entries).chain((0..64).map(Content::Hashes));
        for content in contents {
            let (full, _) = Tile::last_of(content, size);
            if full == 0 && content != Content::Entries {
                break;
            }
            for index in 0..full {
                let name = Tile::full(content, index).to_string();
                let target = self.to.join(&name);
                if let Some(folder) = target.parent() {
                    self.folder(folder)?;
                }
                match self.read(&name)? {
                    Some(bytes) => self.write(&name, &bytes)?,
                    None if content == Content::Entries => {}
                    None => {
                        let absent = io::ErrorKind::NotFound.into();
                        return Err(file_error(&self.from.join(name), absent));
                    }
                }
            }
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.from.join(name);
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error(&path, error)),
        }
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let path = self.to.join(name);
        let written = new_file(&path).and_then(|mut file| file.write_all(content));
        written.map_err(|source| file_error(&path, source))
    }

    fn folder(&self, path: &Path) -> Result<(), Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| file_error(path, source))
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn whole_bytes(path: &Path) -> io::Result<u64> {
    let mut frames = Frames::open(path)?;
    while let Frame::Entry(_) = frames.next_frame()? {}
    Ok(frames.good_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::AuditLog;
    use super::super::tests::{event, keys, log_of};
    use super::super::verify::verify_dir;
    use super::*;

    #[test]
    fn a_copy_is_whole_while_the_log_grows() {
        let dir = log_of(1);
        let log = AuditLog::open(dir.path(), keys()).unwrap();
        let is_done = AtomicBool::new(false);
        let copies = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // More than one file of the journal.
                for number in 1..segments::SEGMENT_ENTRIES + 300 {
                    log.append(event(number)).unwrap();
                    if number % 50 == 0 {
                        log.checkpoint().unwrap();
                    }
                }
                is_done.store(true, Ordering::Relaxed);
            });
            for number in 0.. {
                let to = copies.path().join(number.to_string());
                copy_dir(dir.path(), &to).unwrap();
                let summary = verify_dir(&to).unwrap();
                assert!(summary.entries >= summary.signed);
                let copy = AuditLog::open(&to, keys()).unwrap();
                assert_eq!(copy.end().0, summary.entries);
                drop(copy);
                assert_eq!(verify_dir(&to).unwrap().signed, summary.entries);
                fs::remove_dir_all(&to).unwrap();
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        log.checkpoint().unwrap();
        let to = copies.path().join("last");
        copy_dir(dir.path(), &to).unwrap();
        let (original, copied) = (verify_dir(dir.path()), verify_dir(&to));
        assert_eq!(copied.unwrap(), original.unwrap());
    }

    #[test]
    fn a_write_that_was_cut_short_is_left_out() {
        let dir = log_of(20);
        let journal = segments::list(dir.path()).unwrap().remove(0).path;
        let whole = fs::read(&journal).unwrap();
        fs::write(&journal, [whole.as_slice(), &[9; 20]].concat()).unwrap();
        let to = tempfile::tempdir().unwrap();
        copy_dir(dir.path(), to.path()).unwrap();
        let copied = segments::list(to.path()).unwrap().remove(0).path;
        assert_eq!(fs::read(copied).unwrap(), whole);
        assert!(
            copy_dir(dir.path(), to.path()).is_err(),
            "into what is there"
        );
        let empty = tempfile::tempdir().unwrap();
        assert!(copy_dir(empty.path(), &empty.path().join("copy")).is_err());
    }
}
