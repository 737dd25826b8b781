//! Finding the end of a log that a node left, possibly by a crash.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use linkage_core::audit::chain::Chain;
use linkage_core::audit::checkpoint::{Checkpoint, CheckpointError, VerifyingKey};
use linkage_core::audit::entry::{Entry, EntryError, EntryHash, LINE_BYTES_MAX};
use linkage_core::audit::verify::Fault;

use super::{CHECKPOINT_FILE, Error, LOG_FILE, file_error};

/// Enough of the end of the file for part of a line after a whole line and the newline before it.
const TAIL_BYTES_MAX: u64 = 2 * (LINE_BYTES_MAX as u64 + 1) + 1;

/// Where a log ends.
pub(super) struct End {
    /// Bytes of complete entries.
    pub length: u64,
    /// Bytes of the incomplete line after them.
    pub torn_bytes: u64,
    /// The chain up to the last complete entry.
    pub chain: Chain,
    /// Entries that the checkpoint covers; `None` if there is no checkpoint yet.
    pub signed: Option<u64>,
}

/// Reads the end of `log` and checks it against the checkpoint in `dir`.
pub(super) fn find_end(dir: &Path, log: &File, key: &VerifyingKey) -> Result<End, Error> {
    let checkpoint = read_checkpoint(dir, key)?;
    let path = dir.join(LOG_FILE);
    let size = log
        .metadata()
        .map_err(|source| file_error(&path, source))?
        .len();
    let mut tail = vec![0; usize::try_from(size.min(TAIL_BYTES_MAX)).unwrap_or_default()];
    let tail_start = size - tail.len() as u64;
    log.read_exact_at(&mut tail, tail_start)
        .map_err(|source| file_error(&path, source))?;

    let fault = |source| Error::Damaged {
        dir: dir.to_owned(),
        source,
    };
    let (complete, torn) = split_tail(&tail, tail_start == 0).map_err(fault)?;
    let torn_bytes = torn.len() as u64;
    let end = |chain, signed| End {
        length: size - torn_bytes,
        torn_bytes,
        chain,
        signed,
    };
    let Some(line) = complete else {
        return match checkpoint {
            Some(Checkpoint { size, .. }) if size > 0 => Err(fault(Fault::Truncated {
                signed: size,
                found: 0,
            })),
            // The first checkpoint is on the disk before the first byte of the log.
            None if torn_bytes > 0 => Err(fault(Fault::Unsigned { entries: 1 })),
            signed => Ok(end(
                Chain::new(key.name()),
                signed.map(|checkpoint| checkpoint.size),
            )),
        };
    };
    let seq = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
    let entry = Entry::from_line(line).map_err(|source| fault(Fault::Malformed { seq, source }))?;
    if entry.node != key.name() {
        return Err(fault(Fault::Foreign { seq: entry.seq }));
    }
    let head = entry.prev.follow(line);
    let signed = check_last(&entry, head, checkpoint.as_ref()).map_err(fault)?;
    Ok(end(
        Chain::resume(key.name(), entry.seq.saturating_add(1), head),
        Some(signed),
    ))
}

/// Splits the end of a file into its last complete line and what follows it.
fn split_tail(tail: &[u8], is_whole_file: bool) -> Result<(Option<&[u8]>, &[u8]), Fault> {
    let too_long = |bytes: &[u8]| Fault::Malformed {
        seq: 0,
        source: EntryError::TooLong(bytes.len()),
    };
    let mut parts = tail.rsplitn(3, |byte| *byte == b'\n');
    let torn = parts.next().unwrap_or_default();
    if torn.len() > LINE_BYTES_MAX {
        return Err(too_long(torn));
    }
    match (parts.next(), parts.next()) {
        (Some(line), before) if before.is_some() || is_whole_file => Ok((Some(line), torn)),
        (None, _) if is_whole_file => Ok((None, torn)),
        _ => Err(too_long(tail)),
    }
}

/// Checks the last complete entry against the checkpoint: it is the one that is signed, or the one
/// after it. Returns the number of signed entries.
fn check_last(
    last: &Entry,
    head: EntryHash,
    checkpoint: Option<&Checkpoint>,
) -> Result<u64, Fault> {
    let entries = last.seq.saturating_add(1);
    let Some(checkpoint) = checkpoint else {
        return Err(Fault::Unsigned { entries });
    };
    let signed = checkpoint.size;
    match entries.checked_sub(signed) {
        None => Err(Fault::Truncated {
            signed,
            found: entries,
        }),
        Some(0) if head == checkpoint.head => Ok(signed),
        Some(0) => Err(Fault::Changed { seq: last.seq }),
        Some(1) if last.prev == checkpoint.head => Ok(signed),
        Some(1) => Err(Fault::Fork {
            seq: last.seq.saturating_sub(1),
        }),
        Some(entries) => Err(Fault::Unsigned { entries }),
    }
}

/// The checkpoint in `dir`, its signature checked; `None` if there is none.
fn read_checkpoint(dir: &Path, key: &VerifyingKey) -> Result<Option<Checkpoint>, Error> {
    let path = dir.join(CHECKPOINT_FILE);
    let note = match fs::read(&path) {
        Ok(note) => note,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(file_error(&path, source)),
    };
    open_note(&note, key)
        .map(Some)
        .map_err(|error| Error::Damaged {
            dir: dir.to_owned(),
            source: error.into(),
        })
}

/// Checks the bytes of a checkpoint file.
pub(super) fn open_note(note: &[u8], key: &VerifyingKey) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::open(
        std::str::from_utf8(note).map_err(|_| CheckpointError::Form)?,
        key,
    )
}
