//! Reading a log through: what each entry says, and whether it fits the ones before it.
//!
//! [`Reading`] takes the entries of one log in order and builds the tree, so that its root can be
//! compared with checkpoints on the way. [`compare`] looks at several logs that were read.

use std::collections::BTreeMap;

use super::action::Action;
use super::checkpoint::CheckpointError;
use super::entry::{Count, Entry, EntryError, EventTime, Outcome, Phase};
use super::policy::{PolicyError, Unaccepted};
use super::tree::{Frontier, Hash};

/// How far the time of an entry may lie before that of an earlier one, in seconds: a clock that is
/// set by NTP moves in small steps, and peers warn of differences above this.
pub const TOLERANCE_SECONDS: i64 = 5;

/// Number of records in an uploaded batch, as a count.
const ROWS: &str = "rows";

/// Digest of an uploaded batch.
const BATCH: &str = "batch";

/// What is wrong with a log: the first fault found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The checkpoint cannot be trusted.
    #[error("the checkpoint was refused")]
    Checkpoint(#[from] CheckpointError),
    /// There are entries and no checkpoint.
    #[error("no checkpoint covers the log")]
    Unsigned,
    /// The entry is not the one that the tree was made over.
    #[error("entry {index} was changed after it was written")]
    Changed {
        /// The entry.
        index: u64,
    },
    /// The tree over the entries is not the one that was signed.
    #[error("an entry below {size} was changed: the root of the tree is not the signed one")]
    Root {
        /// Number of entries that the checkpoint covers.
        size: u64,
    },
    /// A tile is not what the entries make.
    #[error("{path} does not belong to the entries")]
    Tile {
        /// The file, relative to the log's folder.
        path: String,
    },
    /// The bytes are no entry.
    #[error("entry {index} is malformed")]
    Malformed {
        /// The entry.
        index: u64,
        /// What is wrong with it.
        source: EntryError,
    },
    /// The entry was written by another node.
    #[error("entry {index} is of another node's log")]
    Foreign {
        /// The entry.
        index: u64,
    },
    /// Two checkpoints of the log contradict each other.
    #[error("the log was forked: it does not continue the checkpoint of {size} entries")]
    Fork {
        /// Number of entries that the earlier checkpoint covers.
        size: u64,
    },
    /// Too few witnesses.
    #[error("the policy does not accept the checkpoint")]
    Quorum(#[source] Unaccepted),
    /// The policy file.
    #[error("the policy cannot be read")]
    Policy(#[from] PolicyError),
    /// An act was begun and nobody knows its end.
    #[error("entry {index} begins {action}, and no entry tells how it ended")]
    OpenIntent {
        /// The entry that tells the intent.
        index: u64,
        /// The act.
        action: Action,
    },
    /// An outcome without an intent.
    #[error(
        "entry {index} tells the outcome of entry {intent}, which is no open intent of that act"
    )]
    NoIntent {
        /// The entry.
        index: u64,
        /// What it names.
        intent: u64,
    },
    /// Two logs do not tell the same of what passed between their nodes.
    #[error("entry {index} of {sender}: {mismatch}")]
    Mismatch {
        /// The log that tells it.
        sender: String,
        /// The entry.
        index: u64,
        /// What differs.
        mismatch: Mismatch,
    },
    /// The clock went backwards.
    #[error("entry {index} is dated {seconds} s before an earlier one")]
    Backwards {
        /// The entry.
        index: u64,
        /// By how much.
        seconds: i64,
    },
    /// An entry was taken out.
    #[error("entry {index} is missing: entry {found} stands in its place")]
    Missing {
        /// The number that belongs here.
        index: u64,
        /// The number found.
        found: u64,
    },
    /// Entries were moved.
    #[error("entry {index} was moved: entry {found} stands in its place")]
    Order {
        /// The number that belongs here.
        index: u64,
        /// The number found.
        found: u64,
    },
    /// Signed entries are gone from the end.
    #[error("the log was truncated: {found} entries are left of {signed} that were signed")]
    Truncated {
        /// Entries that the checkpoint covers.
        signed: u64,
        /// Whole entries found.
        found: u64,
    },
    /// The log and its checkpoint were put back to an earlier state.
    #[error("the log was rewound: it ends with entry {found}, and {kept} were signed once")]
    Rewound {
        /// Entries that the earlier checkpoint covers.
        kept: u64,
        /// Entries that the newest checkpoint covers.
        found: u64,
    },
    /// A file cannot be read.
    #[error("the log cannot be read")]
    Unreadable(#[from] std::io::Error),
}

/// How two logs differ about a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The receiver has accepted no such batch.
    #[error("the receiver's log has accepted no batch with this digest")]
    Absent,
    /// The receiver counts other rows.
    #[error("the receiver's log counts other rows in this batch")]
    Rows,
}

