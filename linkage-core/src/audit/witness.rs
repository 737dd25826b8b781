//! What a witness decides about another node's log (c2sp.org/tlog-witness, `add-checkpoint`).
//!
//! ```text
//! no checkpoint kept ──first──▶ kept(size, root) ──consistent──▶ kept(larger size, root)
//!                                     │ another old size: Conflict(size), nothing changes
//!                                     └ not consistent: Fork, or fewer entries: Sizes; both notes
//!                                       are evidence
//! ```
//!
//! The decision is made here; whoever calls keeps the state and the answer in one transaction.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{Note, NoteError, VerifyingKey};
use super::receipt::{hashes, number};
use super::tree::Hash;
use super::tree::proof::{ProofError, verify_consistency};

/// The body of a request: `old <size>`, a consistency proof, an empty line, a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the newest checkpoint that the log believes the witness to have.
    pub old: u64,
    /// Proof that the new tree continues the old.
    pub proof: Vec<Hash>,
    /// The new checkpoint.
    pub note: Note,
}

/// Why a checkpoint is not cosigned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The body is not one.
    #[error("not the body of an add-checkpoint request")]
    Form,
    /// The checkpoint is no note.
    #[error("the checkpoint is not a note")]
    Note(#[from] NoteError),
    /// The signature of the log does not hold, or the checkpoint is of another log.
    #[error("the checkpoint is not one of this log")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint has fewer entries than one that was cosigned: the log was rewound.
    #[error("the checkpoint has fewer entries than the one cosigned before")]
    Sizes,
    /// The old size is above the new.
    #[error("the old size is above the size of the checkpoint")]
    Old,
    /// The witness has another size; the log must prove from that one.
    #[error("the newest checkpoint cosigned here has {size} entries")]
    Conflict {
        /// The size kept.
        size: u64,
    },
    /// The new tree does not continue the one that was cosigned: the log was forked or rewound.
    #[error("the checkpoint does not continue the one cosigned before")]
    Fork(#[source] ProofError),
}

/// Decides on a request about the log of `key`. `kept` is the newest checkpoint cosigned for that
/// log. The answer is the checkpoint to keep and to cosign.
///
/// # Errors
/// [`Refused`]; nothing is kept and nothing cosigned. With [`Refused::Fork`] and [`Refused::Sizes`]
/// both notes are evidence.
pub fn decide(
    request: &AddCheckpoint,
    key: &VerifyingKey,
    kept: Option<&Checkpoint>,
) -> Result<Checkpoint, Refused> {
    let new = Checkpoint::open(&request.note, key)?;
    let (size, root) = kept.map_or((0, Hash::EMPTY_ROOT), |kept| (kept.size, kept.root));
    if request.old > new.size {
        let is_rewound = request.old == size;
        return Err(if is_rewound {
            Refused::Sizes
        } else {
            Refused::Old
        });
    }
    if request.old != size {
        return Err(Refused::Conflict { size });
    }
    verify_consistency((size, root), (new.size, new.root), &request.proof)
        .map_err(Refused::Fork)?;
    Ok(new)
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", BASE64.encode(hash.0))?;
        }
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for AddCheckpoint {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let (head, note) = text.split_once("\n\n").ok_or(Refused::Form)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.and_then(number).ok_or(Refused::Form)?;
        let proof = hashes(lines).ok_or(Refused::Form)?;
        let note = Note::parse(note)?;
        Ok(Self { old, proof, note })
    }
}
