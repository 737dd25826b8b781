//! Keys of a project: the shared key that owners agree and the matcher never sees, and what is
//! derived from it.

mod agreement;
mod sealing;

use std::fmt;

use ring::{hkdf, hmac};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ids::ProjectId;

pub use agreement::{Commitment, Contribution, KeyCheck, Reveal, agree};
pub use sealing::{SealedReveal, SealingKey, SealingPublicKey};

/// Length of every symmetric key here, in bytes.
pub const KEY_BYTES: usize = 32;

/// Length of a key's name, in bytes.
pub const KEY_ID_BYTES: usize = 8;

/// Why keys could not be agreed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A party's reveal does not open its commitment.
    #[error("the contribution of {0} does not open the commitment it made before")]
    Commitment(String),
    /// A party's key check value differs: it holds another key.
    #[error("the key check value of {0} differs from ours: the owners do not hold the same key")]
    KeyCheck(String),
    /// The parties' contributions are not exactly those of the manifest's owners.
    #[error("contributions of {found} owners, the manifest names {expected}")]
    Parties {
        /// Owners in the manifest.
        expected: usize,
        /// Contributions present.
        found: usize,
    },
    /// A sealed message could not be opened: altered, or meant for another party or project.
    #[error("a sealed contribution cannot be opened: it was altered or sealed to someone else")]
    Sealed,
    /// Bytes that are no key of the expected kind.
    #[error("these bytes are no {0}")]
    Malformed(&'static str),
}

/// The key that the owners of a project share and no one else has.
///
/// It prints nothing and is wiped when dropped.
#[derive(Clone)]
pub struct ProjectKey(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProjectKey(redacted)")
    }
}

/// A key derived from a project's key for one purpose; wiped when dropped.
pub(crate) type Subkey = Zeroizing<[u8; KEY_BYTES]>;

/// Lengths for ring's HKDF.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl ProjectKey {
    /// A key from bytes kept in a file or drawn at random, for work with files only. Projects
    /// between nodes get theirs from [`agree`].
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, to be stored under the owner's own protection.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// A subkey by HKDF-SHA-256 (RFC 5869), separated by purpose and context.
    fn derive(&self, purpose: &str, context: &[u8]) -> Subkey {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"linkage/project-key/v1");
        let length = [u8::try_from(purpose.len()).unwrap_or(u8::MAX)];
        let info = [&length, purpose.as_bytes(), context];
        let mut out = Zeroizing::new([0; KEY_BYTES]);
        // HKDF refuses only outputs above 255 hash lengths; 32 bytes is one.
        let filled = salt
            .extract(self.0.as_slice())
            .expand(&info, Length(KEY_BYTES))
            .and_then(|okm| okm.fill(out.as_mut_slice()));
        debug_assert!(filled.is_ok());
        out
    }

    fn hmac(&self, purpose: &str, context: &[u8]) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.derive(purpose, context).as_slice())
    }

    /// Key for the token positions of one field.
    pub(crate) fn positions(&self, field: &str) -> Subkey {
        self.derive("positions", field.as_bytes())
    }

    /// Key under which a cache of one field's features names them.
    pub(crate) fn cache(&self, field: &str) -> Subkey {
        self.derive("cache", field.as_bytes())
    }

    /// Seed of the diffusion matrix; its shape is the context, so that matrices of different shapes
    /// have nothing in common.
    pub(crate) fn diffusion(&self, shape: &[u8]) -> Subkey {
        self.derive("diffusion", shape)
    }

    /// Key for the frequency classes of one field.
    pub(crate) fn frequency(&self, field: &str) -> Subkey {
        self.derive("frequency", field.as_bytes())
    }

    /// Key for one rule of link keys.
    pub(crate) fn link_keys(&self, rule: &str) -> Subkey {
        self.derive("link-key", rule.as_bytes())
    }

    /// Key for one rule of block keys.
    pub(crate) fn block_keys(&self, rule: &str) -> Subkey {
        self.derive("block-key", rule.as_bytes())
    }

    /// A name for the key that reveals nothing of it: eight bytes that all holders compute alike.
    pub fn id(&self) -> KeyId {
        let tag = hmac::sign(&self.hmac("key-id", b""), b"");
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(
            tag.as_ref()
                .get(..KEY_ID_BYTES)
                .unwrap_or(&[0; KEY_ID_BYTES]),
        );
        KeyId(id)
    }

    /// What the owner `party` publishes to show that it holds this key. Each party's value is its
    /// own, so that repeating another's proves nothing.
    pub fn check_value(&self, project: &ProjectId, party: &crate::ids::PartyId) -> KeyCheck {
        let key = self.hmac("key-check", project.as_bytes());
        KeyCheck::new(hmac::sign(&key, party.as_str().as_bytes()).as_ref())
    }
}

/// A name for a project key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(#[serde(with = "hex::serde")] pub [u8; KEY_ID_BYTES]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subkeys_are_separated_by_purpose_and_context() {
        let key = ProjectKey::from_bytes([7; 32]);
        let subkeys = [
            key.derive("positions", b"a"),
            key.derive("positions", b"b"),
            key.derive("link-key", b"a"),
            key.derive("positionsa", b""),
            ProjectKey::from_bytes([8; 32]).derive("positions", b"a"),
        ];
        for (i, a) in subkeys.iter().enumerate() {
            for b in subkeys.iter().skip(i + 1) {
                assert_ne!(**a, **b);
            }
        }
        assert_eq!(*key.derive("positions", b"a"), *subkeys[0]);
    }

    #[test]
    fn debug_output_shows_no_key() {
        let shown = format!("{:?}", ProjectKey::from_bytes([0xab; 32]));
        assert_eq!(shown, "ProjectKey(redacted)");
    }
}
