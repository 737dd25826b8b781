//! Writing acts to the audit log: one entry is described step by step, then written.
//!
//! An act that changes state or reveals data is told twice: [`Act::intent`] before it, and what it
//! gives, after it. An act that is its own record (a denial, the start of the node) is told once,
//! by [`Act::ok`] or [`Act::failed`].
//!
//! ```text
//! let intent = journal.act(Action::KeyAgree, name).project(&id).intent()?;   // or nothing is done
//! match agree() {
//!     Ok(key) => intent.digest("key_check", &key.check()).ok()?,
//!     Err(fault) => return Err(intent.failed(fault)),
//! }
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use linkage_core::audit::action::Action;
use linkage_core::audit::entry::{Actor, ActorKind, Count, Event, Outcome, Phase};
use linkage_core::audit::receipt::Receipt;
use linkage_core::ids::ProjectId;
use tonic::Code;
use uuid::Uuid;

use crate::accept::RefusalSink;
use crate::auditlog::{self, AuditLog};
use crate::authz::permit::Caller;
use crate::authz::{DenialSink, DeniedCall};
use crate::fault::Fault;
use crate::identity::{Identity, Role};
use crate::observe::{metrics, operation};
use crate::refusal::Refusal;
use crate::witness::QUORUM_AGE_MAX;

/// The node's audit log, as its services write to it.
#[derive(Clone)]
pub struct Journal {
    log: Arc<AuditLog>,
    me: Arc<Identity>,
}

/// An entry being described; [`Act::intent`], [`Act::ok`] or [`Act::failed`] writes it.
#[must_use = "an act is logged when it is told how it ended"]
pub struct Act<'a> {
    journal: &'a Journal,
    event: Event,
}

/// An act whose intent is in the log. It ends with [`Intent::ok`] or [`Intent::failed`]; one that
/// is dropped, as when its call is cancelled, is logged as failed.
#[must_use = "an intent needs its outcome"]
pub struct Intent {
    journal: Journal,
    /// The outcome to be told; `None` when it has been.
    event: Option<Event>,
}

impl Journal {
    /// The journal of the node `me`.
    pub fn new(log: AuditLog, me: Identity) -> Self {
        Self {
            log: Arc::new(log),
            me: Arc::new(me),
        }
    }

    /// Whether the log can be written, as far as can be told without writing. Waits for a write
    /// that is under way.
    pub fn works(&self) -> bool {
        !self.log.is_blocked()
    }

    /// The log itself.
    pub fn log(&self) -> &AuditLog {
        &self.log
    }

