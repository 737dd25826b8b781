//! A project's manifest: what the owners agree on, word for word, and sign.

use std::collections::BTreeSet;

use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::ids::{PartyId, ProjectId};
use crate::keys::SealingPublicKey;
use crate::schema::{self, Profile, RecordsPerOwner, Schema};

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

/// One owner in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Its name.
    pub party: PartyId,
    /// Its Ed25519 public key, 64 hexadecimal digits.
    pub signing_key: String,
    /// Its X25519 public key for sealed messages, 64 hexadecimal digits.
    pub sealing_key: String,
}

/// Rules for tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tables {
    /// Parties that may ask.
    pub analysts: Vec<PartyId>,
    /// Cells that count fewer than this many are not shown.
    pub threshold_k: u32,
    /// Privacy loss (epsilon) that each of the two owners' noise shares is calibrated to, per
    /// table; a decimal number as text, such as `"0.5"`.
    pub epsilon_per_table: String,
    /// Privacy loss that an owner's answers may add up to over the project's life.
    pub epsilon_budget: String,
}

/// Who answers for a profile that protects less than the default, and why it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedRisk {
    /// The profile whose risk is accepted; the schema's.
    pub profile: Profile,
    /// The person or office that accepts it.
    pub by: String,
    /// Why the project needs that profile.
    pub reason: String,
}

/// What the owners of a project agree on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the manifest's form; 1.
    pub version: u32,
    /// Name for people.
    pub name: String,
    /// What the linkage is for.
    pub purpose: String,
    /// The law or decree that permits it.
    pub legal_basis: String,
    /// The matcher's name.
    pub matcher: PartyId,
    /// Random text that makes two projects of the same words different.
    pub nonce: String,
    /// The schema, as its text.
    pub schema: String,
    /// Largest share of an owner's rows whose tokens it sends when the matcher asks for them; above
    /// it the owner refuses, since a filter that hits everything asks for everything. Above 0, at
    /// most 1.
    pub ask_rows_max_share: f64,
    /// Rules for tables.
    pub tables: Tables,
    /// The risk that somebody has accepted; a schema of the `fields` profile needs it, and only
    /// that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_risk: Option<AcceptedRisk>,
    /// The owners, in order of name.
    #[serde(rename = "owner")]
    pub owners: Vec<Owner>,
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
}

impl Manifest {
    /// The manifest as the bytes to sign.
    ///
    /// # Errors
    /// [`Error::Meaning`] when a text cannot be written as TOML.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        toml::to_string(self)
            .map(String::into_bytes)
            .map_err(|e| Error::Meaning(e.to_string()))
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
        check(&manifest)?;
        check_risk(manifest.accepted_risk.as_ref(), schema.token.profile)?;
        check_duplicates(&schema)?;
        Ok(Self {
            id: ProjectId::of_manifest(bytes),
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
        let refused = || Error::Signature(party.clone());
        let key = hex::decode(&self.owner(party)?.signing_key).map_err(|_| refused())?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&self.signed_bytes(purpose, message), signature)
            .map_err(|_| refused())
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
    /// Agreement to the manifest; the message is empty, the project's identity says all.
    Manifest,
    /// A commitment to a key contribution.
    Commitment,
    /// A sealed contribution; the message is the recipient's name, NUL, and the sealed bytes.
    SealedReveal,
    /// A key check value.
    KeyCheck,
    /// An uploaded batch; the message is the batch's digest.
    Batch,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Commitment => "commitment",
            Self::SealedReveal => "sealed-reveal",
            Self::KeyCheck => "key-check",
            Self::Batch => "batch",
        }
    }
}

