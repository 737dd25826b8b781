//! Signed checkpoints.
//!
//! The text form is a C2SP signed note (c2sp.org/signed-note) with a body of three lines as in
//! c2sp.org/tlog-checkpoint: origin, size, base64 hash. The hash is the head of a hash chain, not
//! the root of a Merkle tree; the origin `linkage/audit-chain/...` tells them apart. Keys are
//! written as C2SP verifier keys: `name+keyid+base64(0x01 || key)`.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::entry::EntryHash;

/// Signature type Ed25519 of c2sp.org/signed-note.
const TYPE_ED25519: u8 = 0x01;

/// Longest accepted note, bytes: a body and a few dozen signatures of witnesses.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;

/// A statement about a log: it has `size` entries and ends in `head`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log; see [`Checkpoint::origin_of`].
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Hash of the last.
    pub head: EntryHash,
}

/// The public key that a log's checkpoints are checked with, and the name of the log's node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    public: [u8; 32],
}

/// Why a key or a checkpoint was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The name is empty or holds spaces, control characters or `+`.
    #[error("a key name is not empty and has no spaces, control characters and '+'")]
    Name,
    /// Not the text of a verifier key.
    #[error("not a verifier key of the form name+keyid+base64")]
    Key,
    /// Not the text of a checkpoint.
    #[error("not a checkpoint note")]
    Form,
    /// The checkpoint belongs to another log than the key.
    #[error("the checkpoint is of another log")]
    Origin,
    /// No signature with this key.
    #[error("the checkpoint carries no signature of this key")]
    Unsigned,
    /// There is a signature with this key, and it is wrong.
    #[error("the signature of the checkpoint does not hold")]
    Signature,
}

impl Checkpoint {
    /// The origin of the log of `node`.
    pub fn origin_of(node: &str) -> String {
        format!("linkage/audit-chain/{node}")
    }

    /// The signed note. `key` must be the key that `verifying` was made from, as in
    /// [`VerifyingKey::of`].
    pub fn sign(&self, key: &Ed25519KeyPair, verifying: &VerifyingKey) -> String {
        let body = self.body();
        let mut blob = verifying.id().to_vec();
        blob.extend_from_slice(key.sign(body.as_bytes()).as_ref());
        format!(
            "{body}\n\u{2014} {} {}\n",
            verifying.name,
            BASE64.encode(blob)
        )
    }

    /// Reads a note and checks the signature of `key` and that it is about the log of that key.
    /// Signatures of other keys are passed over, as the note format demands.
    ///
    /// # Errors
    /// [`CheckpointError`] says what is wrong.
    pub fn open(note: &str, key: &VerifyingKey) -> Result<Self, CheckpointError> {
        if note.len() > NOTE_BYTES_MAX || note.chars().any(|c| c.is_control() && c != '\n') {
            return Err(CheckpointError::Form);
        }
        let (body, signatures) = note.split_once("\n\n").ok_or(CheckpointError::Form)?;
        let checkpoint = Self::read_body(body)?;
        if checkpoint.origin != Self::origin_of(&key.name) {
            return Err(CheckpointError::Origin);
        }
        let signatures = signatures.strip_suffix('\n').ok_or(CheckpointError::Form)?;
        let mut is_signed = false;
        for line in signatures.split('\n') {
            let (name, blob) = line
                .strip_prefix("\u{2014} ")
                .and_then(|line| line.split_once(' '))
                .ok_or(CheckpointError::Form)?;
            let blob = BASE64.decode(blob).map_err(|_| CheckpointError::Form)?;
            let (id, signature) = blob.split_first_chunk().ok_or(CheckpointError::Form)?;
            if name == key.name && *id == key.id() {
                UnparsedPublicKey::new(&ED25519, &key.public)
                    .verify(checkpoint.body().as_bytes(), signature)
                    .map_err(|_| CheckpointError::Signature)?;
                is_signed = true;
            }
        }
        if is_signed {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Unsigned)
        }
    }

    /// The signed bytes: three lines.
    fn body(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            BASE64.encode(self.head.0)
        )
    }

    /// Reads the three lines; the last without its newline.
    fn read_body(body: &str) -> Result<Self, CheckpointError> {
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(head), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Form);
        };
        let head = BASE64.decode(head).map_err(|_| CheckpointError::Form)?;
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| CheckpointError::Form)?,
            head: EntryHash(head.try_into().map_err(|_| CheckpointError::Form)?),
        };
        // One spelling only: refuses `+7`, `007` and the like.
        if checkpoint.body().strip_suffix('\n') != Some(body) {
            return Err(CheckpointError::Form);
        }
        Ok(checkpoint)
    }
}

impl VerifyingKey {
    /// The public half of `key`, named after the node whose log it signs.
    ///
    /// # Errors
    /// [`CheckpointError::Name`] if `node` cannot stand in a note.
    pub fn of(key: &Ed25519KeyPair, node: &str) -> Result<Self, CheckpointError> {
        let public = key
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| CheckpointError::Key)?;
        Self::new(node, public)
    }

    fn new(name: &str, public: [u8; 32]) -> Result<Self, CheckpointError> {
        let is_refused = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.chars().any(is_refused) {
            return Err(CheckpointError::Name);
        }
        Ok(Self {
            name: name.to_owned(),
            public,
        })
    }

    /// The node whose log this key is for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// First four bytes of SHA-256(name, newline, type, key): a hint which key signed, no security.
    fn id(&self) -> [u8; 4] {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(self.name.as_bytes());
        context.update(&[b'\n', TYPE_ED25519]);
        context.update(&self.public);
        let mut id = [0; 4];
        for (byte, from) in id.iter_mut().zip(context.finish().as_ref()) {
            *byte = *from;
        }
        id
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![TYPE_ED25519];
        typed.extend_from_slice(&self.public);
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex::encode(self.id()),
            BASE64.encode(typed)
        )
    }
}

impl FromStr for VerifyingKey {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        // Base64 may hold '+', so only the first two divide.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(typed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(CheckpointError::Key);
        };
        let typed = BASE64.decode(typed).map_err(|_| CheckpointError::Key)?;
        let Some((&TYPE_ED25519, public)) = typed.split_first() else {
            return Err(CheckpointError::Key);
        };
        let key = Self::new(name, public.try_into().map_err(|_| CheckpointError::Key)?)?;
        if hex::encode(key.id()) != id {
            return Err(CheckpointError::Key);
        }
        Ok(key)
    }
}
