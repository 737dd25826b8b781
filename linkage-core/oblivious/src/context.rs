//! What binds all messages of one table together: run, nonces of both owners, shape.

use rand::CryptoRng;
use ring::{digest, hmac};

use crate::params::{Parameters, TableShape};
use crate::wire::{Envelope, shape_bytes};

/// Bytes of a derived seed and of the tag that every message carries.
pub(crate) const SEED_BYTES: usize = 16;

const ROOT_LABEL: &[u8] = b"linkage oblivious v1 root";
const TAG_LABEL: &[u8] = b"linkage oblivious v1 message tag";
const PUBLIC_KEY_MASK_LABEL: &[u8] = b"linkage oblivious v1 public key mask";
const CHUNK_MASK_LABEL: &[u8] = b"linkage oblivious v1 chunk mask";

/// Why a run context is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Both owners show the same nonce: one was reflected, so the masks are not joint.
    #[error("both owners show the same nonce")]
    SameNonce,
}

/// Name of one extract run; never used for two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunId([u8; 16]);

impl RunId {
    /// Takes the 16 bytes of a UUID or of another unique name.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

/// One owner's public contribution to the seeds of a table; drawn fresh for every table.
///
/// A sends its nonce first, B answers with its own: so A, whose key the masks meet, fixes its
/// part before it knows any mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 32]);

impl Nonce {
    /// Draws a nonce.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Takes the nonce that the other owner sent.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to send.
    pub fn bytes(self) -> [u8; 32] {
        self.0
    }
}

/// Seeds and message tag of one table. Public: everything in it is known to both owners.
///
/// All seeds are `HMAC-SHA-256(root, label || index)` with
/// `root = SHA-256(label || run id || nonce A || nonce B || shape)`, cut to 16 bytes; the shape
/// names the measure, and all parts have fixed lengths.
#[derive(Debug, Clone)]
pub struct RunContext {
    envelope: Envelope,
    root: hmac::Key,
}

impl RunContext {
    /// Derives the context of one table; both owners do this for themselves.
    ///
    /// A context serves one [`Encryptor`](crate::encrypt::Encryptor) and one
    /// [`Evaluator`](crate::evaluate::Evaluator). An owner that starts over draws a new nonce:
    /// messages are tied to the context, not to the keys behind them.
    ///
    /// # Errors
    /// [`Error::SameNonce`] if the nonces are equal.
    pub fn derive(
        run_id: RunId,
        nonce_a: Nonce,
        nonce_b: Nonce,
        shape: TableShape,
    ) -> Result<Self, Error> {
        if nonce_a == nonce_b {
            return Err(Error::SameNonce);
        }
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(ROOT_LABEL);
        hash.update(&run_id.0);
        hash.update(&nonce_a.0);
        hash.update(&nonce_b.0);
        hash.update(&shape_bytes(shape));
        let root = hmac::Key::new(hmac::HMAC_SHA256, hash.finish().as_ref());
        let tag = seed(&root, TAG_LABEL, 0);
        Ok(Self {
            envelope: Envelope { run_id, shape, tag },
            root,
        })
    }

    /// The shape both owners agreed on.
    pub fn shape(&self) -> TableShape {
        self.envelope.shape
    }

    /// The run this table belongs to.
    pub fn run_id(&self) -> RunId {
        self.envelope.run_id
    }

    pub(crate) fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    pub(crate) fn parameters(&self) -> &'static Parameters {
        self.envelope.shape.parameters()
    }

    pub(crate) fn public_key_mask_seed(&self) -> [u8; SEED_BYTES] {
        seed(&self.root, PUBLIC_KEY_MASK_LABEL, 0)
    }

    pub(crate) fn chunk_mask_seed(&self, chunk: u32) -> [u8; SEED_BYTES] {
        seed(&self.root, CHUNK_MASK_LABEL, chunk)
    }
}

fn seed(root: &hmac::Key, label: &[u8], index: u32) -> [u8; SEED_BYTES] {
    let mut hash = hmac::Context::with_key(root);
    hash.update(label);
    hash.update(&index.to_le_bytes());
    let mut out = [0; SEED_BYTES];
    for (byte, hashed) in out.iter_mut().zip(hash.sign().as_ref()) {
        *byte = *hashed;
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn context(run: u8, a: u8, b: u8, rows: u16) -> RunContext {
        of(run, a, b, TableShape::new(4096, rows, 3).unwrap())
    }

    fn of(run: u8, a: u8, b: u8, shape: TableShape) -> RunContext {
        RunContext::derive(
            RunId::new([run; 16]),
            Nonce::new([a; 32]),
            Nonce::new([b; 32]),
            shape,
        )
        .unwrap()
    }

    #[test]
    fn every_input_changes_every_seed() {
        let contexts = [
            context(1, 2, 3, 4),
            context(9, 2, 3, 4),
            context(1, 9, 3, 4),
            context(1, 2, 9, 4),
            context(1, 3, 2, 4),
            context(1, 2, 3, 5),
            of(1, 2, 3, TableShape::sums(4096, 4, 3).unwrap()),
            of(1, 2, 3, TableShape::three_way(4096, 4, 3, 1).unwrap()),
            of(1, 2, 3, TableShape::three_way(4096, 4, 3, 2).unwrap()),
        ];
        let mut seen = HashSet::new();
        for context in &contexts {
            assert!(seen.insert(context.envelope().tag));
            assert!(seen.insert(context.public_key_mask_seed()));
            assert!(seen.insert(context.chunk_mask_seed(0)));
            assert!(seen.insert(context.chunk_mask_seed(1)));
        }
        assert_eq!(seen.len(), 4 * contexts.len());
    }

    #[test]
    fn both_owners_derive_the_same_seeds() {
        let (a, b) = (context(1, 2, 3, 4), context(1, 2, 3, 4));
        assert_eq!(a.chunk_mask_seed(1), b.chunk_mask_seed(1));
        assert_eq!(a.envelope(), b.envelope());
    }

    #[test]
    fn a_reflected_nonce_is_refused() {
        let shape = TableShape::new(2048, 1, 1).unwrap();
        let nonce = Nonce::new([7; 32]);
        let refused = RunContext::derive(RunId::new([0; 16]), nonce, nonce, shape);
        assert_eq!(refused.err(), Some(Error::SameNonce));
    }
}
