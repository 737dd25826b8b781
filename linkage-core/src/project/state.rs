//! The states of a project at a node, each a type that its transitions consume.
//!
//! ```text
//! Draft --propose--> Proposed --sign (all)--> Agreed --show key (all)--> Keyed
//!                     ^    |                                               |
//!                     +----+ approve, sign (some)                        upload
//!                                                                          v
//! Open <--deliver (all)-- Linked <------------link (all)------------- Collecting
//!
//! any of these --suspend--> Suspended --resume (by all who suspended)--> the one it came from
//! any of these, Suspended --close--> Closing --destroyed--> Closed
//! ```
//!
//! Matcher and owners go through the same states, each by what it sees: the matcher sees the
//! signatures, key checks, uploads and deliveries of all owners, an owner of uploads and deliveries
//! its own. Draft is a state of the owner that proposes. "All" is said by the event: it names the
//! owners that are missing, and the transition happens when there are none.
//!
//! The page `docs/project-states.md` shows the outcome of every event in every state; a test
//! writes it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Signatures;
use super::persons::FirstPerson;
use crate::ids::PartyId;
use crate::keys::KeyId;

/// A manifest that only its author's node knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    first: FirstPerson,
}

/// A manifest that the matcher shows to its owners, not signed by all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposed {
    first: Option<FirstPerson>,
}

/// Signed by two persons of every owner. The owners agree on the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {}

/// Every owner has shown that it holds this key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed {
    key: KeyId,
}

/// Batches under this key come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collecting {
    key: KeyId,
}

/// The records are linked; positions are handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    key: KeyId,
}

/// Positions are where they belong: analysts may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    key: KeyId,
}

/// A project that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Active {
    /// Known to its author's node alone.
    Draft(Draft),
    /// Put forward, not signed by all.
    Proposed(Proposed),
    /// Signed by all.
    Agreed(Agreed),
    /// All hold the key.
    Keyed(Keyed),
    /// Batches come in.
    Collecting(Collecting),
    /// Linked.
    Linked(Linked),
    /// Open for extracts.
    Open(Open),
}

/// Nothing happens until every owner that suspended the project resumes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspended {
    by: BTreeSet<PartyId>,
    was: Active,
}

/// What the project left here is being destroyed. There is no way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    by: PartyId,
}

/// Nothing of the project is left here but the manifest, its signatures, receipts and the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    by: PartyId,
}

/// A project's state at a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It goes on.
    Active(Active),
    /// It rests.
    Suspended(Suspended),
    /// It is being destroyed.
    Closing(Closing),
    /// It is over.
    Closed(Closed),
}

/// What happens to a project, together with what the node has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The author's node puts the draft before the others.
    Propose,
    /// A person of this owner answers for another owner's proposal.
    Approve(FirstPerson),
    /// Signatures that are there now; never less than before.
    Sign(Signatures),
    /// An owner takes part in the key agreement.
    Contribute,
    /// Owners have shown that they hold this key, all but the missing ones.
    ShowKey {
        /// The key.
        key: KeyId,
        /// Who has not shown it.
        missing: Vec<PartyId>,
    },
    /// An owner uploads a batch under this key, or goes on with it.
    Upload {
        /// The key.
        key: KeyId,
    },
    /// The records are linked, or the outcome is asked for again.
    Link {
        /// Owners whose batches are not there.
        missing: Vec<PartyId>,
    },
    /// Positions are handed out or have come in.
    Deliver {
        /// Owners that do not have theirs.
        missing: Vec<PartyId>,
    },
    /// An analyst asks.
    Extract,
    /// An owner suspends the project.
    Suspend {
        /// The owner.
        by: PartyId,
    },
    /// An owner lifts its suspension.
    Resume {
        /// The owner.
        by: PartyId,
    },
    /// An owner closes the project.
    Close {
        /// The owner.
        by: PartyId,
    },
    /// All that the project left here is destroyed.
    Destroyed,
}

