//! The manifest: its fields, and what makes one acceptable.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Error, OWNERS_MAX};
use crate::ids::{PartyId, ProjectId};
use crate::keys::SealingPublicKey;
use crate::schema::{Profile, RecordsPerOwner, Schema};

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

/// What the schema and the protocol mean for whoever signs, in plain sight: a manifest whose terms
/// are not those of its schema is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// SHA-256 of the schema's text, 64 hexadecimal digits.
    pub schema_sha256: String,
    /// How records are encoded.
    pub profile: Profile,
    /// Names of the rules whose equal values link two records.
    pub link_rules: Vec<String>,
    /// Names of the rules whose equal values make two records candidates.
    pub block_rules: Vec<String>,
    /// How the threshold between links and others is found.
    pub threshold: Threshold,
    /// Largest share of an owner's rows that an ask filter may hit; above it the owner refuses,
    /// since a filter that hits everything asks for everything. Above 0, at most 1.
    pub ask_rows_max_share: f64,
}

/// How the threshold between links and others is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Threshold {
    /// By the matcher from the agreements of the run itself.
    Calibrated,
}

impl Terms {
    /// The terms of a schema, `text` being the schema's.
    pub fn of(schema: &Schema, text: &str, ask_rows_max_share: f64) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        Self {
            schema_sha256: hex::encode(digest),
            profile: schema.token.profile,
            link_rules: schema
                .link_keys
                .iter()
                .map(|rule| rule.name.clone())
                .collect(),
            block_rules: schema
                .block_keys
                .iter()
                .map(|rule| rule.name.clone())
                .collect(),
            threshold: Threshold::Calibrated,
            ask_rows_max_share,
        }
    }
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
    /// Number of this manifest in its line, from 1. A new epoch, with other owners or the same,
    /// has a key of its own.
    pub epoch: u32,
    /// Identity of the manifest that this one succeeds; of a first epoch none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<String>,
    /// Last day of the project, `YYYY-MM-DD` in UTC. Afterwards nothing is begun any more.
    pub expires: String,
    /// The schema, as its text.
    pub schema: String,
    /// The schema's meaning in plain sight.
    pub terms: Terms,
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

    /// The first moment after the project's last day.
    pub(super) fn ends(&self) -> Result<Timestamp, Error> {
        let date: Result<Date, _> = self.expires.parse();
        // Written back, so that one day has one spelling.
        date.ok()
            .filter(|date| date.to_string() == self.expires)
            .and_then(|date| date.tomorrow().ok())
            .and_then(|day| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok())
            .ok_or_else(|| Error::Meaning("expires is no day, such as 2030-12-31".to_owned()))
    }

    /// The identity of the epoch before.
    pub(super) fn succeeds(&self) -> Result<Option<ProjectId>, Error> {
        let refuse = |message: &str| Error::Meaning(message.to_owned());
        match (&self.predecessor, self.epoch) {
            (None, 1) => Ok(None),
            (Some(id), 2..) => id
                .parse()
                .map(Some)
                .map_err(|_| refuse("predecessor is no project's identity")),
            _ => Err(refuse(
                "epoch 1 has no predecessor, a later epoch names the one before it",
            )),
        }
    }
}

pub(super) fn check(manifest: &Manifest) -> Result<(), Error> {
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
    require(
        manifest.tables.threshold_k >= 3,
        "tables.threshold_k must be 3 or more",
    )
}

/// Refuses several records of a person at an owner: they would share a position, which says that
/// they were linked, and a table counts one record at a position.
pub(super) fn check_duplicates(schema: &Schema) -> Result<(), Error> {
    if schema.decide.records_per_owner == RecordsPerOwner::One {
        return Ok(());
    }
    let message = "records_per_owner = \"any\" is for matching files: in a project, owners would \
                   learn which of their own records were linked; remove duplicates before";
    Err(Error::Meaning(message.to_owned()))
}

/// Refuses a risk that nobody has accepted, and an acceptance of another.
pub(super) fn check_risk(accepted: Option<&AcceptedRisk>, profile: Profile) -> Result<(), Error> {
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

/// Refuses terms that are not those of the schema.
pub(super) fn check_terms(manifest: &Manifest, schema: &Schema) -> Result<(), Error> {
    let share = manifest.terms.ask_rows_max_share;
    if !(share > 0.0 && share <= 1.0) {
        let message = "terms.ask_rows_max_share must be above 0 and at most 1";
        return Err(Error::Meaning(message.to_owned()));
    }
    if manifest.terms == Terms::of(schema, &manifest.schema, share) {
        Ok(())
    } else {
        let message = "its terms are not those of its schema";
        Err(Error::Meaning(message.to_owned()))
    }
}