    /// An act of the node itself.
    pub fn act(&self, action: Action, object: impl Into<String>) -> Act<'_> {
        let actor = Actor {
            kind: ActorKind::Node,
            id: self.me.party().to_owned(),
            role: self.me.role().to_string(),
            cert_sha256: None,
        };
        self.begin(action, object.into(), actor)
    }

    /// The number of the entry of this action about this object. Reads the log: for acts that a
    /// crash may have ended between their entry and their effect.
    ///
    /// # Errors
    /// A fault when the log cannot be read.
    pub fn find(&self, action: Action, object: &str) -> Result<Option<u64>, Fault> {
        Ok(self.log.find(action, object)?)
    }

    /// An act of a caller.
    pub fn act_of(&self, caller: &Caller, action: Action, object: impl Into<String>) -> Act<'_> {
        let identity = caller.identity();
        let actor = Actor {
            kind: kind(identity.role()),
            id: identity.party().to_owned(),
            role: identity.role().to_string(),
            cert_sha256: Some(hex::encode(caller.certificate_sha256())),
        };
        self.begin(action, object.into(), actor)
    }

    fn begin(&self, action: Action, object: String, actor: Actor) -> Act<'_> {
        let event = Event {
            op: operation::id().unwrap_or_else(Uuid::now_v7).to_string(),
            phase: Phase::Event,
            intent: None,
            actor,
            action,
            object,
            project: None,
            result: Some(Outcome::Ok),
            reason: None,
            counts: BTreeMap::new(),
            digests: BTreeMap::new(),
            detail_commit: None,
        };
        Act {
            journal: self,
            event,
        }
    }

    /// Writes that a caller was denied what it asked for, by other rules than the table of roles,
    /// and gives the fault back. `project` is one that exists: what else a caller named is its own
    /// words.
    pub fn deny(&self, caller: &Caller, project: Option<&ProjectId>, fault: Fault) -> Fault {
        let mut event = self
            .act_of(caller, Action::AuthzDenied, caller.procedure())
            .event;
        event.project = project.map(ToString::to_string);
        event.result = Some(Outcome::Denied);
        event.reason = Some(fault.reason().to_owned());
        self.write_or_log(event);
        fault
    }

    fn append(&self, event: Event) -> Result<u64, auditlog::Error> {
        let written = self.log.append(event);
        metrics::audit_entry(written.is_ok());
        written
    }

    /// The receipt of an entry: the entry, the proof that it is in the log, and a checkpoint over
    /// it that is made now if none covers it yet.
    ///
    /// # Errors
    /// A fault when there is no such entry, or the log cannot be written.
    pub fn receipt(&self, index: u64) -> Result<Receipt, Fault> {
        Ok(self.log.receipt(index)?)
    }

    /// How long ago a quorum of witnesses last held; `None` if none is asked for.
    pub fn quorum_age(&self) -> Option<Duration> {
        let at = i64::try_from(self.log.quorum_at()?).unwrap_or(i64::MAX);
        let age = Timestamp::now().as_second().saturating_sub(at);
        Some(Duration::from_secs(u64::try_from(age).unwrap_or_default()))
    }

    /// Refuses what begins an upload or releases a table when no quorum of witnesses has seen the
    /// log for too long.
    ///
    /// # Errors
    /// A fault that says so.
    pub fn require_quorum(&self) -> Result<(), Fault> {
        match self.quorum_age() {
            Some(age) if age > QUORUM_AGE_MAX => {
                let message = format!(
                    "no quorum of witnesses has seen this node's audit log for {} minutes: nothing \
                     new is accepted or released until one does",
                    age.as_secs() / 60
                );
                Err(Fault::new(Code::Unavailable, "audit.unwitnessed", message))
            }
            _ => Ok(()),
        }
    }

    fn write_or_log(&self, event: Event) {
        // A refused peer has been refused already; that its entry cannot be written is an alarm for
        // the operator, and blocks every act that the log must precede.
        if let Err(error) = self.append(event) {
            tracing::error!(reason = "audit.blocked", error = %crate::fault::Chain(&error), "audit log");
        }
    }
}

fn kind(role: Role) -> ActorKind {
    if role.is_node() {
        ActorKind::Node
    } else {
        ActorKind::Person
    }
}

impl Act<'_> {
    /// The act belongs to this project.
    pub fn project(mut self, project: &ProjectId) -> Self {
        self.event.project = Some(project.to_string());
        self
    }

    /// What the act turned out to be done to, where that is known at its end only.
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.event.object = object.into();
        self
    }

    /// A number that belongs to the act and says nothing about how many records there are.
    pub fn count(mut self, name: &str, value: u64) -> Self {
        let value = Count::Exact(value);
        self.event.counts.insert(name.to_owned(), value);
        self
    }

    /// A number of records that belongs to the act: a band if it is small.
    pub fn records(mut self, name: &str, value: u64) -> Self {
        let value = Count::of_records(value);
        self.event.counts.insert(name.to_owned(), value);
        self
    }

    /// A digest (32 bytes) that belongs to the act.
    pub fn digest(mut self, name: &str, value: &[u8]) -> Self {
        self.event
            .digests
            .insert(name.to_owned(), hex::encode(value));
        self
    }

    /// Writes that the act is about to be done.
    ///
    /// # Errors
    /// A fault when the log cannot be written: the act must then not be done.
    pub fn intent(self) -> Result<Intent, Fault> {
        let Self { journal, event } = self;
        let told = Event {
            phase: Phase::Intent,
            result: None,
            ..event.clone()
        };
        let intent = journal.append(told)?;
        Ok(Intent {
            journal: journal.clone(),
            event: Some(Event {
                phase: Phase::Outcome,
                intent: Some(intent),
                ..event
            }),
        })
    }

    /// Writes the act as done.
    ///
    /// # Errors
    /// A fault when the log cannot be written: the act must then not take effect.
    pub fn ok(self) -> Result<(), Fault> {
        self.logged().map(drop)
    }

    /// Writes the act as done and gives the number of its entry, for [`Journal::receipt`].
    ///
    /// # Errors
    /// As [`Self::ok`].
    pub fn logged(self) -> Result<u64, Fault> {
        Ok(self.journal.append(self.event)?)
    }

    /// Writes that the act failed, and gives the fault back.
    pub fn failed(mut self, fault: Fault) -> Fault {
        self.event.result = Some(Outcome::Failed);
        self.event.reason = Some(fault.reason().to_owned());
        self.journal.write_or_log(self.event);
        fault
    }
}

