//! Progress of a long act, streamed to the operator who asked for it.

use linkage_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::fault::Fault;
use crate::observe::operation;
use crate::wire;

/// Messages under way; a reader that lags misses some.
const WAITING: usize = 64;

/// The stream that a long act answers with.
pub(super) type ProgressStream = ReceiverStream<Result<v1::Progress, Status>>;

/// Where a long act reports to.
#[derive(Clone)]
pub(super) struct Reporter(mpsc::Sender<Result<v1::Progress, Status>>);

impl Reporter {
    /// Reports to nobody.
    pub(super) fn silent() -> Self {
        Self(mpsc::channel(1).0)
    }

    /// Tells how far a step is. A courtesy: nothing waits for the reader.
    pub(super) fn step(&self, step: &str, done: u64, total: u64) {
        let progress = v1::Progress {
            step: step.to_owned(),
            done,
            total,
            result_part: Vec::new().into(),
        };
        let _ = self.0.try_send(Ok(progress));
    }
}

/// Runs `act` by itself; the stream ends with its result or fault. The act goes on when the reader
/// goes away.
pub(super) fn stream<F>(act: impl FnOnce(Reporter) -> F) -> ProgressStream
where
    F: Future<Output = Result<serde_json::Value, Fault>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let acting = act(Reporter(sender.clone()));
    operation::spawn(async move {
        let result = match acting.await {
            Ok(result) => result.to_string(),
            Err(fault) => {
                let _ = sender.send(Err(fault.into())).await;
                return;
            }
        };
        for result_part in wire::parts(result.into()) {
            let part = v1::Progress {
                step: "done".to_owned(),
                done: 1,
                total: 1,
                result_part,
            };
            if sender.send(Ok(part)).await.is_err() {
                return;
            }
        }
    });
    ReceiverStream::new(receiver)
}