impl Fault {
    /// The exit code that stands for this kind of fault.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Checkpoint(_) | Self::Unsigned => 10,
            Self::Changed { .. }
            | Self::Root { .. }
            | Self::Tile { .. }
            | Self::Malformed { .. }
            | Self::Foreign { .. } => 11,
            Self::Fork { .. } => 12,
            Self::Quorum(_) => 13,
            Self::OpenIntent { .. } | Self::NoIntent { .. } => 14,
            Self::Mismatch { .. } => 15,
            Self::Backwards { .. } => 16,
            Self::Missing { .. } => 17,
            Self::Order { .. } => 18,
            Self::Truncated { .. } => 19,
            Self::Unreadable(_) | Self::Policy(_) => 20,
            Self::Rewound { .. } => 21,
        }
    }

    /// Number of the first entry at fault, where one can be told.
    pub fn index(&self) -> Option<u64> {
        match self {
            Self::Changed { index }
            | Self::Malformed { index, .. }
            | Self::Foreign { index }
            | Self::OpenIntent { index, .. }
            | Self::NoIntent { index, .. }
            | Self::Mismatch { index, .. }
            | Self::Backwards { index, .. }
            | Self::Missing { index, .. }
            | Self::Order { index, .. } => Some(*index),
            Self::Truncated { found, .. } => Some(*found),
            _ => None,
        }
    }
}

/// The exit codes with their meaning, for help texts and the catalogue.
pub const EXIT_CODES: [(u8, &str); 13] = [
    (0, "every log is in order"),
    (
        10,
        "the signature of a checkpoint does not hold, or there is none",
    ),
    (
        11,
        "an entry or a tile was changed: its hash is not the signed one",
    ),
    (
        12,
        "the log was forked: two of its checkpoints contradict each other",
    ),
    (13, "fewer witnesses than the policy's quorum have cosigned"),
    (14, "an act was begun and no entry tells its outcome"),
    (
        15,
        "two logs do not tell the same of what passed between their nodes",
    ),
    (16, "time runs backwards beyond the tolerance"),
    (17, "an entry is missing"),
    (18, "entries were moved"),
    (19, "signed entries are missing at the end"),
    (20, "a file cannot be read"),
    (21, "the log was put back to an earlier state"),
];

/// A batch that an entry says was sent or accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The entry.
    pub index: u64,
    /// The project.
    pub project: String,
    /// Digest of the batch.
    pub digest: String,
    /// Rows in it.
    pub rows: Option<Count>,
}

/// A log that is being read, entry by entry.
#[derive(Debug)]
pub struct Reading {
    origin: String,
    tree: Frontier,
    /// The first entry that is read; those before it were pruned.
    start: u64,
    /// Process and clock of the entry before.
    last: Option<(String, u64)>,
    newest: Option<EventTime>,
    first_time: Option<EventTime>,
    last_time: Option<EventTime>,
    /// Intents whose outcome has not come yet, with the process that told them.
    open: BTreeMap<u64, (Action, String)>,
    batches: Vec<Batch>,
}

impl Reading {
    /// Begins to read the log of this origin from its first entry.
    pub fn new(origin: impl Into<String>) -> Self {
        Self::resume(origin, Frontier::default())
    }

    /// Begins behind the entries that `tree` is made of.
    pub fn resume(origin: impl Into<String>, tree: Frontier) -> Self {
        Self {
            origin: origin.into(),
            start: tree.size(),
            tree,
            last: None,
            newest: None,
            first_time: None,
            last_time: None,
            open: BTreeMap::new(),
            batches: vec![],
        }
    }

    /// Takes in the next entry.
    ///
    /// # Errors
    /// The [`Fault`]. An entry with another number than its place is told as [`Fault::Missing`];
    /// whether it was [`Fault::Order`] only the rest of the log can tell.
    pub fn accept(&mut self, bytes: &[u8]) -> Result<Entry, Fault> {
        let index = self.tree.size();
        let entry =
            Entry::from_bytes(bytes).map_err(|source| Fault::Malformed { index, source })?;
        if entry.seq != index {
            let found = entry.seq;
            return Err(Fault::Missing { index, found });
        }
        if entry.node != self.origin {
            return Err(Fault::Foreign { index });
        }
        self.check_clock(index, &entry)?;
        self.follow(index, &entry)?;
        self.note_batch(index, &entry);
        self.tree.push(Hash::leaf(bytes));
        Ok(entry)
    }

