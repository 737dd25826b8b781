//! What goes wrong in a call, as the caller hears it: a gRPC code, a stable reason, a sentence.
//!
//! This is the one place where errors of the domain become gRPC statuses.

use std::fmt;
use std::time::Duration;

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::authz::REASON_METADATA;

/// Rest that is asked of callers of a node that restarts. 10 s: it is back in one or two.
const RESTART_REST: Duration = Duration::from_secs(10);

/// Rest that is asked of callers of a node whose disk is full. 60 s: a person must make room.
const FULL_DISK_REST: Duration = Duration::from_secs(60);

/// Why a call fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    code: Code,
    reason: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

impl Fault {
    /// A fault of this code with a stable reason, such as `upload.digest`, and a sentence that says
    /// what to do.
    pub fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            retry_after: None,
        }
    }

    /// Asks the caller to try again after this rest.
    #[must_use]
    pub fn retry_after(self, rest: Duration) -> Self {
        Self {
            retry_after: Some(rest),
            ..self
        }
    }

    /// The node is about to stop.
    pub fn stopping() -> Self {
        let message = "this node is shutting down; try again when it is back";
        Self::new(Code::Unavailable, "node.stopping", message).retry_after(RESTART_REST)
    }

    /// A message that no well-behaved peer sends.
    pub fn malformed(what: &str) -> Self {
        Self::new(
            Code::InvalidArgument,
            "request.malformed",
            format!("{what} is not well-formed"),
        )
    }

    /// There is no such project, or not for the caller: the two must not be told apart.
    pub fn no_project() -> Self {
        Self::new(
            Code::NotFound,
            "project.unknown",
            "there is no such project for this caller",
        )
    }

    /// An act out of order.
    pub fn state(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, reason, message)
    }

    /// A fault of this node; `error` goes to its log, not to the caller.
    pub fn internal(reason: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(reason, error = %Chain(error), "internal fault");
        let message = "this node failed; its operator finds the cause in its log";
        Self::new(Code::Internal, reason, message)
    }

    /// A stream of messages that broke off, or held one that cannot be read.
    pub fn broken(status: &Status) -> Self {
        Self::new(status.code(), "request.broken", status.message())
    }

    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The stable reason.
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

/// An error and its causes in one line.
pub struct Chain<'a>(pub &'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.reason)
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let mut metadata = MetadataMap::new();
        metadata.insert(REASON_METADATA, MetadataValue::from_static(fault.reason));
        match fault.retry_after {
            None => Self::with_metadata(fault.code, fault.message, metadata),
            Some(rest) => Self::with_error_details_and_metadata(
                fault.code,
                fault.message,
                ErrorDetails::with_retry_info(Some(rest)),
                metadata,
            ),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal("store.failed", &error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        if matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        ) {
            tracing::error!(reason = "store.full", %error, "disk full");
            return Self::new(
                Code::ResourceExhausted,
                "store.full",
                "this node's disk is full; try again when its operator has made room",
            )
            .retry_after(FULL_DISK_REST);
        }
        Self::internal("store.failed", &error)
    }
}

impl From<crate::entropy::NoEntropy> for Fault {
    fn from(error: crate::entropy::NoEntropy) -> Self {
        Self::internal("entropy.none", &error)
    }
}

impl From<crate::auditlog::Error> for Fault {
    fn from(error: crate::auditlog::Error) -> Self {
        tracing::error!(reason = "audit.blocked", error = %Chain(&error), "audit log");
        Self::new(
            Code::Unavailable,
            "audit.blocked",
            "this node cannot write its audit log, and does nothing that it cannot account for",
        )
    }
}

impl From<linkage_core::project::Error> for Fault {
    fn from(error: linkage_core::project::Error) -> Self {
        use linkage_core::project::Error;
        match error {
            Error::Signature(_) => Self::new(
                Code::PermissionDenied,
                "project.signature",
                error.to_string(),
            ),
            Error::NotAnOwner(_) => Self::no_project(),
            _ => Self::new(Code::InvalidArgument, "project.manifest", error.to_string()),
        }
    }
}

impl From<linkage_core::project::state::Refused> for Fault {
    fn from(refused: linkage_core::project::state::Refused) -> Self {
        Self::state(refused.code(), refused.to_string())
    }
}

impl From<linkage_core::project::persons::SamePerson> for Fault {
    fn from(error: linkage_core::project::persons::SamePerson) -> Self {
        Self::new(
            Code::PermissionDenied,
            "project.one_person",
            error.to_string(),
        )
    }
}

impl From<linkage_core::keys::Error> for Fault {
    fn from(error: linkage_core::keys::Error) -> Self {
        Self::new(Code::Aborted, "key.agreement", error.to_string())
    }
}

impl From<linkage_core::encode::BatchError> for Fault {
    fn from(error: linkage_core::encode::BatchError) -> Self {
        Self::new(Code::InvalidArgument, "upload.batch", error.to_string())
    }
}

impl From<linkage_core::encode::batch::StreamError> for Fault {
    fn from(error: linkage_core::encode::batch::StreamError) -> Self {
        use linkage_core::encode::batch::StreamError;
        match error {
            StreamError::Io(error) => error.into(),
            StreamError::Batch(error) => error.into(),
        }
    }
}

impl From<linkage_engine::store::StoreError> for Fault {
    fn from(error: linkage_engine::store::StoreError) -> Self {
        Self::internal("store.batch", &error)
    }
}

impl From<tokio::task::JoinError> for Fault {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal("task.failed", &error)
    }
}
