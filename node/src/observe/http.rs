//! Plain HTTP on loopback, for the machine's own tools: `/livez`, `/readyz`, `/metrics`.
//!
//! There is no secret behind it and nothing can be changed through it; still it listens on loopback
//! alone, because the counts are nobody else's business.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::health::{Health, State};
use super::metrics;

/// Most connections at once: the metrics collector, a probe, a person, and some to spare.
const CONNECTIONS_MAX: usize = 16;

/// Time for a request's head: the client is on this machine.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Time that [`status`] takes at most.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer that [`status`] reads, in bytes.
const STATUS_BYTES_MAX: usize = 64 << 10;

/// Answers until it is dropped.
pub async fn serve(listener: TcpListener, health: Health) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((tcp, _)) = listener.accept().await else {
            // As when the process is out of file handles: rest, or this spins.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let health = health.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let answer = answer(&request, &health);
                async move { Ok::<_, Infallible>(answer) }
            });
            // A client that breaks off is its own affair.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .keep_alive(false)
                .serve_connection(TokioIo::new(tcp), answer)
                .await;
            drop(place);
        });
    }
}

fn answer(request: &Request<Incoming>, health: &Health) -> Response<Full<Bytes>> {
    let (code, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/livez") => (StatusCode::OK, "text/plain", "alive\n".to_owned()),
        (&Method::GET, "/readyz") => {
            let state = health.state();
            let code = match state.is_ready() {
                true => StatusCode::OK,
                false => StatusCode::SERVICE_UNAVAILABLE,
            };
            let text = serde_json::to_string(&state).unwrap_or_default();
            (code, "application/json", text)
        }
        (&Method::GET, "/metrics") => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            (StatusCode::OK, kind, metrics::render())
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", "not here\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

/// Why a node's state cannot be learnt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// Nobody answers.
    #[error("nobody answers at {address}: the node is not running")]
    Connect {
        /// Where.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Something else answers.
    #[error("what answers at {0} is no node")]
    Answer(String),
    /// It takes too long.
    #[error("the node at {0} does not answer in {n} s", n = STATUS_TIMEOUT.as_secs())]
    Slow(String),
}

/// Asks the node that shows its state at `address`.
///
/// # Errors
/// [`StatusError`].
pub async fn status(address: &str) -> Result<State, StatusError> {
    let slow = |_| StatusError::Slow(address.to_owned());
    let asking = tokio::time::timeout(STATUS_TIMEOUT, ask(address));
    asking.await.map_err(slow)?
}

async fn ask(address: &str) -> Result<State, StatusError> {
    let bad = || StatusError::Answer(address.to_owned());
    let tcp = TcpStream::connect(address)
        .await
        .map_err(|source| StatusError::Connect {
            address: address.to_owned(),
            source,
        })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tcp))
        .await
        .map_err(|_| bad())?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/readyz")
        .header(header::HOST, address)
        .body(Empty::<Bytes>::new())
        .map_err(|_| bad())?;
    let reply = sender.send_request(request).await.map_err(|_| bad())?;
    let body = Limited::new(reply.into_body(), STATUS_BYTES_MAX);
    let body = body.collect().await.map_err(|_| bad())?.to_bytes();
    connection.abort();
    serde_json::from_slice(&body).map_err(|_| bad())
}
