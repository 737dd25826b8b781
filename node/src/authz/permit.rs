//! What a handler is called with: values that only a check makes.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;

use linkage_core::ids::{PartyId, ProjectId};
use linkage_core::project::Project;
use tonic::Status;

use super::Denial;
use crate::connections::Peer;
use crate::fault::Fault;
use crate::identity::{Identity, Role};
use crate::journal::Journal;
use crate::wire;

/// The party behind a request that [`AuthzLayer`](super::layer::AuthzLayer) has let in.
#[derive(Debug, Clone)]
pub struct Caller {
    peer: Arc<Peer>,
    procedure: &'static str,
}

impl Caller {
    pub(super) fn new(peer: Arc<Peer>, procedure: &'static str) -> Self {
        Self { peer, procedure }
    }

    /// The caller of a request.
    ///
    /// # Errors
    /// `Unauthenticated` if the request did not come through the layer.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, Status> {
        let caller = request.extensions().get::<Self>().cloned();
        caller.ok_or_else(|| Denial::Unauthenticated.status())
    }

    /// Who calls.
    pub fn identity(&self) -> &Identity {
        &self.peer.identity
    }

    /// SHA-256 of the caller's certificate (its DER bytes), for the audit log.
    pub fn certificate_sha256(&self) -> &[u8; 32] {
        &self.peer.certificate_sha256
    }

    /// The procedure that is called, `/<package>.<service>/<method>`.
    pub fn procedure(&self) -> &'static str {
        self.procedure
    }

    /// Where the connection comes from.
    pub fn address(&self) -> SocketAddr {
        self.peer.address
    }
}

/// A procedure as a type, so that a permit for one is no permit for another.
pub trait Procedure: Send + Sync + 'static {
    /// `/<package>.<service>/<method>`.
    const PATH: &'static str;
}

/// Leave to have the procedure `P` done once: the caller's role may, here.
pub struct Permit<P> {
    caller: Caller,
    procedure: PhantomData<fn() -> P>,
}

impl<P: Procedure> Permit<P> {
    /// The permit of a request.
    ///
    /// # Errors
    /// `Unauthenticated` unless the layer has let the request in, to this very procedure.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, Status> {
        let caller = Caller::of(request)?;
        if caller.procedure == P::PATH {
            Ok(Self {
                caller,
                procedure: PhantomData,
            })
        } else {
            Err(Denial::Unauthenticated.status())
        }
    }

    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The caller's party.
    ///
    /// # Errors
    /// A fault when the name in the certificate is no party's.
    pub fn party(&self) -> Result<PartyId, Fault> {
        wire::party(self.caller.identity().party())
    }

    /// The same leave for one project, if its manifest names the caller: an owner among the owners,
    /// an analyst among the analysts.
    ///
    /// # Errors
    /// The same fault whether `node` has no such project or it is another's. Both are written to
    /// the audit log as denied.
    pub fn member(self, node: &impl Manifests, project: &[u8]) -> Result<Member<P>, Fault> {
        let id = wire::project_id(project)?;
        let party = self.party()?;
        let found = node.known_project(&id)?;
        let exists = found.is_some();
        let role = self.caller.identity().role();
        match found.filter(|project| names(project, role, &party)) {
            Some(project) => Ok(Member {
                permit: self,
                party,
                project,
            }),
            None => {
                let project = exists.then_some(&id);
                let fault = Fault::no_project();
                Err(node.journal().deny(&self.caller, project, fault))
            }
        }
    }
}

impl<P: Procedure> fmt::Debug for Permit<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.caller).finish()
    }
}

/// Whether a manifest gives this party a part in the project under this role.
fn names(project: &Project, role: Role, party: &PartyId) -> bool {
    match role {
        Role::Owner => project.owner(party).is_ok(),
        Role::Analyst => project.manifest.tables.analysts.contains(party),
        Role::Matcher | Role::Operator | Role::Auditor => false,
    }
}

/// A node whose projects have members.
pub trait Manifests: Send + Sync + 'static {
    /// The project, if this node holds its manifest.
    ///
    /// # Errors
    /// A fault when the state cannot be read.
    fn known_project(&self, id: &ProjectId) -> Result<Option<Project>, Fault>;

    /// Where denied calls are written.
    fn journal(&self) -> &Journal;
}

/// Leave to have the procedure `P` done once, for a project whose manifest names the caller.
#[derive(Debug)]
pub struct Member<P: Procedure> {
    permit: Permit<P>,
    party: PartyId,
    project: Project,
}

impl<P: Procedure> Member<P> {
    /// Who calls.
    pub fn caller(&self) -> &Caller {
        self.permit.caller()
    }

    /// The caller's party.
    pub fn party(&self) -> &PartyId {
        &self.party
    }

    /// The project.
    pub fn project(&self) -> &Project {
        &self.project
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::authz::REASON_METADATA;

    #[derive(Debug)]
    struct Get;

    impl Procedure for Get {
        const PATH: &'static str = "/a/Get";
    }

    fn let_in(procedure: &'static str) -> tonic::Request<()> {
        let identity = Identity::new("linkage.example", Role::Owner, "health").unwrap();
        let peer = Peer::new(identity, &[], ([127, 0, 0, 1], 1).into(), 0);
        let mut request = tonic::Request::new(());
        let caller = Caller::new(Arc::new(peer), procedure);
        request.extensions_mut().insert(caller);
        request
    }

    #[test]
    fn a_permit_is_for_the_procedure_that_was_called() {
        let permit = Permit::<Get>::of(&let_in("/a/Get")).unwrap();
        assert_eq!(permit.party().unwrap().as_str(), "health");
        let status = Permit::<Get>::of(&let_in("/a/Put")).unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
    }

    #[test]
    fn a_request_past_the_layer_has_no_permit() {
        let status = Permit::<Get>::of(&tonic::Request::new(())).unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        let reason = status.metadata().get(REASON_METADATA).unwrap();
        assert_eq!(reason, "authz.unauthenticated");
    }
}
