//! Watching over audit logs: each node cosigns the logs of the others and has its own cosigned.
//!
//! Owners call; the matcher calls nobody. An owner therefore [carries](carry): it sends its own
//! checkpoint to the matcher and every owner it knows, and fetches the matcher's, cosigns it and
//! brings the cosignature back.
//!
//! A checkpoint is offered to all until a quorum has cosigned it or a minute has passed, so that
//! witnesses who come at different times sign the same one.

pub mod carry;
mod serve;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use linkage_core::audit::action::Action;
use linkage_core::audit::checkpoint::Checkpoint;
use linkage_core::audit::note::{Note, Signature, Signed, VerifyingKey};
use linkage_core::audit::policy::Policy;
use linkage_core::audit::witness::{AddCheckpoint, Refused, decide};
use tonic::Code;

use crate::fault::Fault;
use crate::identity::Identity;
use crate::journal::Journal;
use crate::store::witness::{Kept, WitnessStore};

/// File of the database in the log's folder.
pub const STORE_FILE: &str = "peers.db";

/// Age of the quorum from which on the operator is warned.
///
/// 15 min: sixty rounds of the owners, of which a restart or an update may cost a few.
pub const QUORUM_AGE_WARNED: Duration = Duration::from_secs(15 * 60);

/// Age of the quorum from which on nothing new is accepted or released.
///
/// 4 h: as long as an X-Road security server exchanges messages without its time-stamping service
/// (`acceptable-timestamp-failure-period`).
pub const QUORUM_AGE_MAX: Duration = Duration::from_secs(4 * 60 * 60);

/// Time for which one checkpoint is offered to witnesses while there are newer ones: four rounds.
const OFFER_AGE_MAX: Duration = Duration::from_secs(60);

/// Name of the number that tells when the quorum last held, in seconds since 1970.
const QUORUM_AT: &str = "quorum_at";

/// The witness in a node.
pub struct Witness {
    journal: Journal,
    store: WitnessStore,
    policy: Policy,
    offer: Mutex<Option<Offer>>,
}

/// The checkpoint that witnesses are asked to cosign.
struct Offer {
    note: Note,
    checkpoint: Checkpoint,
    made: Timestamp,
    /// Whether the quorum has cosigned it.
    is_met: bool,
}

/// What became of a request to cosign.
pub(crate) enum Answer {
    /// Cosigned.
    Cosigned(Signature),
    /// Another size is kept.
    Conflict(u64),
}

impl Witness {
    /// A witness with the keys of the journal's log.
    ///
    /// # Errors
    /// When the database fails.
    pub fn new(journal: Journal, store: WitnessStore, policy: Policy) -> rusqlite::Result<Self> {
        // A log that is new has had no chance to be witnessed yet.
        let at = store.number(QUORUM_AT)?.unwrap_or_else(now);
        let witness = Self {
            journal,
            store,
            policy,
            offer: Mutex::new(None),
        };
        if witness.policy.has_quorum() {
            witness.quorum_at(at)?;
        }
        Ok(witness)
    }

    /// Whether the quorum is so old that the operator should look after it; says so in the log.
    pub fn warn(&self) -> bool {
        let age = self.journal.quorum_age();
        let is_old = age.is_some_and(|age| age > QUORUM_AGE_WARNED);
        if let (true, Some(age)) = (is_old, age) {
            let minutes = age.as_secs() / 60;
            tracing::error!(
                reason = "audit.unwitnessed",
                minutes,
                "no quorum of witnesses has seen the audit log"
            );
        }
        is_old
    }

    /// Keeps that the quorum held at this moment.
    fn quorum_at(&self, seconds: u64) -> rusqlite::Result<()> {
        self.store.set_number(QUORUM_AT, seconds)?;
        self.journal.log().set_quorum_at(seconds);
        Ok(())
    }

    /// The checkpoint to be cosigned.
    pub(crate) fn offer(&self) -> Result<(Note, Checkpoint), Fault> {
        let log = self.journal.log();
        let newest = log.checkpoint()?;
        let mut offer = self.locked();
        let now = Timestamp::now();
        if let Some(offer) = offer.as_ref() {
            let age = now.duration_since(offer.made).unsigned_abs();
            if !offer.is_met && age < OFFER_AGE_MAX {
                return Ok((offer.note.clone(), offer.checkpoint.clone()));
            }
        }
        let checkpoint = Checkpoint::open(&newest, log.verifying_key())
            .map_err(|error| Fault::internal("audit.checkpoint", &error))?;
        *offer = Some(Offer {
            note: newest.clone(),
            checkpoint: checkpoint.clone(),
            made: now,
            is_met: false,
        });
        Ok((newest, checkpoint))
    }

    /// A request to cosign the checkpoint on offer, for a witness that has cosigned `old` entries.
    pub(crate) fn request(&self, old: u64) -> Result<AddCheckpoint, Fault> {
        let (note, checkpoint) = self.offer()?;
        let proof = if old <= checkpoint.size {
            self.journal.log().consistency(old, checkpoint.size)?
        } else {
            vec![]
        };
        Ok(AddCheckpoint { old, proof, note })
    }

