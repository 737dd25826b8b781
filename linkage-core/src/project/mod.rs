//! A project: the manifest that its owners agree on, word for word, and sign by two persons each;
//! the states it goes through; what is left of it at the end.

pub mod manifest;
pub mod notice;
pub mod persons;
pub mod receipt;
pub mod state;

use std::collections::BTreeMap;

use jiff::Timestamp;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

use crate::ids::{PartyId, ProjectId};
use crate::schema::{self, Schema};

use manifest::{Manifest, Owner};
use persons::Consent;
use state::Term;

/// Largest manifest, in bytes: a schema and a page of text.
pub const MANIFEST_BYTES_MAX: usize = schema::BYTES_MAX + 64 * 1024;

/// Most owners of a project.
pub const OWNERS_MAX: usize = 60;

/// Why a manifest or a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not TOML, or a key that no manifest has; the message names line and column.
    #[error("the manifest is not readable: {0}")]
    Syntax(String),
    /// Larger than [`MANIFEST_BYTES_MAX`].
    #[error("a manifest has at most {MANIFEST_BYTES_MAX} bytes, this one has {0}")]
    TooLarge(usize),
    /// The manifest contradicts itself.
    #[error("the manifest is not acceptable: {0}")]
    Meaning(String),
    /// The schema inside is refused.
    #[error("the manifest's schema is refused: {0}")]
    Schema(schema::Error),
    /// A signature does not verify.
    #[error("the signature of {0} does not fit the manifest")]
    Signature(PartyId),
    /// A party that is no owner of the project.
    #[error("{0} is not an owner of this project")]
    NotAnOwner(PartyId),
}

/// A manifest together with the exact bytes that were signed, and its parsed schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// Identity: the hash of the bytes.
    pub id: ProjectId,
    /// The signed bytes.
    pub bytes: Vec<u8>,
    /// The parsed manifest.
    pub manifest: Manifest,
    /// The parsed schema.
    pub schema: Schema,
    /// The epoch before this one, if it is not the first.
    pub predecessor: Option<ProjectId>,
    /// The first moment at which the project has expired.
    pub ends: Timestamp,
}

/// An owner's signature of a manifest, not verified by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestSignature {
    /// The owner.
    pub party: PartyId,
    /// By which two persons it agrees.
    pub consent: Consent,
    /// Ed25519 over the project's identity and the consent.
    pub signature: Vec<u8>,
}

/// Signatures of a manifest that have been verified, each by the consent of two persons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signatures {
    by_party: BTreeMap<PartyId, Consent>,
    missing: Vec<PartyId>,
}

impl Signatures {
    /// Who has signed.
    pub fn parties(&self) -> impl Iterator<Item = &PartyId> {
        self.by_party.keys()
    }

    /// The owners that have not signed yet.
    pub fn missing(&self) -> &[PartyId] {
        &self.missing
    }
}