fn check(manifest: &Manifest) -> Result<(), Error> {
    let require = |ok: bool, message: &str| {
        if ok {
            Ok(())
        } else {
            Err(Error::Meaning(message.to_owned()))
        }
    };
    require(manifest.version == 1, "its version is not 1")?;
    let texts = [
        &manifest.name,
        &manifest.purpose,
        &manifest.legal_basis,
        &manifest.nonce,
    ];
    let written = |text: &&String| !text.trim().is_empty() && text.len() <= 4096;
    require(
        texts.iter().all(written),
        "name, purpose, legal_basis and nonce must be given, in at most 4096 bytes each",
    )?;
    require(
        (2..=OWNERS_MAX).contains(&manifest.owners.len()),
        "a project has 2 to 60 owners",
    )?;
    require(
        manifest.owners.is_sorted_by(|a, b| a.party < b.party),
        "its owners must be listed once each, in order of name",
    )?;
    require(
        manifest
            .owners
            .iter()
            .all(|owner| owner.party != manifest.matcher),
        "the matcher cannot be an owner: it would hold both tokens and the key",
    )?;
    let mut keys = BTreeSet::new();
    for owner in &manifest.owners {
        let signing = hex::decode(&owner.signing_key).is_ok_and(|key| key.len() == 32);
        let sealing = hex::decode(&owner.sealing_key)
            .is_ok_and(|key| SealingPublicKey::from_bytes(&key).is_ok());
        require(
            signing && sealing,
            "an owner's key is not 64 hexadecimal digits",
        )?;
        require(
            keys.insert(&owner.signing_key) && keys.insert(&owner.sealing_key),
            "two owners have the same key",
        )?;
    }
    let share = manifest.ask_rows_max_share;
    require(
        share > 0.0 && share <= 1.0,
        "ask_rows_max_share must be above 0 and at most 1",
    )?;
    require(
        manifest.tables.threshold_k >= 3,
        "tables.threshold_k must be 3 or more",
    )
}

/// Refuses several records of a person at an owner: they would share a position, which says that
/// they were linked, and a table counts one record at a position.
fn check_duplicates(schema: &Schema) -> Result<(), Error> {
    if schema.decide.records_per_owner == RecordsPerOwner::One {
        return Ok(());
    }
    let message = "records_per_owner = \"any\" is for matching files: in a project, owners would \
                   learn which of their own records were linked; remove duplicates before";
    Err(Error::Meaning(message.to_owned()))
}

