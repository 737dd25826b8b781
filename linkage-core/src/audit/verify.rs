//! Reading a log through.

use std::io::{self, BufRead, Read as _};

use super::checkpoint::{Checkpoint, CheckpointError};
use super::entry::{Entry, EntryError, EntryHash, EventTime, LINE_BYTES_MAX};

/// Exit code: the signature of the checkpoint does not hold, or entries lack one.
pub const EXIT_SIGNATURE: u8 = 10;
/// Exit code: an entry was changed, inserted, dropped or moved.
pub const EXIT_HASH: u8 = 11;
/// Exit code: entries are missing at the end, or the log is a fork of the signed one.
pub const EXIT_TRUNCATED: u8 = 12;
/// Exit code: the log cannot be read.
pub const EXIT_UNREADABLE: u8 = 20;

/// What a log that is in order holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Number of entries.
    pub entries: u64,
    /// How many of them the checkpoint covers; the rest is linked but not signed.
    pub signed: u64,
    /// Hash of the last entry.
    pub head: EntryHash,
    /// Time of the first entry; times are the node's own and need not increase.
    pub first_time: Option<EventTime>,
    /// Time of the last entry.
    pub last_time: Option<EventTime>,
}

/// What is wrong with a log: the first fault found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The entry is not the one its successor or the checkpoint was made over.
    #[error("entry {seq} was changed after it was written")]
    Changed {
        /// The entry.
        seq: u64,
    },
    /// An entry with another number stands in this place.
    #[error("entry {expected} is missing or out of order: entry {found} stands in its place")]
    OutOfOrder {
        /// The number that belongs here.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// The line is not an entry.
    #[error("entry {seq} is malformed")]
    Malformed {
        /// The entry.
        seq: u64,
        /// What is wrong with it.
        source: EntryError,
    },
    /// The entry was written by another node than the first entry, or than the checkpoint says.
    #[error("entry {seq} is of another node's log")]
    Foreign {
        /// The entry.
        seq: u64,
    },
    /// The last line has no newline: a write was cut short, or the file was.
    #[error("entry {seq} is incomplete")]
    Torn {
        /// The entry.
        seq: u64,
    },
    /// The log ends before the checkpoint does.
    #[error("the log was truncated: {found} entries are left of {signed} that were signed")]
    Truncated {
        /// Entries that the checkpoint covers.
        signed: u64,
        /// Complete entries found.
        found: u64,
    },
    /// Entries follow one that differs from the signed one: another history.
    #[error("the log forks from the signed one at or before entry {seq}")]
    Fork {
        /// The last entry that the checkpoint covers.
        seq: u64,
    },
    /// More entries lack a signature than one crash can leave.
    #[error("{entries} entries at the end are not signed")]
    Unsigned {
        /// How many.
        entries: u64,
    },
    /// The checkpoint cannot be trusted.
    #[error("the checkpoint was refused")]
    Checkpoint(#[from] CheckpointError),
    /// A file cannot be read.
    #[error("the log cannot be read")]
    Unreadable(#[from] io::Error),
}

impl Fault {
    /// The exit code that stands for this kind of fault.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unsigned { .. } | Self::Checkpoint(_) => EXIT_SIGNATURE,
            Self::Changed { .. }
            | Self::OutOfOrder { .. }
            | Self::Malformed { .. }
            | Self::Foreign { .. } => EXIT_HASH,
            Self::Torn { .. } | Self::Truncated { .. } | Self::Fork { .. } => EXIT_TRUNCATED,
            Self::Unreadable(_) => EXIT_UNREADABLE,
        }
    }
}

/// Reads a log line by line, one line in memory at a time, and checks that every entry is
/// well-formed, numbered in order, of one node, and bound to the one before; with a `checkpoint`
/// (whose signature [`Checkpoint::open`] has checked) also that the log is the one that was signed.
///
/// # Errors
/// The first [`Fault`].
pub fn verify(reader: impl BufRead, checkpoint: Option<&Checkpoint>) -> Result<Summary, Fault> {
    let mut reading = Reading {
        reader,
        checkpoint,
        origin: checkpoint.map(|checkpoint| checkpoint.origin.clone()),
        summary: Summary {
            entries: 0,
            signed: 0,
            head: EntryHash::GENESIS,
            first_time: None,
            last_time: None,
        },
        is_off_checkpoint: false,
    };
    reading.check_against_checkpoint();
    let mut line = Vec::new();
    while reading.read_line(&mut line)? {
        reading.accept(&line)?;
    }
    reading.finish()
}

struct Reading<'a, R> {
    reader: R,
    checkpoint: Option<&'a Checkpoint>,
    /// Of the checkpoint, or else of the first entry.
    origin: Option<String>,
    summary: Summary,
    /// The entry at the checkpoint was reached and its hash was another.
    is_off_checkpoint: bool,
}

impl<R: BufRead> Reading<'_, R> {
    /// Reads the next line, without its newline, into `line`; false at the end of the log.
    fn read_line(&mut self, line: &mut Vec<u8>) -> Result<bool, Fault> {
        line.clear();
        let seq = self.summary.entries;
        let limit = LINE_BYTES_MAX as u64 + 1;
        let length = self.reader.by_ref().take(limit).read_until(b'\n', line)?;
        if length == 0 {
            return Ok(false);
        }
        if line.pop_if(|last| *last == b'\n').is_some() {
            return Ok(true);
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(Fault::Malformed {
                seq,
                source: EntryError::TooLong(line.len()),
            });
        }
        match self.checkpoint {
            Some(&Checkpoint { size, .. }) if size > seq => Err(Fault::Truncated {
                signed: size,
                found: seq,
            }),
            _ => Err(Fault::Torn { seq }),
        }
    }

    /// Takes in the next entry.
    fn accept(&mut self, line: &[u8]) -> Result<(), Fault> {
        let seq = self.summary.entries;
        if self.is_off_checkpoint {
            return Err(Fault::Fork {
                seq: seq.saturating_sub(1),
            });
        }
        let entry = Entry::from_line(line).map_err(|source| Fault::Malformed { seq, source })?;
        if entry.seq != seq {
            return Err(Fault::OutOfOrder {
                expected: seq,
                found: entry.seq,
            });
        }
        if entry.prev != self.summary.head {
            return Err(Fault::Changed {
                seq: seq.saturating_sub(1),
            });
        }
        let origin = Checkpoint::origin_of(&entry.node);
        if *self.origin.get_or_insert_with(|| origin.clone()) != origin {
            return Err(Fault::Foreign { seq });
        }
        self.summary.head = self.summary.head.follow(line);
        self.summary.entries += 1;
        self.summary
            .first_time
            .get_or_insert_with(|| entry.event.time.clone());
        self.summary.last_time = Some(entry.event.time);
        self.check_against_checkpoint();
        Ok(())
    }

    /// Compares with the checkpoint when the log has as many entries as it covers.
    fn check_against_checkpoint(&mut self) {
        if let Some(checkpoint) = self.checkpoint
            && checkpoint.size == self.summary.entries
        {
            self.summary.signed = checkpoint.size;
            self.is_off_checkpoint = checkpoint.head != self.summary.head;
        }
    }

    fn finish(self) -> Result<Summary, Fault> {
        let found = self.summary.entries;
        match self.checkpoint {
            Some(&Checkpoint { size, .. }) if size > found => Err(Fault::Truncated {
                signed: size,
                found,
            }),
            // Nothing builds on the differing entry, so it may be alone.
            _ if self.is_off_checkpoint => Err(Fault::Changed {
                seq: found.saturating_sub(1),
            }),
            _ => Ok(self.summary),
        }
    }
}