/// Whether new acts may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// They may.
    Running,
    /// The manifest's last day is past.
    Expired,
    /// A later epoch is agreed.
    Superseded,
}

/// Why an event is refused in a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The manifest is a draft.
    #[error("the manifest is a draft; propose it first")]
    Draft,
    /// The manifest has been put forward already.
    #[error("the manifest has been put forward already")]
    Proposed,
    /// A person of this owner answers for the manifest already.
    #[error("a person of this owner answers for the manifest already; another one must sign it")]
    Approved,
    /// Not all owners have signed.
    #[error("not all owners have signed the manifest; all must")]
    Unsigned,
    /// Not all owners hold the key.
    #[error("not all owners hold the project key; all must agree on one")]
    NoKey,
    /// An owner shows another key than those before it.
    #[error("the project has another key already")]
    KeyDiffers,
    /// A batch under another key, such as that of another epoch.
    #[error("the batch is under key {found}, the project's epoch has key {expected}")]
    OtherKey {
        /// The epoch's key.
        expected: KeyId,
        /// The batch's.
        found: KeyId,
    },
    /// Batches are missing.
    #[error("not all owners have uploaded; missing: {}", names(.0))]
    NotCollected(Vec<PartyId>),
    /// There are no positions.
    #[error("the project has not been linked yet")]
    NotLinked,
    /// The records are linked; a batch would come too late.
    #[error("the project is linked already")]
    Linked,
    /// The project is suspended.
    #[error("the project is suspended by {}; each of them can resume it", names(.0))]
    Suspended(Vec<PartyId>),
    /// The owner that resumes did not suspend.
    #[error("this owner has not suspended the project; who has must resume it")]
    NotSuspended,
    /// The project is being closed.
    #[error("the project is being closed")]
    Closing,
    /// The project is closed.
    #[error("the project is closed")]
    Closed,
    /// Destruction is reported that nobody asked for.
    #[error("the project is not being closed")]
    NotClosing,
    /// The last day is past.
    #[error("the project has expired: nothing new can begin; close it")]
    Expired,
    /// A later epoch is agreed.
    #[error("a later epoch of the project is agreed: nothing new can begin in this one; close it")]
    Superseded,
}

fn names(parties: &[PartyId]) -> String {
    let names: Vec<_> = parties.iter().map(PartyId::as_str).collect();
    names.join(", ")
}

impl Refused {
    /// The stable reason code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Draft => "project.draft",
            Self::Proposed => "project.proposed",
            Self::Approved => "project.approved",
            Self::Unsigned => "project.unsigned",
            Self::NoKey => "project.no_key",
            Self::KeyDiffers => "key.differs",
            Self::OtherKey { .. } => "upload.key",
            Self::NotCollected(_) => "run.uploads",
            Self::NotLinked => "run.none",
            Self::Linked => "project.linked",
            Self::Suspended(_) => "project.suspended",
            Self::NotSuspended => "project.not_suspended",
            Self::Closing => "project.closing",
            Self::Closed => "project.closed",
            Self::NotClosing => "project.not_closing",
            Self::Expired => "project.expired",
            Self::Superseded => "project.superseded",
        }
    }
}

impl Draft {
    fn propose(self) -> Proposed {
        Proposed {
            first: Some(self.first),
        }
    }
}

impl Proposed {
    fn approve(self, first: FirstPerson) -> Result<Self, Refused> {
        match self.first {
            Some(before) if before != first => Err(Refused::Approved),
            _ => Ok(Self { first: Some(first) }),
        }
    }

    fn sign(self, signatures: &Signatures) -> Active {
        if signatures.missing().is_empty() {
            Active::Agreed(Agreed {})
        } else {
            Active::Proposed(self)
        }
    }
}

impl Agreed {
    fn show_key(self, key: KeyId, missing: &[PartyId]) -> Active {
        if missing.is_empty() {
            Active::Keyed(Keyed { key })
        } else {
            Active::Agreed(self)
        }
    }
}

