//! Who may call which procedure: a table of roles, deny by default.
//!
//! [`AuthzLayer`] stands before every service. It knows the peer from the connection's certificate,
//! looks the procedure up in the [`Table`] and puts a [`Caller`] into the request. Nothing else can
//! make a `Caller`, so a handler that asks for one answers nobody whom the layer has not let in.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use prost::Message;
use prost_types::FileDescriptorSet;
use thiserror::Error;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::connections::Peer;
use crate::identity::{Identity, Role};

/// The metadata entry of a refused call that holds its stable reason code.
pub const REASON_METADATA: &str = "linkage-reason";

/// One row of a [`Table`]: a procedure's path, `/<package>.<service>/<method>`, and who may call
/// it.
pub type Rule = (&'static str, &'static [Role]);

/// Which roles may call which procedure. What is not in it, nobody may call.
#[derive(Debug, Clone)]
pub struct Table {
    roles_by_path: HashMap<&'static str, &'static [Role]>,
}

impl Table {
    /// Makes a table.
    ///
    /// # Errors
    /// [`TableError::Twice`] if a procedure has two rows, of which one would be silently lost.
    pub fn new(rules: &[Rule]) -> Result<Self, TableError> {
        let mut roles_by_path = HashMap::with_capacity(rules.len());
        for (path, roles) in rules {
            if roles_by_path.insert(*path, *roles).is_some() {
                return Err(TableError::Twice { path });
            }
        }
        Ok(Self { roles_by_path })
    }

    /// Decides on a call; gives the table's own spelling of the path.
    fn decide(
        &self,
        path: &str,
        role: Role,
    ) -> Result<&'static str, (Denial, Option<&'static str>)> {
        let Some((path, roles)) = self.roles_by_path.get_key_value(path) else {
            return Err((Denial::UnknownProcedure, None));
        };
        if roles.contains(&role) {
            Ok(path)
        } else {
            Err((Denial::Role, Some(path)))
        }
    }
}

/// The procedures of a protobuf `FileDescriptorSet` that `table` has no row for, sorted. A new
/// procedure is thereby found missing by a test, not by its first caller.
///
/// # Errors
/// [`TableError::Descriptor`] if the bytes are no descriptor set.
pub fn uncovered(descriptor: &[u8], table: &Table) -> Result<Vec<String>, TableError> {
    let set = FileDescriptorSet::decode(descriptor).map_err(TableError::Descriptor)?;
    let mut missing = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let dot = if file.package().is_empty() { "" } else { "." };
                let (package, service) = (file.package(), service.name());
                let path = format!("/{package}{dot}{service}/{}", method.name());
                if !table.roles_by_path.contains_key(path.as_str()) {
                    missing.push(path);
                }
            }
        }
    }
    missing.sort();
    Ok(missing)
}

/// Why a table cannot be made or checked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TableError {
    /// A procedure has two rows.
    #[error("{path} has two rows in the table")]
    Twice {
        /// The procedure.
        path: &'static str,
    },
    /// The descriptor cannot be read.
    #[error("the descriptor set cannot be read")]
    Descriptor(#[source] prost::DecodeError),
}

/// Why a call was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denial {
    /// The connection has no identity.
    Unauthenticated,
    /// The caller's role may not call the procedure.
    Role,
    /// The table has no such procedure. Telling so gives nothing away: procedures are public.
    UnknownProcedure,
}

impl Denial {
    /// The stable reason code, for the reply, logs and the audit log.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unauthenticated => "authz.unauthenticated",
            Self::Role => "authz.role",
            Self::UnknownProcedure => "authz.unknown_procedure",
        }
    }

    /// The reply to a denied call.
    fn status(self) -> Status {
        let code = match self {
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Role | Self::UnknownProcedure => Code::PermissionDenied,
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
            Self::UnknownProcedure => "there is no such procedure",
        })
    }
}

/// Hears of every denied call, to log and audit it. It must not block.
pub trait DenialSink: Send + Sync + 'static {
    /// A call was denied. `caller` is `None` without an identity; `procedure` is `None` when the
    /// table has no such path, because the path is then the caller's own words.
    fn denied(&self, caller: Option<&Identity>, procedure: Option<&'static str>, reason: Denial);
}

/// The party behind a request that [`AuthzLayer`] has let in.
#[derive(Debug, Clone)]
pub struct Caller {
    peer: Arc<Peer>,
    procedure: &'static str,
}

impl Caller {
    /// The caller of a request.
    ///
    /// # Errors
    /// `Unauthenticated` if the request did not come through [`AuthzLayer`].
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

/// Puts the check of a [`Table`] before a service.
#[derive(Clone)]
pub struct AuthzLayer {
    table: Arc<Table>,
    denials: Arc<dyn DenialSink>,
}

impl AuthzLayer {
    /// Makes a layer that tells `denials` of each denied call.
    pub fn new(table: Table, denials: Arc<dyn DenialSink>) -> Self {
        Self {
            table: Arc::new(table),
            denials,
        }
    }