/// Refuses a risk that nobody has accepted, and an acceptance of another.
fn check_risk(accepted: Option<&AcceptedRisk>, profile: Profile) -> Result<(), Error> {
    let refuse = |message: &str| Err(Error::Meaning(message.to_owned()));
    match accepted {
        None if profile == Profile::Fields => refuse(
            "its schema has profile = \"fields\", whose tokens are weakest against frequency \
             attacks: add [accepted_risk] with profile = \"fields\", by = \"who accepts it\" and \
             reason = \"why\", or choose the profile \"hardened\"",
        ),
        Some(_) if profile != Profile::Fields => refuse(
            "it accepts a risk that its schema does not bring: leave [accepted_risk] out unless the \
             schema has profile = \"fields\"",
        ),
        Some(risk) if risk.profile != profile => {
            refuse("accepted_risk.profile is not the profile of its schema")
        }
        Some(risk) => {
            let written = |text: &str| !text.trim().is_empty() && text.len() <= 4096;
            if written(&risk.by) && written(&risk.reason) {
                Ok(())
            } else {
                refuse("accepted_risk.by and .reason must be given, in at most 4096 bytes each")
            }
        }
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;
    use ring::signature::KeyPair;

    use super::*;
    use crate::keys::SealingKey;

    fn signer(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn manifest() -> Manifest {
        let owner = |name: &str, seed: u8| Owner {
            party: name.parse().unwrap(),
            signing_key: hex::encode(signer(seed).public_key().as_ref()),
            sealing_key: hex::encode(
                SealingKey::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
                    .public()
                    .to_bytes(),
            ),
        };
        Manifest {
            version: 1,
            name: "试点".into(),
            purpose: "count".into(),
            legal_basis: "decree".into(),
            matcher: "matcher".parse().unwrap(),
            nonce: "n".into(),
            schema: "version = 1\nentity = \"persons\"\nid_column = \"id\"\n[[field]]\n\
                     name = \"name\"\nkind = \"name\"\nfeature = [{ kind = \"whole\", bits = 9 }]\n"
                .into(),
            ask_rows_max_share: 0.9,
            tables: Tables {
                analysts: vec![],
                threshold_k: 10,
                epsilon_per_table: "0.5".into(),
                epsilon_budget: "5".into(),
            },
            accepted_risk: None,
            owners: vec![owner("credit", 1), owner("health", 2)],
        }
    }

    #[test]
    fn a_signature_fits_one_owner_one_project_one_purpose() {
        let project = Project::parse(&manifest().to_bytes().unwrap()).unwrap();
        let (credit, health): (PartyId, PartyId) =
            ("credit".parse().unwrap(), "health".parse().unwrap());
        let signature = project.sign(&signer(1), Purpose::Manifest, b"");
        assert_eq!(
            project.verify(&credit, Purpose::Manifest, b"", &signature),
            Ok(())
        );
        assert!(
            project
                .verify(&health, Purpose::Manifest, b"", &signature)
                .is_err()
        );
        assert!(
            project
                .verify(&credit, Purpose::KeyCheck, b"", &signature)
                .is_err()
        );
        assert!(
            project
                .verify(&credit, Purpose::Manifest, b"x", &signature)
                .is_err()
        );
        let mut other = manifest();
        other.nonce = "m".into();
        let other = Project::parse(&other.to_bytes().unwrap()).unwrap();
        assert!(
            other
                .verify(&credit, Purpose::Manifest, b"", &signature)
                .is_err()
        );
        let stranger: PartyId = "tax".parse().unwrap();
        assert_eq!(
            project.verify(&stranger, Purpose::Manifest, b"", &signature),
            Err(Error::NotAnOwner(stranger))
        );
    }

    #[test]
    fn contradictions_are_refused() {
        type Change = fn(&mut Manifest);
        let changes: [Change; 6] = [
            |m| m.owners.truncate(1),
            |m| m.owners.reverse(),
            |m| m.matcher = "credit".parse().unwrap(),
            |m| m.owners[1].signing_key = m.owners[0].signing_key.clone(),
            |m| m.purpose = " ".into(),
            |m| m.tables.threshold_k = 1,
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut bad = manifest();
            change(&mut bad);
            assert!(
                Project::parse(&bad.to_bytes().unwrap()).is_err(),
                "change {at}"
            );
        }
        let unknown = format!("color = 1\n{}", toml::to_string(&manifest()).unwrap());
        assert!(
            Project::parse(unknown.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("color")
        );
    }

    #[test]
    fn an_owner_has_one_record_of_a_person() {
        let mut manifest = manifest();
        manifest.schema = manifest.schema.replace(
            "id_column = \"id\"\n",
            "id_column = \"id\"\n[decide]\nrecords_per_owner = \"any\"\n",
        );
        let error = Project::parse(&manifest.to_bytes().unwrap()).unwrap_err();
        assert!(error.to_string().contains("records_per_owner"), "{error}");
    }

    #[test]
    fn field_level_filters_need_an_accepted_risk_and_nothing_else_has_one() {
        let refusal = |manifest: &Manifest| match Project::parse(&manifest.to_bytes().unwrap()) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        let risk = AcceptedRisk {
            profile: Profile::Fields,
            by: "Data office".into(),
            reason: "enterprises are public".into(),
        };
        let mut manifest = manifest();
        manifest.accepted_risk = Some(risk.clone());
        assert!(refusal(&manifest).contains("does not bring"));
        let filter = "[[filter]]\nname = \"n\"\nbits = 64\nfields = [\"name\"]\nweight = 1\n";
        let schema = manifest.schema.replace(
            "id_column = \"id\"\n",
            "id_column = \"id\"\n[token]\nprofile = \"fields\"\n",
        );
        manifest.schema = format!("{schema}{filter}");
        assert_eq!(refusal(&manifest), "");
        manifest.accepted_risk = None;
        assert!(refusal(&manifest).contains("add [accepted_risk]"));
        manifest.accepted_risk = Some(AcceptedRisk {
            by: " ".into(),
            ..risk.clone()
        });
        assert!(refusal(&manifest).contains("must be given"));
        manifest.accepted_risk = Some(AcceptedRisk {
            profile: Profile::PlainClk,
            ..risk
        });
        assert!(refusal(&manifest).contains("not the profile"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(at in 0_usize..400, byte in any::<u8>()) {
            let mut bytes = manifest().to_bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = Project::parse(&bytes);
        }
    }
}