impl Keyed {
    fn upload(self, batch: KeyId) -> Result<Collecting, Refused> {
        Collecting { key: self.key }.upload(batch)
    }
}

impl Collecting {
    fn upload(self, batch: KeyId) -> Result<Self, Refused> {
        if batch == self.key {
            return Ok(self);
        }
        Err(Refused::OtherKey {
            expected: self.key,
            found: batch,
        })
    }

    fn link(self, missing: Vec<PartyId>) -> Result<Linked, Refused> {
        if missing.is_empty() {
            return Ok(Linked { key: self.key });
        }
        Err(Refused::NotCollected(missing))
    }
}

impl Linked {
    fn deliver(self, missing: &[PartyId]) -> Active {
        if missing.is_empty() {
            Active::Open(Open { key: self.key })
        } else {
            Active::Linked(self)
        }
    }
}

impl Active {
    fn apply(self, event: Event) -> Result<Self, Refused> {
        use Event as E;
        match (self, event) {
            (Self::Draft(draft), E::Propose) => Ok(Self::Proposed(draft.propose())),
            (Self::Draft(_), _) => Err(Refused::Draft),
            (_, E::Propose) => Err(Refused::Proposed),

            (Self::Proposed(proposed), E::Approve(first)) => {
                proposed.approve(first).map(Self::Proposed)
            }
            (Self::Proposed(proposed), E::Sign(signatures)) => Ok(proposed.sign(&signatures)),
            (Self::Proposed(_), _) => Err(Refused::Unsigned),
            (_, E::Approve(_)) => Err(Refused::Approved),
            // What all have signed and committed to can only be repeated.
            (signed, E::Sign(_) | E::Contribute) => Ok(signed),

            (Self::Agreed(agreed), E::ShowKey { key, missing }) => {
                Ok(agreed.show_key(key, &missing))
            }
            (Self::Agreed(_), _) => Err(Refused::NoKey),
            (keyed, E::ShowKey { key, .. }) => match keyed.key() {
                Some(before) if before == key => Ok(keyed),
                _ => Err(Refused::KeyDiffers),
            },

            (Self::Keyed(keyed), E::Upload { key }) => keyed.upload(key).map(Self::Collecting),
            (Self::Collecting(open), E::Upload { key }) => open.upload(key).map(Self::Collecting),
            (Self::Linked(_) | Self::Open(_), E::Upload { .. }) => Err(Refused::Linked),

            (Self::Keyed(_), E::Link { missing }) => Err(Refused::NotCollected(missing)),
            (Self::Collecting(full), E::Link { missing }) => full.link(missing).map(Self::Linked),
            (linked @ (Self::Linked(_) | Self::Open(_)), E::Link { .. }) => Ok(linked),

            (Self::Linked(linked), E::Deliver { missing }) => Ok(linked.deliver(&missing)),
            (open @ Self::Open(_), E::Deliver { .. } | E::Extract) => Ok(open),
            (_, E::Deliver { .. } | E::Extract) => Err(Refused::NotLinked),

            // `State::apply` takes these for itself.
            (active, E::Suspend { .. } | E::Resume { .. } | E::Close { .. } | E::Destroyed) => {
                Ok(active)
            }
        }
    }

    /// The key that all owners hold, once they do.
    pub fn key(&self) -> Option<KeyId> {
        match self {
            Self::Draft(_) | Self::Proposed(_) | Self::Agreed(_) => None,
            Self::Keyed(Keyed { key })
            | Self::Collecting(Collecting { key })
            | Self::Linked(Linked { key })
            | Self::Open(Open { key }) => Some(*key),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Draft(_) => "draft",
            Self::Proposed(_) => "proposed",
            Self::Agreed(_) => "agreed",
            Self::Keyed(_) => "keyed",
            Self::Collecting(_) => "collecting",
            Self::Linked(_) => "linked",
            Self::Open(_) => "open",
        }
    }
}

