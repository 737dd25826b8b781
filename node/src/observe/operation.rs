//! Operations: what one call sets in motion, under one id.
//!
//! [`OperationLayer`] gives each call a UUID of version 7, which sorts by time. It stands in every
//! log line of the call, in the audit entries, and in the reply's metadata under
//! [`OPERATION_METADATA`], errors included. Work that goes on in tasks of its own is started with
//! [`spawn`] and [`spawn_blocking`], which keep the id.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::metrics;
use super::reply::{Ending, Reply};
use crate::connections::Peer;
use crate::fault::Fault;

/// The metadata entry of every reply that holds the operation's id.
pub const OPERATION_METADATA: &str = "linkage-op";

/// Calls that store bulk data: refused, and ended where they are, while the node stores nothing
/// new. An upload goes on later from its last acknowledged chunk.
const STORING: [&str; 3] = [
    "/linkage.v1.Operations/Upload",
    "/linkage.v1.Uploads/Begin",
    "/linkage.v1.Uploads/Put",
];

/// Calls that are let in whatever else is under way.
const ALWAYS_LET_IN: &str = "/grpc.health.v1.Health/";

/// Rest that a refused caller is asked to take. 1 s: half of all calls end within a fraction of it.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Operation {
    id: Uuid,
    span: Span,
}

tokio::task_local! {
    static CURRENT: Operation;
}

/// The id of the operation that this task works for, if it works for one.
pub fn id() -> Option<Uuid> {
    CURRENT.try_with(|operation| operation.id).ok()
}

/// Spawns a task that goes on with the current operation.
pub fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match CURRENT.try_with(Operation::clone) {
        Ok(operation) => {
            let span = operation.span.clone();
            tokio::spawn(CURRENT.scope(operation, task).instrument(span))
        }
        Err(_) => tokio::spawn(task),
    }
}

/// Runs blocking work of the current operation.
pub fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    match CURRENT.try_with(Operation::clone) {
        Ok(operation) => tokio::task::spawn_blocking(move || {
            let span = operation.span.clone();
            span.in_scope(|| CURRENT.sync_scope(operation, work))
        }),
        Err(_) => tokio::task::spawn_blocking(work),
    }
}

/// Makes each call an operation, counts it, and refuses it where too many are under way.
#[derive(Clone)]
pub struct OperationLayer {
    places: Arc<Semaphore>,
    hold: watch::Receiver<Option<Fault>>,
}

impl OperationLayer {
    /// Lets in `calls_max` calls at once; while `hold` has a fault, nothing new is stored.
    pub fn new(calls_max: usize, hold: watch::Receiver<Option<Fault>>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(calls_max.min(Semaphore::MAX_PERMITS))),
            hold,
        }
    }

    /// Why a call of this path is not let in, if it is not.
    fn refusal(&self, path: &str, has_place: bool) -> Option<Fault> {
        if STORING.contains(&path)
            && let Some(fault) = self.hold.borrow().clone()
        {
            return Some(fault);
        }
        (!has_place && !path.starts_with(ALWAYS_LET_IN)).then(full)
    }
}

impl<S> Layer<S> for OperationLayer {
    type Service = Operations<S>;

    fn layer(&self, inner: S) -> Operations<S> {
        Operations {
            layer: self.clone(),
            inner,
        }
    }
}

/// A service behind an [`OperationLayer`].
#[derive(Clone)]
pub struct Operations<S> {
    layer: OperationLayer,
    inner: S,
}

impl<S, B, R> Service<http::Request<B>> for Operations<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    S::Future: Send + 'static,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<StdError>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let id = Uuid::now_v7();
        let path = request.uri().path();
        let procedure = procedure(path);
        let peer = request.extensions().get::<Arc<Peer>>();
        let caller = peer.map(|peer| peer.identity.to_string());
        let span = tracing::info_span!(parent: None, "operation", op = %id, procedure, caller);
        let hold = STORING.contains(&path).then(|| self.layer.hold.clone());
        let place = Arc::clone(&self.layer.places).try_acquire_owned().ok();
        let ending = Ending::new(id, procedure, place, span.clone());
        if let Some(fault) = self.layer.refusal(path, ending.has_place()) {
            metrics::call_refused(fault.reason());
            let reply = Status::from(fault).into_http::<Body>();
            return Box::pin(async move { Ok(Reply::wrap(reply, ending, None)) });
        }
        let operation = Operation {
            id,
            span: span.clone(),
        };
        let answer = CURRENT.sync_scope(operation.clone(), || self.inner.call(request));
        let answer = async move {
            let reply = answer.await?;
            Ok(Reply::wrap(reply, ending, hold))
        };
        Box::pin(CURRENT.scope(operation, answer).instrument(span))
    }
}

fn full() -> Fault {
    Fault::new(
        Code::ResourceExhausted,
        "limit.calls",
        "this node has as many calls under way as it may; try again in a moment",
    )
    .retry_after(RETRY_AFTER)
}

/// The procedure of this path in our own spelling: a path is the caller's words, and a name for
/// what is unknown keeps the number of names bounded.
fn procedure(path: &str) -> &'static str {
    static KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| {
        // Compiled into this program; a test reads them.
        let sets = [
            linkage_proto::DESCRIPTOR,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
        ]
        .map(|bytes| FileDescriptorSet::decode(bytes).unwrap_or_default());
        let files = sets.iter().flat_map(|set| &set.file);
        files
            .flat_map(|file| file.service.iter().map(move |service| (file, service)))
            .flat_map(|(file, service)| {
                let name = format!("/{}.{}/", file.package(), service.name());
                let methods = service.method.iter();
                methods.map(move |method| format!("{name}{}", method.name()))
            })
            .collect()
    });
    KNOWN.get(path).map_or("unknown", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn procedures_are_known_by_their_paths() {
        for path in ["/linkage.v1.Uploads/Put", "/grpc.health.v1.Health/Check"] {
            assert_eq!(procedure(path), path);
        }
        assert_eq!(procedure("/linkage.v1.Uploads/'; DROP"), "unknown");
        for path in STORING {
            assert_eq!(procedure(path), path);
        }
    }

    #[tokio::test]
    async fn work_elsewhere_belongs_to_the_same_operation() {
        assert_eq!(id(), None);
        let operation = Operation {
            id: Uuid::now_v7(),
            span: Span::none(),
        };
        let expected = operation.id;
        CURRENT
            .scope(operation, async move {
                assert_eq!(id(), Some(expected));
                assert_eq!(spawn(async { id() }).await.unwrap(), Some(expected));
                assert_eq!(spawn_blocking(id).await.unwrap(), Some(expected));
            })
            .await;
        assert_eq!(spawn_blocking(id).await.unwrap(), None);
    }
}
