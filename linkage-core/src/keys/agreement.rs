//! Contributory key agreement: every owner draws a contribution, commits to it, and only when all
//! commitments stand reveals it to every other owner. No owner can choose its contribution after
//! seeing another's, and whoever lacks one contribution knows nothing of the key.

use std::collections::BTreeMap;
use std::fmt;

use rand::CryptoRng;
use ring::{digest, hkdf};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Error, KEY_BYTES, Length, ProjectKey};
use crate::ids::{PartyId, ProjectId};

/// SHA-256 over an owner's contribution and blinding value: published before any reveal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment(pub [u8; 32]);

/// An owner's secret share of the project key together with the value that blinds its commitment.
pub struct Contribution {
    share: Zeroizing<[u8; KEY_BYTES]>,
    blind: Zeroizing<[u8; KEY_BYTES]>,
}

/// A contribution's bytes as they travel, sealed, to another owner: share, then blinding value.
pub type Reveal = Zeroizing<[u8; 2 * KEY_BYTES]>;

impl fmt::Debug for Contribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contribution(redacted)")
    }
}

impl Contribution {
    /// Draws a fresh contribution.
    pub fn draw(rng: &mut impl CryptoRng) -> Self {
        let mut share = Zeroizing::new([0; KEY_BYTES]);
        let mut blind = Zeroizing::new([0; KEY_BYTES]);
        rng.fill_bytes(share.as_mut_slice());
        rng.fill_bytes(blind.as_mut_slice());
        Self { share, blind }
    }

    /// The bytes that another owner needs to check the commitment and compute the key.
    pub fn reveal(&self) -> Reveal {
        let mut bytes = Zeroizing::new([0; 2 * KEY_BYTES]);
        let (share, blind) = bytes.split_at_mut(KEY_BYTES);
        share.copy_from_slice(self.share.as_slice());
        blind.copy_from_slice(self.blind.as_slice());
        bytes
    }

    /// A contribution from revealed bytes.
    ///
    /// # Errors
    /// [`Error::Malformed`] when there are not exactly 64 bytes.
    pub fn from_reveal(bytes: &[u8]) -> Result<Self, Error> {
        let (share, blind) = bytes
            .split_at_checked(KEY_BYTES)
            .ok_or(Error::Malformed("key contribution"))?;
        let key = |bytes: &[u8]| -> Result<Zeroizing<[u8; KEY_BYTES]>, Error> {
            let bytes = bytes
                .try_into()
                .map_err(|_| Error::Malformed("key contribution"))?;
            Ok(Zeroizing::new(bytes))
        };
        Ok(Self {
            share: key(share)?,
            blind: key(blind)?,
        })
    }

    /// The commitment of `party` to this contribution in `project`.
    pub fn commitment(&self, project: &ProjectId, party: &PartyId) -> Commitment {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"linkage/key-commitment/v1\0");
        context.update(project.as_bytes());
        context.update(party.as_str().as_bytes());
        context.update(b"\0");
        context.update(self.share.as_slice());
        context.update(self.blind.as_slice());
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        Commitment(out)
    }

    /// Whether this contribution is what `party` committed to.
    pub fn opens(&self, commitment: &Commitment, project: &ProjectId, party: &PartyId) -> bool {
        self.commitment(project, party)
            .0
            .ct_eq(&commitment.0)
            .into()
    }
}

/// The project key from all owners' contributions, after every one has been checked against its
/// commitment: HKDF-SHA-256 over the contributions in order of party name, salted with the
/// project's identity, so that the key is bound to the manifest.
///
/// # Errors
/// [`Error::Parties`] when a contribution or commitment is missing, [`Error::Commitment`] naming
/// the party whose contribution does not open its commitment.
pub fn agree(
    project: &ProjectId,
    commitments: &BTreeMap<PartyId, Commitment>,
    contributions: &BTreeMap<PartyId, Contribution>,
) -> Result<ProjectKey, Error> {
    if commitments.len() != contributions.len() || commitments.len() < 2 {
        return Err(Error::Parties {
            expected: commitments.len(),
            found: contributions.len(),
        });
    }
    let mut material = Zeroizing::new(Vec::with_capacity(contributions.len() * KEY_BYTES));
    for (party, commitment) in commitments {
        let contribution = contributions
            .get(party)
            .ok_or_else(|| Error::Commitment(party.to_string()))?;
        if !contribution.opens(commitment, project, party) {
            return Err(Error::Commitment(party.to_string()));
        }
        material.extend_from_slice(contribution.share.as_slice());
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, project.as_bytes())
        .extract(&material)
        .expand(&[b"linkage/contributory-key/v1"], Length(KEY_BYTES))
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .map_err(|_| Error::Malformed("key material"))?;
    Ok(ProjectKey(key))
}

