//! The two persons by whom an owner agrees: one answers for the manifest, another signs.
//!
//! [`Consent`] can only be made of two different persons, and no signature of a manifest is made or
//! accepted without one: an owner's signature by one person alone does not exist.

use serde::{Deserialize, Serialize};

/// One person stood for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "one person cannot answer for a manifest and sign it: another operator of this owner must sign"
)]
pub struct SamePerson;

/// A person as a certificate shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    name: String,
    #[serde(with = "hex::serde")]
    certificate_sha256: [u8; 32],
}

impl Person {
    /// The person of this name with a certificate of this digest.
    pub fn new(name: impl Into<String>, certificate_sha256: [u8; 32]) -> Self {
        Self {
            name: name.into(),
            certificate_sha256,
        }
    }

    /// The name, unique among the operators of an owner.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Who answers for a manifest at an owner: its author, or who approved another owner's proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FirstPerson(Person);

impl FirstPerson {
    /// This person answers for the manifest.
    pub fn new(person: Person) -> Self {
        Self(person)
    }

    /// The person.
    pub fn person(&self) -> &Person {
        &self.0
    }

    /// The consent of this person and a second one. A renewed certificate does not make one person
    /// two, nor two names on one certificate.
    ///
    /// # Errors
    /// [`SamePerson`].
    pub fn consent(&self, second: &Person) -> Result<Consent, SamePerson> {
        if self.0.name == second.name {
            return Err(SamePerson);
        }
        Consent::new(self.0.certificate_sha256, second.certificate_sha256)
    }
}

/// That two persons of an owner agree to a manifest. It names them by the digests of their
/// certificates: names of staff do not leave the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    first: [u8; 32],
    second: [u8; 32],
}

impl Consent {
    /// The consent of the holders of these certificates.
    ///
    /// # Errors
    /// [`SamePerson`].
    pub fn new(first: [u8; 32], second: [u8; 32]) -> Result<Self, SamePerson> {
        if first == second {
            return Err(SamePerson);
        }
        Ok(Self { first, second })
    }

    /// Digest of the certificate of who answers for the manifest.
    pub fn first(&self) -> &[u8; 32] {
        &self.first
    }

    /// Digest of the certificate of who signed.
    pub fn second(&self) -> &[u8; 32] {
        &self.second
    }

    /// What the owner's signature of the manifest covers beside the project's identity.
    pub(super) fn message(&self) -> [u8; 64] {
        let mut message = [0; 64];
        let (first, second) = message.split_at_mut(32);
        first.copy_from_slice(&self.first);
        second.copy_from_slice(&self.second);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_takes_two_persons_and_two_certificates() {
        let first = FirstPerson::new(Person::new("li", [1; 32]));
        assert!(first.consent(&Person::new("wang", [2; 32])).is_ok());
        for (what, second) in [
            ("the same person", Person::new("li", [1; 32])),
            ("a renewed certificate", Person::new("li", [2; 32])),
            (
                "another name on the certificate",
                Person::new("wang", [1; 32]),
            ),
        ] {
            assert_eq!(first.consent(&second), Err(SamePerson), "{what}");
        }
        assert_eq!(Consent::new([3; 32], [3; 32]), Err(SamePerson));
    }
}
