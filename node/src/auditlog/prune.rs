//! Retention: entries that are old enough and exported can be deleted; the tree never.
//!
//! Whole files of the journal go, and the entry bundles of the same entries. Tiles of hashes stay
//! for ever, 32 bytes an entry: every root, every proof of consistency and every receipt that was
//! handed out stays good.

use std::fs;
use std::io;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use linkage_core::audit::entry::Entry;
use linkage_core::audit::tiles::{Content, TILE_WIDTH, Tile};

use super::export::Cursor;
use super::segments::{self, Frame, Frames, Segment};

/// Least number of days that an entry is kept.
///
/// 180: logs of network operation are kept for six months by law (Cybersecurity Law of the People's
/// Republic of China, article 21 (3)).
pub const KEEP_DAYS_MIN: u32 = 180;

/// Days that an entry is kept unless said otherwise: three years, the usual limitation of claims.
pub const KEEP_DAYS_DEFAULT: u32 = 3 * 365 + 1;

/// While a file of this name is in the log's folder nothing is deleted: a legal hold.
pub const HOLD_FILE: &str = "hold";

/// Why nothing can be pruned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Fewer days than the law allows.
    #[error("entries are kept for {KEEP_DAYS_MIN} days at least, not {0}")]
    KeepDays(u32),
    /// A legal hold.
    #[error("the log is under a legal hold: the file {HOLD_FILE} is in its folder")]
    Hold,
    /// A file.
    #[error("the log or the cursor of its export cannot be used")]
    Io(#[from] io::Error),
}

/// The files of the journal that can go: those whose entries were all exported and are all older
/// than `keep_days`, never the last. With them the number of the first entry that stays.
///
/// # Errors
/// [`Error`]; above all when the cursor does not fit the log.
pub fn plan(
    dir: &Path,
    exported: &Path,
    keep_days: u32,
    now: Timestamp,
) -> Result<(Vec<Segment>, u64), Error> {
    if keep_days < KEEP_DAYS_MIN {
        return Err(Error::KeepDays(keep_days));
    }
    if dir.join(HOLD_FILE).exists() {
        return Err(Error::Hold);
    }
    let cursor = Cursor::read(exported)?;
    cursor.tree(dir)?;
    let age = SignedDuration::from_hours(24 * i64::from(keep_days));
    let oldest = now.checked_sub(age).map_err(io::Error::other)?;
    let oldest = linkage_core::audit::entry::EventTime::from(oldest);
    let mut files = segments::list(dir)?;
    // The last file is being written.
    files.pop();
    let mut minimum = files.first().map_or(0, |segment| segment.first);
    let mut pruned = vec![];
    for segment in files {
        let end = segment.first + segments::SEGMENT_ENTRIES;
        if end > cursor.next || newest(&segment)?.is_none_or(|entry| entry.time >= oldest) {
            break;
        }
        minimum = end;
        pruned.push(segment);
    }
    Ok((pruned, minimum))
}

/// Deletes these files of the journal and the bundles of their entries.
///
/// # Errors
/// When a file cannot be deleted; the rest stays.
pub fn delete(dir: &Path, segments: &[Segment]) -> io::Result<()> {
    let width = u64::from(TILE_WIDTH);
    for segment in segments {
        fs::remove_file(&segment.path)?;
        let first = segment.first / width;
        for index in first..first + segments::SEGMENT_ENTRIES / width {
            let bundle = dir.join(Tile::full(Content::Entries, index).to_string());
            match fs::remove_file(bundle) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The newest entry of a file by its clock: entries are in order but for steps of the clock.
fn newest(segment: &Segment) -> io::Result<Option<Entry>> {
    let mut frames = Frames::open(&segment.path)?;
    let mut newest: Option<Entry> = None;
    while let Frame::Entry(bytes) = frames.next_frame()? {
        let entry = Entry::from_bytes(bytes).map_err(io::Error::other)?;
        if newest
            .as_ref()
            .is_none_or(|newest| newest.time < entry.time)
        {
            newest = Some(entry);
        }
    }
    Ok(newest)
}