    /// Number of entries so far, those before the start included.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Root of the tree so far.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Times of the first and the last entry that were read.
    pub fn times(&self) -> (Option<&EventTime>, Option<&EventTime>) {
        (self.first_time.as_ref(), self.last_time.as_ref())
    }

    /// Intents without an outcome so far.
    pub fn open(&self) -> u64 {
        self.open.len() as u64
    }

    /// Ends the reading. `is_running` says that the node may still be at work, so that the intents
    /// of its present process may be open.
    ///
    /// # Errors
    /// [`Fault::OpenIntent`] names the first.
    pub fn finish(self, is_running: bool) -> Result<Vec<Batch>, Fault> {
        let present = self.last.map(|(boot, _)| boot);
        let lost = self
            .open
            .iter()
            .find(|(_, (_, boot))| !is_running || present.as_ref() != Some(boot));
        match lost {
            Some((&index, &(action, _))) => Err(Fault::OpenIntent { index, action }),
            None => Ok(self.batches),
        }
    }

    fn check_clock(&mut self, index: u64, entry: &Entry) -> Result<(), Fault> {
        let time = &entry.time;
        // Fixed width, UTC: the texts are in order when the moments are.
        if let Some(newest) = self.newest.as_ref().filter(|newest| *newest > time) {
            let seconds = newest.seconds_after(time);
            if seconds > TOLERANCE_SECONDS {
                return Err(Fault::Backwards { index, seconds });
            }
        } else {
            self.newest = Some(time.clone());
        }
        if let Some((boot, mono_ns)) = &self.last
            && *boot == entry.boot
            && *mono_ns > entry.mono_ns
        {
            return Err(Fault::Backwards { index, seconds: 0 });
        }
        self.last = Some((entry.boot.clone(), entry.mono_ns));
        self.first_time.get_or_insert_with(|| time.clone());
        self.last_time = Some(time.clone());
        Ok(())
    }

    fn follow(&mut self, index: u64, entry: &Entry) -> Result<(), Fault> {
        let event = &entry.event;
        match (event.phase, event.intent) {
            (Phase::Intent, _) => {
                let told = (event.action, entry.boot.clone());
                self.open.insert(index, told);
            }
            (Phase::Outcome, Some(intent)) => {
                let was_open = self.open.remove(&intent);
                let is_its = was_open.is_some_and(|(action, _)| action == event.action);
                if !is_its && intent >= self.start {
                    return Err(Fault::NoIntent { index, intent });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn note_batch(&mut self, index: u64, entry: &Entry) {
        let event = &entry.event;
        if event.action != Action::UploadAccept || event.result != Some(Outcome::Ok) {
            return;
        }
        if let (Some(project), Some(digest)) = (&event.project, event.digests.get(BATCH)) {
            self.batches.push(Batch {
                index,
                project: project.clone(),
                digest: digest.clone(),
                rows: event.counts.get(ROWS).copied(),
            });
        }
    }
}

/// Compares what logs tell of batches: each that an owner's log says was sealed must have been
/// accepted by a matcher, with as many rows. Does nothing without a matcher's log. `logs` are
/// origins and the batches that [`Reading::finish`] gave.
///
/// # Errors
/// [`Fault::Mismatch`] names the first.
pub fn compare(logs: &[(String, Vec<Batch>)]) -> Result<(), Fault> {
    let of_role = |role: &'static str| {
        let is_of = move |origin: &str| origin.split('/').nth(3) == Some(role);
        logs.iter().filter(move |(origin, _)| is_of(origin))
    };
    let mut accepted: BTreeMap<(&str, &str), Vec<Option<Count>>> = BTreeMap::new();
    for batch in of_role("matcher").flat_map(|(_, batches)| batches) {
        let key = (batch.project.as_str(), batch.digest.as_str());
        accepted.entry(key).or_default().push(batch.rows);
    }
    if of_role("matcher").next().is_none() {
        return Ok(());
    }
    for (sender, batches) in of_role("owner") {
        for batch in batches {
            let found = accepted.get(&(batch.project.as_str(), batch.digest.as_str()));
            let mismatch = match found {
                None => Mismatch::Absent,
                Some(rows) if !rows.contains(&batch.rows) => Mismatch::Rows,
                Some(_) => continue,
            };
            return Err(Fault::Mismatch {
                sender: sender.clone(),
                index: batch.index,
                mismatch,
            });
        }
    }
    Ok(())
}
