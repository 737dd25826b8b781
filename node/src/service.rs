//! A gRPC server with certificates on both sides, bounded everywhere, that can be shut down.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::accept::{Acceptor, RefusalSink};
use crate::authz::layer::AuthzLayer;
use crate::connections::Connections;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::net::Listener;
use crate::observe::operation::OperationLayer;
use crate::tls::credentials::Credentials;

/// Time that cut connections have to end their tasks. They end at the next wake, in microseconds;
/// 1 s is for a machine under load.
const CUT_TIMEOUT: Duration = Duration::from_secs(1);

/// How a server behaves, apart from the procedures it offers.
pub struct ServeOptions {
    /// The TLS settings. New ones count from the next connection on, and what they refuse is cut.
    pub credentials: Arc<Credentials>,
    /// The only trust domain whose parties may connect.
    pub trust_domain: String,
    /// Bounds on handshakes, connections and streams.
    pub limits: Limits,
    /// Hears of refused connections.
    pub refusals: Arc<dyn RefusalSink>,
    /// Decides who may call what.
    pub authz: AuthzLayer,
    /// While it has a fault, nothing new is stored: calls that would are refused with it.
    pub hold: watch::Receiver<Option<Fault>>,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that did not end in time and were cut.
    pub connections_cut: usize,
}

/// Serves `routes` on `listener` until `shutdown` ends; then accepts nothing new, lets requests end
/// for [`Limits::drain_timeout`] or until `now` ends, cuts what is left and returns.
///
/// # Errors
/// [`ServeError`] if the HTTP/2 server fails or ends unasked.
pub async fn serve(
    listener: impl Listener,
    options: ServeOptions,
    routes: Routes,
    shutdown: impl Future<Output = ()>,
    now: impl Future<Output = ()>,
) -> Result<Stopped, ServeError> {
    let ServeOptions {
        credentials,
        trust_domain,
        limits,
        refusals,
        authz,
        hold,
    } = options;
    let connections = Connections::new(limits.connections_max, limits.connections_per_peer_max);
    let (accepted, incoming) = mpsc::channel(limits.handshakes_max.max(1));
    let acceptor = Acceptor {
        credentials: Arc::clone(&credentials),
        trust_domain,
        limits: limits.clone(),
        refusals: Arc::clone(&refusals),
        connections: Arc::clone(&connections),
        accepted,
    };
    // Dropping the set ends the accept loop, also when this future itself is dropped.
    let mut accepting = JoinSet::new();
    accepting.spawn(acceptor.run(listener));
    accepting.spawn(cut_refused(Arc::clone(&connections), credentials, refusals));

    let (stop, stopped) = oneshot::channel::<()>();
    let server = builder(&limits)
        .layer(OperationLayer::new(limits.calls_max, hold))
        .layer(authz)
        .add_routes(routes)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), async {
            // A dropped sender means the same as a sent word.
            let _ = stopped.await;
        });
    let mut server = pin!(server);
    tokio::select! {
        ended = &mut server => {
            ended.map_err(ServeError::Server)?;
            return Err(ServeError::Ended);
        }
        () = shutdown => {}
    }

    accepting.abort_all();
    let _ = stop.send(());
    let drained = tokio::select! {
        ended = &mut server => Some(ended),
        () = sleep(limits.drain_timeout) => None,
        () = now => None,
    };
    if let Some(ended) = drained {
        ended.map_err(ServeError::Server)?;
        return Ok(Stopped { connections_cut: 0 });
    }
    let connections_cut = connections.cut_all();
    // A task that does not end even now must not hold up the process.
    let _ = timeout(CUT_TIMEOUT, &mut server).await;
    Ok(Stopped { connections_cut })
}

/// Cuts the connections that no longer hold, after each replacement of the TLS settings.
async fn cut_refused(
    connections: Arc<Connections>,
    credentials: Arc<Credentials>,
    refusals: Arc<dyn RefusalSink>,
) {
    let mut generations = credentials.generations();
    while generations.changed().await.is_ok() {
        for (address, reason) in connections.cut_refused(&credentials) {
            refusals.refused(address, reason);
        }
    }
}

fn builder(limits: &Limits) -> Server {
    Server::builder()
        .max_concurrent_streams(limits.streams_per_connection_max)
        .http2_max_header_list_size(limits.header_list_bytes_max)
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        .max_connection_age(limits.connection_age_max)
        .max_connection_age_grace(limits.connection_age_grace)
}

/// Why a server ended other than by its shutdown.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The HTTP/2 server failed.
    #[error("the server failed")]
    Server(#[source] tonic::transport::Error),
    /// The HTTP/2 server ended although nobody asked it to.
    #[error("the server ended unasked")]
    Ended,
}