/// What an owner publishes to show that it holds the project key: a MAC over its own name.
#[derive(Debug, Clone, Copy)]
pub struct KeyCheck([u8; 32]);

impl KeyCheck {
    pub(super) fn new(tag: &[u8]) -> Self {
        let mut value = [0; 32];
        value.copy_from_slice(tag.get(..32).unwrap_or(&[0; 32]));
        Self(value)
    }

    /// The value to publish.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares with what `party` published, in constant time.
    ///
    /// # Errors
    /// [`Error::KeyCheck`] naming the party.
    pub fn matches(&self, published: &[u8], party: &PartyId) -> Result<(), Error> {
        if self.0.as_slice().ct_eq(published).into() {
            Ok(())
        } else {
            Err(Error::KeyCheck(party.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    type Agreed = (
        BTreeMap<PartyId, Commitment>,
        BTreeMap<PartyId, Contribution>,
    );

    fn parties(project: &ProjectId, seed: u64) -> Agreed {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut commitments = BTreeMap::new();
        let mut contributions = BTreeMap::new();
        for name in ["health", "credit", "tax"] {
            let party: PartyId = name.parse().unwrap();
            let contribution = Contribution::draw(&mut rng);
            commitments.insert(party.clone(), contribution.commitment(project, &party));
            contributions.insert(party, contribution);
        }
        (commitments, contributions)
    }

    #[test]
    fn all_owners_reach_one_key_bound_to_the_project() {
        let project = ProjectId::of_manifest(b"manifest");
        let (commitments, contributions) = parties(&project, 1);
        let key = agree(&project, &commitments, &contributions).unwrap();
        let copies = contributions
            .iter()
            .map(|(p, c)| {
                (
                    p.clone(),
                    Contribution::from_reveal(c.reveal().as_slice()).unwrap(),
                )
            })
            .collect();
        assert_eq!(
            agree(&project, &commitments, &copies).unwrap().expose(),
            key.expose()
        );
        let other = ProjectId::of_manifest(b"another");
        assert!(agree(&other, &commitments, &contributions).is_err());
    }

    #[test]
    fn a_contribution_changed_after_commitment_is_named() {
        let project = ProjectId::of_manifest(b"manifest");
        let (commitments, mut contributions) = parties(&project, 1);
        let cheat: PartyId = "health".parse().unwrap();
        contributions.insert(
            cheat,
            Contribution::draw(&mut ChaCha20Rng::seed_from_u64(9)),
        );
        let error = agree(&project, &commitments, &contributions).unwrap_err();
        assert_eq!(error, Error::Commitment("health".into()));
    }

    #[test]
    fn a_missing_contribution_is_refused() {
        let project = ProjectId::of_manifest(b"manifest");
        let (commitments, mut contributions) = parties(&project, 1);
        contributions.pop_first();
        let error = agree(&project, &commitments, &contributions).unwrap_err();
        assert_eq!(
            error,
            Error::Parties {
                expected: 3,
                found: 2
            }
        );
    }

    #[test]
    fn check_values_prove_the_key_per_party() {
        let project = ProjectId::of_manifest(b"manifest");
        let (health, credit): (PartyId, PartyId) =
            ("health".parse().unwrap(), "credit".parse().unwrap());
        let key = ProjectKey::from_bytes([1; 32]);
        let value = key.check_value(&project, &health);
        assert!(value.matches(value.as_bytes(), &health).is_ok());
        let replayed = key.check_value(&project, &credit);
        assert!(replayed.matches(value.as_bytes(), &credit).is_err());
        let other = ProjectKey::from_bytes([2; 32]).check_value(&project, &health);
        assert!(other.matches(value.as_bytes(), &health).is_err());
        assert!(value.matches(b"short", &health).is_err());
    }
}