    /// Decides on a request of `node` about its log.
    pub(crate) fn cosign(&self, node: &Identity, body: &str) -> Result<Answer, Fault> {
        let request: AddCheckpoint = body.parse().map_err(|error| refused(&error))?;
        let key = self.log_of(node)?;
        let seconds = now();
        let decision = self.store.decide(key.name(), seconds, |kept| {
            let kept = kept.and_then(|note| Checkpoint::parse(Note::parse(note).ok()?.text()).ok());
            match decide(&request, key, kept.as_ref()) {
                Ok(_) => Kept::New(request.note.to_string(), Ok(())),
                Err(error) if is_evidence(&error) => {
                    Kept::Contradicts(request.note.to_string(), Err(error))
                }
                Err(error) => Kept::Nothing(Err(error)),
            }
        })?;
        match decision {
            Ok(()) => {
                let witness = &self.journal.log().keys().witness;
                Ok(Answer::Cosigned(witness.sign(request.note.text(), seconds)))
            }
            Err(Refused::Conflict { size }) => Ok(Answer::Conflict(size)),
            Err(error) if is_evidence(&error) => Err(self.accuse(key, refused(&error))?),
            Err(error) => Err(refused(&error)),
        }
    }

    /// Says, in the own logs, that a log contradicts what it signed.
    fn accuse(&self, key: &VerifyingKey, fault: Fault) -> Result<Fault, Fault> {
        let origin = key.name();
        tracing::error!(
            origin,
            reason = "audit.fork",
            "a log contradicts what it signed"
        );
        let evidence = self.store.evidence()?;
        let mut of_log = evidence.iter().filter(|found| found.origin == origin);
        // Told once: the node comes again every few seconds.
        if of_log.nth(1).is_some() {
            return Ok(fault);
        }
        Ok(self.journal.act(Action::AuditFork, origin).failed(fault))
    }

    /// Takes in the cosignatures of `node` on the checkpoint of `size` entries.
    pub(crate) fn take(&self, node: &Identity, size: u64, lines: &str) -> Result<(), Fault> {
        let key = self.witness_of(node)?;
        let malformed = || Fault::malformed("the cosignature");
        let signatures = Signature::parse_lines(lines).map_err(|_| malformed())?;
        let mut offer = self.locked();
        // A cosignature that comes after its checkpoint was replaced is of no use any more.
        let Some(offer) = offer.as_mut().filter(|offer| offer.checkpoint.size == size) else {
            return Ok(());
        };
        let mut cosigned = offer.note.clone();
        let is_theirs = |line: &Signature| line.name() == key.name();
        for line in signatures.into_iter().filter(is_theirs) {
            cosigned.add(line);
        }
        if !matches!(cosigned.verify(key), Ok(Signed::ByWitness(_))) {
            return Err(malformed());
        }
        offer.note = cosigned;
        self.store.set_witnessed_size(key.name(), size)?;
        let cosigned = self.policy.cosigned(&offer.note);
        if let Some(since) = self.policy.since(&cosigned) {
            self.journal.log().keep_witnessed(&offer.note)?;
            if let Some(at) = since {
                self.quorum_at(at)?;
            }
            offer.is_met = true;
        }
        Ok(())
    }

    /// The key of a node's log by the policy.
    fn log_of(&self, node: &Identity) -> Result<&VerifyingKey, Fault> {
        log_of(&self.policy, node)
    }

    /// The key of a node as witness by the policy.
    fn witness_of(&self, node: &Identity) -> Result<&VerifyingKey, Fault> {
        let prefix = prefix(node);
        let mut witnesses = self.policy.witnesses().map(|(_, key)| key);
        let key = witnesses.find(|key| key.name().starts_with(&prefix));
        key.ok_or_else(|| unknown(node))
    }

    fn locked(&self) -> MutexGuard<'_, Option<Offer>> {
        self.offer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of a node's log by a policy.
pub(crate) fn log_of<'p>(policy: &'p Policy, node: &Identity) -> Result<&'p VerifyingKey, Fault> {
    let prefix = prefix(node);
    let mut logs = policy.logs().iter();
    let key = logs.find(|key| key.name().starts_with(&prefix));
    key.ok_or_else(|| unknown(node))
}

/// What the names of a node's keys begin with.
fn prefix(node: &Identity) -> String {
    format!(
        "linkage/{}/{}/{}/",
        node.trust_domain(),
        node.party(),
        node.role()
    )
}

fn unknown(node: &Identity) -> Fault {
    let message = format!("the audit policy of this node names no key of {node}");
    Fault::new(Code::NotFound, "audit.unknown", message)
}

/// Whether the log has signed what it cannot have signed if it only ever grew.
fn is_evidence(refused: &Refused) -> bool {
    matches!(refused, Refused::Fork(_) | Refused::Sizes)
}

fn refused(error: &Refused) -> Fault {
    match error {
        Refused::Form | Refused::Note(_) => Fault::malformed("the checkpoint"),
        Refused::Old => Fault::malformed("the old size"),
        Refused::Checkpoint(_) => Fault::new(
            Code::PermissionDenied,
            "audit.signature",
            "the checkpoint is not signed by this log",
        ),
        _ => Fault::state(
            "audit.fork",
            "the checkpoint does not continue the one cosigned before; both are kept as evidence",
        ),
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or_default()
}
