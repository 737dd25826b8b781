//! Notices: an owner tells the matcher and the other owners that it suspends, resumes or closes a
//! project. Each is signed and numbered, so that the matcher can neither invent one nor show an old
//! one again.

use ring::signature::Ed25519KeyPair;

use super::state::Event;
use super::{Error, Project, Purpose};
use crate::ids::PartyId;

/// Longest reason, in bytes: a sentence or two.
pub const REASON_BYTES_MAX: usize = 512;

/// What a notice says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The project rests until this owner resumes it.
    Suspend,
    /// This owner's suspension ends.
    Resume,
    /// The project ends, and what it left is destroyed.
    Close,
}

impl Kind {
    /// The word in messages and databases.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Close => "close",
        }
    }

    /// The kind of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Suspend, Self::Resume, Self::Close]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }

    /// The event that a notice of `by` is.
    pub fn event(self, by: PartyId) -> Event {
        match self {
            Self::Suspend => Event::Suspend { by },
            Self::Resume => Event::Resume { by },
            Self::Close => Event::Close { by },
        }
    }
}

/// An owner's notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The owner.
    pub party: PartyId,
    /// Number among the owner's notices of the project, growing; old ones do not count again.
    pub number: u64,
    /// What it says.
    pub kind: Kind,
    /// Why, for people; at most [`REASON_BYTES_MAX`].
    pub reason: String,
    /// The owner's signature.
    pub signature: Vec<u8>,
}

impl Notice {
    /// A notice, signed.
    ///
    /// # Errors
    /// [`Error::Meaning`] when the reason is too long or there is none.
    pub fn sign(
        project: &Project,
        key: &Ed25519KeyPair,
        party: PartyId,
        number: u64,
        kind: Kind,
        reason: &str,
    ) -> Result<Self, Error> {
        let mut notice = Self {
            party,
            number,
            kind,
            reason: reason.trim().to_owned(),
            signature: vec![],
        };
        notice.check()?;
        notice.signature = project.sign(key, Purpose::Notice, &notice.message());
        Ok(notice)
    }

    /// Checks reason and signature.
    ///
    /// # Errors
    /// [`Error::Meaning`], [`Error::NotAnOwner`] or [`Error::Signature`].
    pub fn verify(&self, project: &Project) -> Result<(), Error> {
        self.check()?;
        let message = self.message();
        project.verify(&self.party, Purpose::Notice, &message, &self.signature)
    }

    fn check(&self) -> Result<(), Error> {
        if self.reason.is_empty() || self.reason.len() > REASON_BYTES_MAX {
            let message = format!("say why, in at most {REASON_BYTES_MAX} bytes");
            return Err(Error::Meaning(message));
        }
        Ok(())
    }

    fn message(&self) -> Vec<u8> {
        let mut message = self.kind.as_str().as_bytes().to_vec();
        message.push(0);
        message.extend_from_slice(&self.number.to_be_bytes());
        message.extend_from_slice(self.reason.as_bytes());
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::tests::{project, signer};

    #[test]
    fn a_notice_is_of_one_owner_one_number_one_kind() {
        let project = project();
        let party: PartyId = "credit".parse().unwrap();
        let notice = Notice::sign(&project, &signer(1), party, 3, Kind::Suspend, " audit ");
        let notice = notice.unwrap();
        assert_eq!(notice.reason, "audit");
        assert_eq!(notice.verify(&project), Ok(()));
        type Change = fn(&mut Notice);
        let changes: [Change; 5] = [
            |n| n.party = "health".parse().unwrap(),
            |n| n.number += 1,
            |n| n.kind = Kind::Resume,
            |n| n.reason.push('!'),
            |n| n.signature[0] ^= 1,
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut changed = notice.clone();
            change(&mut changed);
            assert!(changed.verify(&project).is_err(), "change {at}");
        }
        let party: PartyId = "credit".parse().unwrap();
        assert!(Notice::sign(&project, &signer(1), party, 4, Kind::Close, " ").is_err());
    }

    #[test]
    fn words_lead_back() {
        for kind in [Kind::Suspend, Kind::Resume, Kind::Close] {
            assert_eq!(Kind::from_word(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::from_word("reopen"), None);
    }
}
