//! The states of an upload. Each is a type, and what may happen to it is a method that consumes it.
//!
//! ```text
//!  Open --seal--> Sealed --accept--> Accepted
//!   | |             |
//!   | |             +----refuse----> Refused
//!   | +--------------abort---------> Refused
//!   +----------------expire--------> Expired
//! ```
//!
//! Accepted, Refused and Expired are final. An owner has at most one upload that is open, sealed or
//! accepted for each part of its batch in a project; after a refused or expired one it begins
//! another, under another operation key.

use std::fmt;

/// An upload that takes chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open(());

/// An upload all of whose chunks are durable, and which is being checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed(());

/// An upload whose batch is part of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted(());

/// An upload that was checked and found wrong, or given up by its owner. Its bytes are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
}

/// An upload that nobody went on with. Its bytes are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired(());

/// Why an upload was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The root over its chunks is not the one announced.
    Root,
    /// The batch's digest is not the one announced.
    Digest,
    /// Its bytes are no batch, though they are those announced.
    Batch,
    /// The owner gave it up.
    Aborted,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Root, Self::Digest, Self::Batch, Self::Aborted];

    /// The stable code, in replies and in the audit log.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Root => "upload.root",
            Self::Digest => "upload.digest",
            Self::Batch => "upload.batch",
            Self::Aborted => "upload.aborted",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "its chunks are not those announced: they do not have the announced root",
            Self::Digest => "its rows do not have the digest announced at the beginning",
            Self::Batch => "its bytes are no batch of encoded records",
            Self::Aborted => "its owner gave it up",
        })
    }
}

/// An upload in any state, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Takes chunks.
    Open(Open),
    /// Is being checked.
    Sealed(Sealed),
    /// Is part of the project.
    Accepted(Accepted),
    /// Was found wrong or given up.
    Refused(Refused),
    /// Was not gone on with.
    Expired(Expired),
}

impl Open {
    /// All chunks are durable; the check begins.
    #[must_use]
    pub fn seal(self) -> Sealed {
        Sealed(())
    }

    /// The owner gives it up.
    #[must_use]
    pub fn abort(self) -> Refused {
        let reason = Reason::Aborted;
        Refused { reason }
    }

    /// Nobody has gone on with it for too long.
    #[must_use]
    pub fn expire(self) -> Expired {
        Expired(())
    }
}

impl Sealed {
    /// The check found it right.
    #[must_use]
    pub fn accept(self) -> Accepted {
        Accepted(())
    }

    /// The check found it wrong.
    #[must_use]
    pub fn refuse(self, reason: Reason) -> Refused {
        Refused { reason }
    }
}

impl State {
    /// A new upload.
    pub const NEW: Self = Self::Open(Open(()));

    /// The state's stored name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Sealed(_) => "sealed",
            Self::Accepted(_) => "accepted",
            Self::Refused(_) => "refused",
            Self::Expired(_) => "expired",
        }
    }

    /// Why it was refused, if it was.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refused(refused) => Some(refused.reason),
            _ => None,
        }
    }

    /// The state of this stored name, with the code of the reason if it is refused; `None` for
    /// anything that [`State::name`] and [`Reason::code`] do not give.
    pub fn stored(name: &str, reason: Option<&str>) -> Option<Self> {
        let reason = reason.map(|code| Reason::ALL.into_iter().find(|known| known.code() == code));
        match (name, reason) {
            ("open", None) => Some(Self::NEW),
            ("sealed", None) => Some(Self::Sealed(Sealed(()))),
            ("accepted", None) => Some(Self::Accepted(Accepted(()))),
            ("refused", Some(Some(reason))) => Some(Self::Refused(Refused { reason })),
            ("expired", None) => Some(Self::Expired(Expired(()))),
            _ => None,
        }
    }

    /// Whether the upload may still become part of the project, or is.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Open(_) | Self::Sealed(_) | Self::Accepted(_))
    }

    /// Whether the batch is part of the project.
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }
}

impl From<Sealed> for State {
    fn from(sealed: Sealed) -> Self {
        Self::Sealed(sealed)
    }
}

impl From<Accepted> for State {
    fn from(accepted: Accepted) -> Self {
        Self::Accepted(accepted)
    }
}

impl From<Refused> for State {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Expired> for State {
    fn from(expired: Expired) -> Self {
        Self::Expired(expired)
    }
}
