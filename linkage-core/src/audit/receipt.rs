//! Receipts: proof that an entry is in a log, checked with a policy file alone
//! (c2sp.org/tlog-proof, files `.tlog-proof`).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::entry::ENTRY_BYTES_MAX;
use super::note::{NOTE_BYTES_MAX, Note, NoteError, VerifyingKey};
use super::policy::{Policy, Unaccepted, Witnessed};
use super::tree::Hash;
use super::tree::proof::{PROOF_HASHES_MAX, ProofError, verify_inclusion};

/// The first line.
const MAGIC: &str = "c2sp.org/tlog-proof@v1";

/// Longest receipt, bytes: the longest entry in base64, a proof and a note.
pub const RECEIPT_BYTES_MAX: usize = ENTRY_BYTES_MAX * 3 / 2 + NOTE_BYTES_MAX;

/// An entry, its place in a log, and the checkpoint that covers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The exact bytes of the entry; they travel as the proof's `extra` data.
    pub entry: Vec<u8>,
    /// Number of the entry in its log.
    pub index: u64,
    /// From the entry's sibling to the child of the root.
    pub proof: Vec<Hash>,
    /// The checkpoint with its signatures.
    pub note: Note,
}

/// Why a receipt was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not the text of a receipt.
    #[error("not a receipt of the form {MAGIC} with the entry as extra data")]
    Form,
    /// The checkpoint is no note.
    #[error("the receipt's checkpoint is not a note")]
    Note(#[from] NoteError),
    /// The checkpoint's signature or origin.
    #[error("the receipt's checkpoint does not hold")]
    Checkpoint(#[from] CheckpointError),
    /// The policy does not accept the checkpoint.
    #[error("the policy does not accept the receipt's checkpoint")]
    Policy(#[from] Unaccepted),
    /// The entry is not where the receipt says.
    #[error("the entry is not in the tree of the checkpoint")]
    Proof(#[from] ProofError),
}

impl Receipt {
    /// Checks the receipt against a policy file: the log is one of the policy's, a quorum has
    /// cosigned, and the entry is in the tree.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn accept(&self, policy: &Policy) -> Result<Witnessed, ReceiptError> {
        let witnessed = policy.accept(&self.note)?;
        self.check(&witnessed.checkpoint)?;
        Ok(witnessed)
    }

    /// Checks the receipt against the key of the log alone, whoever has witnessed it.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn verify(&self, log: &VerifyingKey) -> Result<Checkpoint, ReceiptError> {
        let checkpoint = Checkpoint::open(&self.note, log)?;
        self.check(&checkpoint)?;
        Ok(checkpoint)
    }

    fn check(&self, checkpoint: &Checkpoint) -> Result<(), ProofError> {
        verify_inclusion(
            Hash::leaf(&self.entry),
            self.index,
            checkpoint.size,
            &self.proof,
            checkpoint.root,
        )
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC}\nextra {}", BASE64.encode(&self.entry))?;
        writeln!(f, "index {}", self.index)?;
        for hash in &self.proof {
            writeln!(f, "{}", BASE64.encode(hash.0))?;
        }
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, ReceiptError> {
        let form = || ReceiptError::Form;
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(form());
        }
        let (head, note) = text.split_once("\n\n").ok_or_else(form)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(MAGIC) {
            return Err(form());
        }
        let entry = lines.next().and_then(|line| line.strip_prefix("extra "));
        let entry = BASE64.decode(entry.ok_or_else(form)?).map_err(|_| form())?;
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = number(index.ok_or_else(form)?).ok_or_else(form)?;
        Ok(Self {
            entry,
            index,
            proof: hashes(lines).ok_or_else(form)?,
            note: Note::parse(note)?,
        })
    }
}

/// A decimal number without leading zeros.
pub(super) fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The hashes of a proof, one a line in base64; at most as many as a proof has.
pub(super) fn hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<Hash>> {
    let mut hashes = vec![];
    for line in lines {
        if hashes.len() == PROOF_HASHES_MAX {
            return None;
        }
        hashes.push(Hash(BASE64.decode(line).ok()?.try_into().ok()?));
    }
    Some(hashes)
}
