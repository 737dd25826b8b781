//! Receipts: a node's signed statement of what it destroyed when a project was closed.
//!
//! A receipt proves that the node said so, not that no copy is left elsewhere.

use jiff::Timestamp;
use ring::signature::Ed25519KeyPair;
use serde::{Deserialize, Serialize};

use super::{Error, Project, Purpose};
use crate::ids::PartyId;

/// Largest receipt, in bytes: a line for each owner's batch and some more.
const BYTES_MAX: usize = 64 * 1024;

/// Something that was destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destroyed {
    /// What: `batch`, `link map`, `project key` and so on.
    pub what: String,
    /// Whose, if it was one owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<PartyId>,
    /// How many: records, positions, keys, items.
    pub count: u64,
    /// A name for the content that reveals nothing of it, such as its SHA-256 where it was random,
    /// or a key's identity; in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What a node destroyed when a project was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Version of the form; 1.
    pub version: u32,
    /// The project, 64 hexadecimal digits.
    pub project: String,
    /// The node's party.
    pub node: PartyId,
    /// When the last of it was destroyed, RFC 3339.
    pub time: String,
    /// What was destroyed.
    pub destroyed: Vec<Destroyed>,
}

/// A receipt as it is kept and handed on: its bytes and the node's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedReceipt {
    /// The receipt's JSON.
    pub bytes: Vec<u8>,
    /// Ed25519, by the node's signing key.
    pub signature: Vec<u8>,
}

impl Receipt {
    /// A receipt of this project.
    pub fn new(
        project: &Project,
        node: PartyId,
        time: Timestamp,
        destroyed: Vec<Destroyed>,
    ) -> Self {
        Self {
            version: 1,
            project: project.id.to_string(),
            node,
            time: time.to_string(),
            destroyed,
        }
    }

    /// The receipt, signed.
    ///
    /// # Errors
    /// [`Error::Meaning`] when it cannot be written as JSON.
    pub fn sign(&self, project: &Project, key: &Ed25519KeyPair) -> Result<SignedReceipt, Error> {
        let bytes = serde_json::to_vec(self).map_err(|e| Error::Meaning(e.to_string()))?;
        let signature = project.sign(key, Purpose::Receipt, &bytes);
        Ok(SignedReceipt { bytes, signature })
    }
}

impl SignedReceipt {
    /// The receipt, once its signature by `key` and its project are checked.
    ///
    /// # Errors
    /// [`Error::Syntax`], [`Error::Meaning`] or [`Error::Signature`].
    pub fn verify(&self, project: &Project, key: &[u8]) -> Result<Receipt, Error> {
        if self.bytes.len() > BYTES_MAX {
            return Err(Error::TooLarge(self.bytes.len()));
        }
        let receipt: Receipt =
            serde_json::from_slice(&self.bytes).map_err(|e| Error::Syntax(e.to_string()))?;
        project.verify_by(
            key,
            &receipt.node,
            Purpose::Receipt,
            &self.bytes,
            &self.signature,
        )?;
        if receipt.version != 1 || receipt.project != project.id.to_string() {
            let message = "the receipt is of another version or project";
            return Err(Error::Meaning(message.to_owned()));
        }
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::signature::KeyPair;

    use super::*;
    use crate::project::tests::{project, signer};

    fn receipt(project: &Project) -> Receipt {
        let batch = Destroyed {
            what: "batch".into(),
            of: Some("credit".parse().unwrap()),
            count: 7,
            digest: Some("ab".repeat(32)),
        };
        let node = "matcher".parse().unwrap();
        Receipt::new(project, node, Timestamp::UNIX_EPOCH, vec![batch])
    }

    #[test]
    fn a_receipt_is_of_one_project_and_one_node() {
        let project = project();
        let (key, other) = (signer(9), signer(8));
        let public = key.public_key().as_ref();
        let signed = receipt(&project).sign(&project, &key).unwrap();
        assert_eq!(signed.verify(&project, public).unwrap(), receipt(&project));
        assert!(
            signed
                .verify(&project, other.public_key().as_ref())
                .is_err()
        );
        let mut foreign = receipt(&project);
        foreign.project = "00".repeat(32);
        let foreign = foreign.sign(&project, &key).unwrap();
        assert!(foreign.verify(&project, public).is_err());
    }

    proptest! {
        #[test]
        fn a_changed_receipt_does_not_verify(at in 0_usize..1000, bit in 0_u32..8) {
            let project = project();
            let key = signer(9);
            let mut signed = receipt(&project).sign(&project, &key).unwrap();
            let at = at % signed.bytes.len();
            signed.bytes[at] ^= 1 << bit;
            prop_assert!(signed.verify(&project, key.public_key().as_ref()).is_err());
        }
    }
}