impl Intent {
    /// What the act turned out to be done to.
    pub fn object(mut self, object: impl Into<String>) -> Self {
        if let Some(event) = &mut self.event {
            event.object = object.into();
        }
        self
    }

    /// As [`Act::count`].
    pub fn count(mut self, name: &str, value: u64) -> Self {
        self.insert(name, Count::Exact(value));
        self
    }

    /// As [`Act::records`].
    pub fn records(mut self, name: &str, value: u64) -> Self {
        self.insert(name, Count::of_records(value));
        self
    }

    /// As [`Act::digest`].
    pub fn digest(mut self, name: &str, value: &[u8]) -> Self {
        if let Some(event) = &mut self.event {
            event.digests.insert(name.to_owned(), hex::encode(value));
        }
        self
    }

    fn insert(&mut self, name: &str, value: Count) {
        if let Some(event) = &mut self.event {
            event.counts.insert(name.to_owned(), value);
        }
    }

    /// Writes that the act is done.
    ///
    /// # Errors
    /// A fault when the log cannot be written. The act has been done; after a restart its outcome
    /// is told as unknown, and the caller must not be told more.
    pub fn ok(self) -> Result<(), Fault> {
        self.logged().map(drop)
    }

    /// Writes that the act is done and gives the number of the entry that says so, for
    /// [`Journal::receipt`].
    ///
    /// # Errors
    /// As [`Self::ok`].
    pub fn logged(mut self) -> Result<u64, Fault> {
        // Taken before it is written, so that a failure is not followed by an outcome that lies.
        let event = self
            .event
            .take()
            .ok_or_else(|| Fault::malformed("the act"))?;
        Ok(self.journal.append(event)?)
    }

    /// Writes that the act failed, and gives the fault back.
    pub fn failed(mut self, fault: Fault) -> Fault {
        self.end(fault.reason());
        fault
    }

    /// Does `act`, and writes how it ended.
    ///
    /// # Errors
    /// That of the act, or a fault when the log cannot be written.
    pub fn end_with<T>(self, result: Result<T, Fault>) -> Result<T, Fault> {
        match result {
            Ok(value) => self.ok().map(|()| value),
            Err(fault) => Err(self.failed(fault)),
        }
    }

    fn end(&mut self, reason: &str) {
        if let Some(mut event) = self.event.take() {
            event.result = Some(Outcome::Failed);
            event.reason = Some(reason.to_owned());
            self.journal.write_or_log(event);
        }
    }
}

impl Drop for Intent {
    fn drop(&mut self) {
        self.end("call.cancelled");
    }
}

impl RefusalSink for Journal {
    fn refused(&self, address: SocketAddr, refusal: Refusal) {
        metrics::connection_refused(refusal.code());
        tracing::warn!(%address, reason = refusal.code(), "connection refused: {refusal}");
        let actor = Actor {
            kind: ActorKind::Unknown,
            id: address.ip().to_string(),
            role: "unknown".to_owned(),
            cert_sha256: None,
        };
        let mut event = self
            .begin(Action::TlsRefused, "connection".to_owned(), actor)
            .event;
        event.result = Some(Outcome::Denied);
        event.reason = Some(refusal.code().to_owned());
        self.write_or_log(event);
    }
}

impl DenialSink for Journal {
    fn denied(&self, call: DeniedCall<'_>) {
        let DeniedCall {
            caller,
            procedure,
            reason,
        } = call;
        let who = caller.map(|(identity, _)| identity.to_string());
        let reason = reason.code();
        metrics::call_refused(reason);
        tracing::warn!(caller = who, procedure, reason, "call denied");
        let actor = match caller {
            Some((identity, certificate)) => Actor {
                kind: kind(identity.role()),
                id: identity.party().to_owned(),
                role: identity.role().to_string(),
                cert_sha256: Some(hex::encode(certificate)),
            },
            None => Actor {
                kind: ActorKind::Unknown,
                id: "unknown".to_owned(),
                role: "unknown".to_owned(),
                cert_sha256: None,
            },
        };
        let object = procedure.unwrap_or("unknown procedure").to_owned();
        let mut event = self.begin(Action::AuthzDenied, object, actor).event;
        event.result = Some(Outcome::Denied);
        event.reason = Some(reason.to_owned());
        self.write_or_log(event);
    }
}