impl Project {
    /// Reads and checks a manifest's bytes.
    ///
    /// # Errors
    /// [`Error`], saying what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(Error::TooLarge(bytes.len()));
        }
        let manifest: Manifest =
            toml::from_slice(bytes).map_err(|e| Error::Syntax(e.to_string()))?;
        let schema = Schema::parse(&manifest.schema).map_err(Error::Schema)?;
        manifest::check(&manifest)?;
        manifest::check_risk(manifest.accepted_risk.as_ref(), schema.token.profile)?;
        manifest::check_duplicates(&schema)?;
        manifest::check_terms(&manifest, &schema)?;
        Ok(Self {
            id: ProjectId::of_manifest(bytes),
            predecessor: manifest.succeeds()?,
            ends: manifest.ends()?,
            bytes: bytes.to_vec(),
            manifest,
            schema,
        })
    }

    /// Index of an owner in the manifest's order.
    pub fn owner_index(&self, party: &PartyId) -> Option<usize> {
        self.manifest
            .owners
            .iter()
            .position(|owner| owner.party == *party)
    }

    /// An owner's entry.
    ///
    /// # Errors
    /// [`Error::NotAnOwner`].
    pub fn owner(&self, party: &PartyId) -> Result<&Owner, Error> {
        self.manifest
            .owners
            .iter()
            .find(|owner| owner.party == *party)
            .ok_or_else(|| Error::NotAnOwner(party.clone()))
    }

    /// The owners that are not among `parties`.
    pub fn others_than<'a>(&self, parties: impl IntoIterator<Item = &'a PartyId>) -> Vec<PartyId> {
        let parties: Vec<_> = parties.into_iter().collect();
        self.manifest
            .owners
            .iter()
            .map(|owner| &owner.party)
            .filter(|party| !parties.contains(party))
            .cloned()
            .collect()
    }

    /// Whether new acts may still begin at this moment.
    pub fn term(&self, now: Timestamp) -> Term {
        if now < self.ends {
            Term::Running
        } else {
            Term::Expired
        }
    }

    /// Signs the manifest by the consent of two persons of the owner whose key this is.
    pub fn sign_manifest(&self, key: &Ed25519KeyPair, consent: &Consent) -> Vec<u8> {
        self.sign(key, Purpose::Manifest, &consent.message())
    }

    /// Checks signatures of the manifest.
    ///
    /// # Errors
    /// [`Error::NotAnOwner`] or [`Error::Signature`] for the first that does not hold.
    pub fn signatures<'a>(
        &self,
        signatures: impl IntoIterator<Item = &'a ManifestSignature>,
    ) -> Result<Signatures, Error> {
        let mut by_party = BTreeMap::new();
        for signed in signatures {
            let message = signed.consent.message();
            self.verify(
                &signed.party,
                Purpose::Manifest,
                &message,
                &signed.signature,
            )?;
            by_party.insert(signed.party.clone(), signed.consent);
        }
        let missing = self.others_than(by_party.keys());
        Ok(Signatures { by_party, missing })
    }

    /// Signs `message` about this project with an owner's key. `purpose` separates kinds of
    /// messages: a signature for one is none for another.
    pub fn sign(&self, key: &Ed25519KeyPair, purpose: Purpose, message: &[u8]) -> Vec<u8> {
        key.sign(&self.signed_bytes(purpose, message))
            .as_ref()
            .to_vec()
    }

    /// Checks an owner's signature.
    ///
    /// # Errors
    /// [`Error::NotAnOwner`] or [`Error::Signature`].
    pub fn verify(
        &self,
        party: &PartyId,
        purpose: Purpose,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let key = hex::decode(&self.owner(party)?.signing_key)
            .map_err(|_| Error::Signature(party.clone()))?;
        self.verify_by(&key, party, purpose, message, signature)
    }

    /// Checks a signature by a key that is no owner's, such as a matcher's, which the caller knows
    /// from its own configuration.
    ///
    /// # Errors
    /// [`Error::Signature`] naming `party`.
    pub fn verify_by(
        &self,
        key: &[u8],
        party: &PartyId,
        purpose: Purpose,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&self.signed_bytes(purpose, message), signature)
            .map_err(|_| Error::Signature(party.clone()))
    }

    fn signed_bytes(&self, purpose: Purpose, message: &[u8]) -> Vec<u8> {
        let mut bytes = b"linkage/signed/v1\0".to_vec();
        bytes.extend_from_slice(purpose.label().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(message);
        bytes
    }
}

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Agreement to the manifest: the project's identity says its words, the message whose consent
    /// it is.
    Manifest,
    /// A commitment to a key contribution.
    Commitment,
    /// A sealed contribution; the message is the recipient's name, NUL, and the sealed bytes.
    SealedReveal,
    /// A key check value.
    KeyCheck,
    /// An uploaded batch; the message is the batch's digest.
    Batch,
    /// A notice that the project is suspended, resumed or closed.
    Notice,
    /// A receipt of what was destroyed.
    Receipt,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Commitment => "commitment",
            Self::SealedReveal => "sealed-reveal",
            Self::KeyCheck => "key-check",
            Self::Batch => "batch",
            Self::Notice => "notice",
            Self::Receipt => "receipt",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
