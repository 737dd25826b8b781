//! Writing acts to the audit log: one entry is described step by step, then written.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use linkage_core::audit::action::Action;
use linkage_core::audit::entry::{Actor, ActorKind, Event, Outcome};
use linkage_core::ids::ProjectId;
use uuid::Uuid;

use crate::accept::RefusalSink;
use crate::auditlog::AuditLog;
use crate::authz::permit::Caller;
use crate::authz::{Denial, DenialSink};
use crate::fault::Fault;
use crate::identity::{Identity, Role};
use crate::refusal::Refusal;

/// The node's audit log, as its services write to it.
#[derive(Clone)]
pub struct Journal {
    log: Arc<AuditLog>,
    me: Arc<Identity>,
}

/// An entry being described; [`Act::ok`] or [`Act::failed`] writes it.
pub struct Act<'a> {
    journal: &'a Journal,
    event: Event,
}

impl Journal {
    /// The journal of the node `me`.
    pub fn new(log: AuditLog, me: Identity) -> Self {
        Self {
            log: Arc::new(log),
            me: Arc::new(me),
        }
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

    /// Whether the log has an entry of this action about this object. Reads the log: for acts that
    /// a crash may have ended between their entry and their effect.
    ///
    /// # Errors
    /// A fault when the log cannot be read.
    pub fn has(&self, action: Action, object: &str) -> Result<bool, Fault> {
        Ok(self.log.has(action, object)?)
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
            time: Timestamp::now().into(),
            op: Uuid::now_v7().to_string(),
            actor,
            action,
            object,
            project: None,
            result: Outcome::Ok,
            reason: None,
            counts: BTreeMap::new(),
            digests: BTreeMap::new(),
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
        event.result = Outcome::Denied;
        event.reason = Some(fault.reason().to_owned());
        self.write_or_log(event);
        fault
    }

    fn write_or_log(&self, event: Event) {
        // A refused peer has been refused already; that its entry cannot be written is an alarm for
        // the operator, and blocks every act that the log must precede.
        if let Err(error) = self.log.append(event) {
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
    #[must_use]
    pub fn project(mut self, project: &ProjectId) -> Self {
        self.event.project = Some(project.to_string());
        self
    }

    /// What the act turned out to be done to, where that is known at its end only.
    #[must_use]
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.event.object = object.into();
        self
    }

    /// A number that belongs to the act.
    #[must_use]
    pub fn count(mut self, name: &str, value: u64) -> Self {
        self.event.counts.insert(name.to_owned(), value);
        self
    }

    /// A digest (32 bytes) that belongs to the act.
    #[must_use]
    pub fn digest(mut self, name: &str, value: &[u8]) -> Self {
        self.event
            .digests
            .insert(name.to_owned(), hex::encode(value));
        self
    }

    /// Writes the act as done.
    ///
    /// # Errors
    /// A fault when the log cannot be written: the act must then not take effect.
    pub fn ok(self) -> Result<(), Fault> {
        self.journal.log.append(self.event)?;
        Ok(())
    }

    /// Writes that the act failed, and gives the fault back.
    pub fn failed(mut self, fault: Fault) -> Fault {
        self.event.result = Outcome::Failed;
        self.event.reason = Some(fault.reason().to_owned());
        self.journal.write_or_log(self.event);
        fault
    }
}

impl RefusalSink for Journal {
    fn refused(&self, address: SocketAddr, refusal: Refusal) {
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
        event.result = Outcome::Denied;
        event.reason = Some(refusal.code().to_owned());
        self.write_or_log(event);
    }
}

impl DenialSink for Journal {
    fn denied(&self, caller: Option<&Identity>, procedure: Option<&'static str>, denial: Denial) {
        let who = caller.map(Identity::to_string).unwrap_or_default();
        tracing::warn!(
            caller = who,
            procedure,
            reason = denial.code(),
            "call denied"
        );
        let actor = match caller {
            Some(identity) => Actor {
                kind: kind(identity.role()),
                id: identity.party().to_owned(),
                role: identity.role().to_string(),
                cert_sha256: None,
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
        event.result = Outcome::Denied;
        event.reason = Some(denial.code().to_owned());
        self.write_or_log(event);
    }
}