impl Suspended {
    fn resume(mut self, by: &PartyId) -> Result<State, Refused> {
        if !self.by.remove(by) {
            return Err(Refused::NotSuspended);
        }
        Ok(if self.by.is_empty() {
            State::Active(self.was)
        } else {
            State::Suspended(self)
        })
    }

    fn refusal(&self) -> Refused {
        Refused::Suspended(self.by.iter().cloned().collect())
    }
}

impl Closing {
    fn destroyed(self) -> Closed {
        Closed { by: self.by }
    }
}

impl State {
    /// The state in which a manifest begins at its author's node.
    pub fn draft(first: FirstPerson) -> Self {
        Self::Active(Active::Draft(Draft { first }))
    }

    /// The state in which a manifest begins where it comes from another node.
    pub fn proposed() -> Self {
        Self::Active(Active::Proposed(Proposed { first: None }))
    }

    /// The state after the event.
    ///
    /// # Errors
    /// [`Refused`]; the state has then not changed.
    pub fn apply(self, event: Event, term: Term) -> Result<Self, Refused> {
        match (self, event) {
            (Self::Closed(_), _) => Err(Refused::Closed),
            (Self::Closing(closing), Event::Destroyed) => Ok(Self::Closed(closing.destroyed())),
            (closing @ Self::Closing(_), Event::Close { .. }) => Ok(closing),
            (Self::Closing(_), _) => Err(Refused::Closing),
            (_, Event::Destroyed) => Err(Refused::NotClosing),
            (_, Event::Close { by }) => Ok(Self::Closing(Closing { by })),

            (Self::Suspended(mut rest), Event::Suspend { by }) => {
                rest.by.insert(by);
                Ok(Self::Suspended(rest))
            }
            (Self::Suspended(rest), Event::Resume { by }) => rest.resume(&by),
            (Self::Suspended(rest), _) => Err(rest.refusal()),
            (Self::Active(was), Event::Suspend { by }) => Ok(Self::Suspended(Suspended {
                by: BTreeSet::from([by]),
                was,
            })),
            (Self::Active(_), Event::Resume { .. }) => Err(Refused::NotSuspended),

            (Self::Active(active), event) => match term {
                Term::Running => active.apply(event).map(Self::Active),
                Term::Expired => Err(Refused::Expired),
                Term::Superseded => Err(Refused::Superseded),
            },
        }
    }

    /// The state's name, as the page of states and `linkage project show` have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Active(active) => active.name(),
            Self::Suspended(_) => "suspended",
            Self::Closing(_) => "closing",
            Self::Closed(_) => "closed",
        }
    }

    /// The state as far as it goes on, also beneath a suspension.
    pub fn active(&self) -> Option<&Active> {
        match self {
            Self::Active(active) | Self::Suspended(Suspended { was: active, .. }) => Some(active),
            Self::Closing(_) | Self::Closed(_) => None,
        }
    }

    /// Whether only the author's node knows of the project.
    pub fn is_draft(&self) -> bool {
        matches!(self.active(), Some(Active::Draft(_)))
    }

    /// Whether every owner has signed the manifest.
    pub fn is_agreed(&self) -> bool {
        self.active()
            .is_some_and(|active| !matches!(active, Active::Draft(_) | Active::Proposed(_)))
    }

    /// Who answers for the manifest at this owner, until all have signed.
    pub fn first_person(&self) -> Option<&FirstPerson> {
        match self.active()? {
            Active::Draft(Draft { first }) => Some(first),
            Active::Proposed(Proposed { first }) => first.as_ref(),
            _ => None,
        }
    }

    /// The owners by which the project is suspended.
    pub fn suspended_by(&self) -> impl Iterator<Item = &PartyId> {
        let by = match self {
            Self::Suspended(rest) => Some(&rest.by),
            Self::Active(_) | Self::Closing(_) | Self::Closed(_) => None,
        };
        by.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;
