//! Checkpoints: "this log has `size` entries and this root" (c2sp.org/tlog-checkpoint).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use super::note::{Algorithm, Note, NoteError, SigningKey, VerifyingKey};
use super::tree::Hash;

/// Separates the keys of audit logs from all others that come from the same secret.
const KEY_SALT: &[u8] = b"linkage/audit-keys/v1";

/// A statement about a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: `linkage/<trust domain>/<party>/<role>/<log id>`.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// Why a checkpoint was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The note.
    #[error("the checkpoint is not a note that holds")]
    Note(#[from] NoteError),
    /// The text of the note is not that of a checkpoint.
    #[error("the note is not a checkpoint")]
    Form,
    /// The checkpoint belongs to another log than the key.
    #[error("the checkpoint is of another log")]
    Origin,
}

/// The two keys of a node: one signs its log, the other cosigns those of others.
#[derive(Debug)]
pub struct NodeKeys {
    /// Signs the node's own checkpoints; its name is the log's origin.
    pub log: SigningKey,
    /// Cosigns the checkpoints of others.
    pub witness: SigningKey,
}

impl NodeKeys {
    /// The keys of the node of this party, from its secret. Both are derived with HKDF-SHA-256 (RFC
    /// 5869) under labels of their own, so that neither tells anything about the other or about
    /// the secret. The log's id is the start of the SHA-256 of its public key: a log that is begun
    /// anew under the same key keeps its name, and thereby every witness sees that it was.
    ///
    /// # Errors
    /// [`NoteError::Name`] if one of the names cannot stand in a note.
    pub fn derive(
        secret: &[u8],
        trust_domain: &str,
        role: &str,
        party: &str,
    ) -> Result<Self, NoteError> {
        let seed = |label: &[u8]| -> Result<Zeroizing<[u8; 32]>, NoteError> {
            let mut seed = Zeroizing::new([0; 32]);
            Salt::new(HKDF_SHA256, KEY_SALT)
                .extract(secret)
                .expand(&[label], HKDF_SHA256)
                .and_then(|okm| okm.fill(seed.as_mut_slice()))
                .map_err(|_| NoteError::Key)?;
            Ok(seed)
        };
        let node = format!("linkage/{trust_domain}/{party}/{role}");
        let log_seed = seed(b"log")?;
        let unnamed = SigningKey::new("log", Algorithm::Ed25519, &log_seed)?;
        let digest = ring::digest::digest(&ring::digest::SHA256, unnamed.verifying().public());
        let id: String = hex::encode(digest.as_ref()).chars().take(16).collect();
        let witness = format!("{node}/witness");
        Ok(Self {
            log: SigningKey::new(&format!("{node}/{id}"), Algorithm::Ed25519, &log_seed)?,
            witness: SigningKey::new(&witness, Algorithm::CosignatureV1, &*seed(b"witness")?)?,
        })
    }
}

impl Checkpoint {
    /// The text of the note: three lines.
    pub fn text(&self) -> String {
        let root = BASE64.encode(self.root.0);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// The note, signed by its log.
    ///
    /// # Errors
    /// [`NoteError::Form`] if the origin holds control characters.
    pub fn sign(&self, key: &SigningKey) -> Result<Note, NoteError> {
        let mut note = Note::new(self.text())?;
        note.add(key.sign(note.text(), 0));
        Ok(note)
    }

    /// Reads the text of a note. Lines after the third are extensions and passed over; the
    /// signatures cover them.
    ///
    /// # Errors
    /// [`CheckpointError::Form`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let form = CheckpointError::Form;
        let mut lines = text.strip_suffix('\n').ok_or(form)?.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(form)?;
        let size = lines.next().ok_or(form)?;
        let root = lines.next().ok_or(form)?;
        if lines.any(str::is_empty) {
            return Err(form);
        }
        let number: u64 = size.parse().map_err(|_| form)?;
        if number.to_string() != size {
            return Err(form);
        }
        let root = BASE64.decode(root).map_err(|_| form)?;
        Ok(Self {
            origin: origin.to_owned(),
            size: number,
            root: Hash(root.try_into().map_err(|_| form)?),
        })
    }

    /// Reads a note, checks the signature of the log's `key` and that it is about that log.
    ///
    /// # Errors
    /// [`CheckpointError`] says what is wrong.
    pub fn open(note: &Note, key: &VerifyingKey) -> Result<Self, CheckpointError> {
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::Origin);
        }
        note.verify(key)?;
        Ok(checkpoint)
    }
}
