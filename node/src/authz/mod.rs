//! Who may call which procedure: deny by default, and no handler without a permit.
//!
//! A call passes three checks. [`layer::AuthzLayer`] stands before every service: it knows the peer
//! from the connection's certificate and looks the procedure up in the [`table::Table`] of roles.
//! [`permit::Permit`] proves to one procedure's handler that it was let in there, and
//! [`permit::Member`] that the project's manifest names the caller. Nothing else makes these, and
//! [`crate::procedures`] gives a handler nothing else to be called with.

pub mod layer;
pub mod permit;
pub mod table;

use std::fmt;

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::identity::Identity;
use crate::refusal::Refusal;

/// The metadata entry of a refused call that holds its stable reason code.
pub const REASON_METADATA: &str = "linkage-reason";

/// Why a call was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denial {
    /// The connection has no identity.
    Unauthenticated,
    /// The caller's role may not call the procedure.
    Role,
    /// The caller has the right role at another party.
    Party,
    /// The caller's certificate no longer holds: it was good when the connection began.
    Certificate(Refusal),
    /// The table has no such procedure. Telling so gives nothing away: procedures are public.
    UnknownProcedure,
}

impl Denial {
    /// The stable reason code, for the reply, logs and the audit log.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unauthenticated => "authz.unauthenticated",
            Self::Role => "authz.role",
            Self::Party => "authz.party",
            Self::Certificate(refusal) => refusal.code(),
            Self::UnknownProcedure => "authz.unknown_procedure",
        }
    }

    /// The reply to a denied call.
    fn status(self) -> Status {
        let code = match self {
            Self::Unauthenticated | Self::Certificate(_) => Code::Unauthenticated,
            Self::Role | Self::Party | Self::UnknownProcedure => Code::PermissionDenied,
        };
        let mut metadata = MetadataMap::new();
        metadata.insert(REASON_METADATA, MetadataValue::from_static(self.code()));
        Status::with_metadata(code, self.to_string(), metadata)
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unauthenticated => "the connection has no identity",
            Self::Role => "this role may not call this procedure",
            Self::Party => "only this node's own party may call this procedure",
            Self::Certificate(refusal) => return refusal.fmt(f),
            Self::UnknownProcedure => "there is no such procedure",
        })
    }
}

/// Hears of every denied call, to log and audit it. It must not block.
pub trait DenialSink: Send + Sync + 'static {
    /// A call was denied.
    fn denied(&self, call: DeniedCall<'_>);
}

/// A call that was denied.
#[derive(Debug, Clone, Copy)]
pub struct DeniedCall<'a> {
    /// Who called, and the SHA-256 of its certificate; `None` without an identity.
    pub caller: Option<(&'a Identity, &'a [u8; 32])>,
    /// What was called; `None` when the table has no such path, because it is then the caller's
    /// own words.
    pub procedure: Option<&'static str>,
    /// Why it was denied.
    pub reason: Denial,
}
