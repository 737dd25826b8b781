//! Names of things: parties and projects.
//!
//! Both are parsed once at the edge (a file, a certificate, a message) and are well-formed ever
//! after.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name of a party, in characters. The same bound as a DNS label (RFC 1035, 2.3.4), so that
/// a party's name fits a host name and a certificate's URI without escaping.
pub const PARTY_LENGTH_MAX: usize = 63;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is empty, too long or has a character that a party's name may not have.
    #[error(
        "\"{0}\" is not a party name: use 1 to 63 of a-z, 0-9 and '-', not starting or ending with '-'"
    )]
    Party(String),
    /// The text is not 64 hexadecimal digits.
    #[error("\"{0}\" is not a project id: expected 64 hexadecimal digits")]
    Project(String),
}

/// A party's name: an owner, a matcher, an analyst; unique within a trust domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartyId(String);

impl PartyId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PartyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let well_formed = (1..=PARTY_LENGTH_MAX).contains(&text.len())
            && text.bytes().all(inner)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::Party(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for PartyId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<PartyId> for String {
    fn from(party: PartyId) -> Self {
        party.0
    }
}

impl fmt::Display for PartyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A project's identity: the SHA-256 of its manifest's bytes. Whoever names a project thereby names
/// every word that its owners signed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectId([u8; 32]);

impl ProjectId {
    /// The identity of the project with these manifest bytes.
    pub fn of_manifest(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let mut id = [0; 32];
        id.copy_from_slice(digest.as_ref());
        Self(id)
    }

    /// The identity as 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hexadecimal digits, for people.
    pub fn short(&self) -> String {
        hex::encode(self.0).chars().take(8).collect()
    }
}

impl From<[u8; 32]> for ProjectId {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for ProjectId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut id = [0; 32];
        hex::decode_to_slice(text, &mut id)
            .map_err(|_| Error::Project(text.chars().take(80).collect()))?;
        Ok(Self(id))
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProjectId({})", self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn party_names_are_dns_labels() {
        for good in ["a", "social-security", "x1", &"a".repeat(63)] {
            assert_eq!(good.parse::<PartyId>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a.b", "社保", "a b", &"a".repeat(64)] {
            assert!(bad.parse::<PartyId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_project_is_named_by_its_manifest() {
        let id = ProjectId::of_manifest(b"a");
        assert_ne!(id, ProjectId::of_manifest(b"b"));
        assert_eq!(id.to_string().parse::<ProjectId>().unwrap(), id);
        assert!("zz".parse::<ProjectId>().is_err());
    }
}
