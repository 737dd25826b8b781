//! The check before every service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower::{Layer, Service};

use super::permit::Caller;
use super::table::Table;
use super::{Denial, DenialSink};
use crate::connections::Peer;

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
            .decide(request.uri().path(), &peer.identity)
            .map_err(|(denial, procedure)| {
                self.denials.denied(Some(&peer.identity), procedure, denial);
                denial
            })?;
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
    use crate::identity::{Identity, Role};

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
        let mut authz = AuthzLayer::new(table, denials).layer(inner);
        let reply = authz.call(request).await.unwrap();
        assert_eq!(reply.headers()["grpc-status"], "16");
        assert_eq!(reply.headers()[REASON_METADATA], "authz.unauthenticated");
        assert_eq!(*heard.0.lock().unwrap(), [Denial::Unauthenticated]);
    }
}