    fn check<B>(&self, request: &http::Request<B>) -> Result<Caller, Denial> {
        let Some(peer) = request.extensions().get::<Arc<Peer>>() else {
            self.denials.denied(None, None, Denial::Unauthenticated);
            return Err(Denial::Unauthenticated);
        };
        let procedure = self
            .table
            .decide(request.uri().path(), peer.identity.role())
            .map_err(|(denial, procedure)| {
                self.denials.denied(Some(&peer.identity), procedure, denial);
                denial
            })?;
        Ok(Caller {
            peer: Arc::clone(peer),
            procedure,
        })
    }
}

impl<S> Layer<S> for AuthzLayer {
    type Service = Authz<S>;

    fn layer(&self, inner: S) -> Authz<S> {
        Authz {
            layer: self.clone(),
            inner,
        }
    }
}

/// A service behind an [`AuthzLayer`].
#[derive(Clone)]
pub struct Authz<S> {
    layer: AuthzLayer,
    inner: S,
}

impl<S, B, R> Service<http::Request<B>> for Authz<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    S::Future: Send + 'static,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        match self.layer.check(&request) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                Box::pin(self.inner.call(request))
            }
            Err(denial) => Box::pin(async move { Ok(denial.status().into_http()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost_types::{FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};

    use super::*;

    fn descriptor(package: &str, service: &str, methods: &[&str]) -> Vec<u8> {
        let method = |name: &&str| MethodDescriptorProto {
            name: Some((*name).to_owned()),
            ..Default::default()
        };
        let file = FileDescriptorProto {
            package: Some(package.to_owned()),
            service: vec![ServiceDescriptorProto {
                name: Some(service.to_owned()),
                method: methods.iter().map(method).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        FileDescriptorSet { file: vec![file] }.encode_to_vec()
    }

    #[test]
    fn a_procedure_without_a_row_is_found() {
        let table = Table::new(&[("/toy.v1.Toy/Who", &[Role::Owner])]).unwrap();
        let known = descriptor("toy.v1", "Toy", &["Who"]);
        assert_eq!(uncovered(&known, &table).unwrap(), Vec::<String>::new());
        let grown = descriptor("toy.v1", "Toy", &["Who", "What", "How"]);
        assert_eq!(
            uncovered(&grown, &table).unwrap(),
            ["/toy.v1.Toy/How", "/toy.v1.Toy/What"]
        );
        let bare = descriptor("", "Toy", &["Who"]);
        assert_eq!(uncovered(&bare, &table).unwrap(), ["/Toy/Who"]);
        assert!(matches!(
            uncovered(&[0xff; 3], &table),
            Err(TableError::Descriptor(_))
        ));
    }

    #[test]
    fn a_procedure_has_one_row() {
        let twice: &[Rule] = &[("/a/b", &[Role::Owner]), ("/a/b", &[])];
        assert!(matches!(
            Table::new(twice),
            Err(TableError::Twice { path: "/a/b" })
        ));
    }

    #[test]
    fn only_listed_roles_pass() {
        let table = Table::new(&[("/a/b", &[Role::Owner, Role::Auditor]), ("/a/c", &[])]).unwrap();
        for role in Role::ALL {
            let allowed = matches!(role, Role::Owner | Role::Auditor);
            assert_eq!(table.decide("/a/b", role).is_ok(), allowed, "{role}");
            assert_eq!(
                table.decide("/a/c", role),
                Err((Denial::Role, Some("/a/c")))
            );
            for path in ["", "/", "/a/b/", "/A/b", "a/b", "/a/*"] {
                assert_eq!(
                    table.decide(path, role),
                    Err((Denial::UnknownProcedure, None))
                );
            }
        }
    }

    #[derive(Default)]
    struct Heard(std::sync::Mutex<Vec<Denial>>);

    impl DenialSink for Heard {
        fn denied(&self, caller: Option<&Identity>, _: Option<&'static str>, reason: Denial) {
            assert_eq!(caller, None);
            self.0.lock().unwrap().push(reason);
        }
    }

    #[tokio::test]
    async fn a_connection_without_identity_is_denied() {
        let heard = Arc::new(Heard::default());
        let denials: Arc<dyn DenialSink> = heard.clone();
        let table = Table::new(&[("/a/b", &Role::ALL)]).unwrap();
        let inner = tower::service_fn(|_: http::Request<()>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
        });
        let request = http::Request::builder().uri("/a/b").body(()).unwrap();
        let mut authz = AuthzLayer::new(table, denials).layer(inner);
        let reply = authz.call(request).await.unwrap();
        assert_eq!(reply.headers()["grpc-status"], "16");
        assert_eq!(reply.headers()[REASON_METADATA], "authz.unauthenticated");
        assert_eq!(*heard.0.lock().unwrap(), [Denial::Unauthenticated]);
    }

    #[test]
    fn a_request_past_the_layer_has_no_caller() {
        let status = Caller::of(&tonic::Request::new(())).unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        let reason = status.metadata().get(REASON_METADATA).unwrap();
        assert_eq!(reason, "authz.unauthenticated");
    }

    proptest! {
        #[test]
        fn any_descriptor_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let table = Table::new(&[]).unwrap();
            if let Ok(paths) = uncovered(&bytes, &table) {
                prop_assert!(paths.is_sorted());
            }
        }
    }
}
