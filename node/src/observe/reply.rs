//! The body of a reply on its way out: it bears the operation's id, is counted when it ends, and
//! may be ended early.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderMap, HeaderValue};
use hyper::body::{Body as HttpBody, Bytes, Frame};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tonic::body::Body;
use tonic::codegen::StdError;
use tonic::{Code, Status};
use tracing::Span;
use uuid::Uuid;

use super::metrics;
use super::operation::OPERATION_METADATA;
use crate::authz::REASON_METADATA;
use crate::fault::Fault;

/// What is done when a call ends, however it ends.
pub(super) struct Ending {
    op: HeaderValue,
    procedure: &'static str,
    begun: Instant,
    code: Code,
    place: Option<OwnedSemaphorePermit>,
    span: Span,
}

impl Ending {
    pub(super) fn new(
        id: Uuid,
        procedure: &'static str,
        place: Option<OwnedSemaphorePermit>,
        span: Span,
    ) -> Self {
        // A UUID is 36 characters that a header may hold.
        let op = HeaderValue::from_str(&id.to_string());
        Self {
            op: op.unwrap_or_else(|_| HeaderValue::from_static("")),
            procedure,
            begun: Instant::now(),
            // Until the end is seen: the caller went away.
            code: Code::Cancelled,
            place,
            span,
        }
    }

    /// Whether the call has a place among those under way.
    pub(super) fn has_place(&self) -> bool {
        self.place.is_some()
    }

    /// Sees a reply's headers or trailers: the id goes in, and the outcome is read.
    fn see(&mut self, headers: &mut HeaderMap) {
        headers.insert(OPERATION_METADATA, self.op.clone());
        if let Some(status) = Status::from_header_map(headers) {
            self.code = status.code();
            self.span.in_scope(|| tell(headers, status.code()));
        }
    }
}

/// Logs a call that failed: what the caller hears under the operation's id stands in the log, too.
fn tell(headers: &HeaderMap, code: Code) {
    let reason = headers.get(REASON_METADATA);
    let reason = reason.and_then(|reason| reason.to_str().ok());
    match code {
        Code::Ok => {}
        Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable => {
            tracing::warn!(?code, reason, "call failed");
        }
        _ => tracing::info!(?code, reason, "call refused"),
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        metrics::call_ended(self.procedure, self.code, self.begun.elapsed());
    }
}

/// A reply's body.
pub(super) struct Reply {
    inner: Body,
    ending: Ending,
    /// Ends with the reason when nothing more is stored, for replies that end then.
    held: Option<Pin<Box<dyn Future<Output = Fault> + Send>>>,
    has_ended: bool,
}

impl Reply {
    /// The reply, wrapped.
    pub(super) fn wrap<R>(
        reply: http::Response<R>,
        mut ending: Ending,
        hold: Option<watch::Receiver<Option<Fault>>>,
    ) -> http::Response<Body>
    where
        R: HttpBody<Data = Bytes> + Send + 'static,
        R::Error: Into<StdError>,
    {
        let (mut parts, body) = reply.into_parts();
        ending.see(&mut parts.headers);
        let held = hold.map(|mut hold| {
            let held = async move {
                let fault = hold.wait_for(Option::is_some).await.ok();
                let fault = fault.and_then(|fault| fault.clone());
                // A sender that is gone means that the process ends.
                fault.unwrap_or_else(Fault::stopping)
            };
            Box::pin(held) as Pin<Box<dyn Future<Output = Fault> + Send>>
        });
        let reply = Self {
            inner: Body::new(body),
            ending,
            held,
            has_ended: false,
        };
        http::Response::from_parts(parts, Body::new(reply))
    }
}

impl HttpBody for Reply {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let frame = match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                // What is ready goes out first: an acknowledgement must not be lost.
                let held = self.held.as_mut().map(|held| held.as_mut().poll(cx));
                let Some(Poll::Ready(fault)) = held else {
                    return Poll::Pending;
                };
                self.has_ended = true;
                let mut trailers = HeaderMap::new();
                let status = Status::from(fault);
                if status.add_header(&mut trailers).is_err() {
                    return Poll::Ready(Some(Err(status)));
                }
                Some(Ok(Frame::trailers(trailers)))
            }
        };
        let frame = frame.map(|frame| {
            frame.map(|mut frame| {
                if let Some(trailers) = frame.trailers_mut() {
                    self.ending.see(trailers);
                }
                frame
            })
        });
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || self.inner.is_end_stream()
    }
}
