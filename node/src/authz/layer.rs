//! The check before every service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower::{Layer, Service};

use super::permit::Caller;
use super::table::Table;
use super::{Denial, DenialSink, DeniedCall};
use crate::connections::Peer;
use crate::tls::credentials::Credentials;

/// Puts the check of a [`Table`] before a service.
#[derive(Clone)]
pub struct AuthzLayer {
    table: Arc<Table>,
    credentials: Arc<Credentials>,
    denials: Arc<dyn DenialSink>,
}

impl AuthzLayer {
    /// Makes a layer that asks `credentials` whether callers' certificates still hold, and tells
    /// `denials` of each denied call.
    pub fn new(table: Table, credentials: Arc<Credentials>, denials: Arc<dyn DenialSink>) -> Self {
        Self {
            table: Arc::new(table),
            credentials,
            denials,
        }
    }

    fn check<B>(&self, request: &http::Request<B>) -> Result<Caller, Denial> {
        let deny = |peer: Option<&Peer>, procedure, reason| {
            let caller = peer.map(|peer| (&peer.identity, &peer.certificate_sha256));
            self.denials.denied(DeniedCall {
                caller,
                procedure,
                reason,
            });
            reason
        };
        let Some(peer) = request.extensions().get::<Arc<Peer>>() else {
            return Err(deny(None, None, Denial::Unauthenticated));
        };
        let procedure = self
            .table
            .decide(request.uri().path(), &peer.identity)
            .map_err(|(denial, procedure)| deny(Some(peer), procedure, denial))?;
        // Last, as it is the dearest check.
        peer.recheck(&self.credentials)
            .map_err(|refusal| deny(Some(peer), Some(procedure), Denial::Certificate(refusal)))?;
        Ok(Caller::new(Arc::clone(peer), procedure))
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
    use super::*;
    use crate::authz::REASON_METADATA;
    use crate::authz::table::{Party, Rule};
    use crate::identity::Role;
    use crate::pki::{DevPki, Validity};

    #[derive(Default)]
    struct Heard(std::sync::Mutex<Vec<Denial>>);

    impl DenialSink for Heard {
        fn denied(&self, call: DeniedCall<'_>) {
            assert_eq!(call.caller, None);
            self.0.lock().unwrap().push(call.reason);
        }
    }

    #[tokio::test]
    async fn a_connection_without_identity_is_denied() {
        let dir = tempfile::tempdir().unwrap();
        let today = Validity::starting(jiff::Timestamp::now(), 1).unwrap();
        let pki = DevPki::create(dir.path(), "d", today).unwrap();
        let files = pki.issue(Role::Matcher, "m", &[], today).unwrap();
        let credentials = Credentials::read(files).unwrap();
        let heard = Arc::new(Heard::default());
        let denials: Arc<dyn DenialSink> = heard.clone();
        let rule = Rule {
            path: "/a/b",
            roles: &Role::ALL,
            party: Party::Any,
        };
        let table = Table::new("m", &[rule]).unwrap();
        let inner = tower::service_fn(|_: http::Request<()>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
        });
        let request = http::Request::builder().uri("/a/b").body(()).unwrap();
        let mut authz = AuthzLayer::new(table, credentials, denials).layer(inner);
        let reply = authz.call(request).await.unwrap();
        assert_eq!(reply.headers()["grpc-status"], "16");
        assert_eq!(reply.headers()[REASON_METADATA], "authz.unauthenticated");
        assert_eq!(*heard.0.lock().unwrap(), [Denial::Unauthenticated]);
    }
}
