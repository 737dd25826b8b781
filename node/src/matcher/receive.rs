//! Chunks from the wire to the disk: the next group comes in while the last one is written.

use std::time::Duration;

use linkage_proto::v1;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_stream::StreamExt as _;
use tonic::{Code, Status, Streaming};

use super::lanes::Turn;
use crate::fault::Fault;

/// Where acknowledgements go.
pub(super) type Acks = mpsc::Sender<Result<v1::Ack, Status>>;

/// A stream of chunks of one upload.
pub(super) struct Receiving {
    pub upload: [u8; 16],
    pub turn: Turn,
    /// Most chunks that wait for the disk, and as many again that are written in one go.
    pub waiting_max: usize,
    pub age_max: Duration,
}

impl Receiving {
    /// Takes chunks until the sender has no more, one is refused, or the stream is too old, and
    /// acknowledges what is on disk.
    pub(super) async fn run(self, first: v1::Chunk, chunks: Streaming<v1::Chunk>, acks: Acks) {
        let (sender, mut receiver) = mpsc::channel(self.waiting_max);
        let end = Instant::now() + self.age_max;
        let reading = tokio::spawn(read(first, chunks, sender, self.upload, end));
        let turn = std::sync::Arc::new(self.turn);
        let mut group = Vec::with_capacity(self.waiting_max);
        while receiver.recv_many(&mut group, self.waiting_max).await > 0 {
            let (turn, chunks) = (std::sync::Arc::clone(&turn), std::mem::take(&mut group));
            let stored = tokio::task::spawn_blocking(move || turn.store(&chunks)).await;
            let stored = stored.map_err(Fault::from).flatten();
            let failed = stored.is_err();
            let ack = stored.map(|next_chunk| v1::Ack { next_chunk });
            if acks.send(ack.map_err(Status::from)).await.is_err() || failed {
                reading.abort();
                return;
            }
        }
        if let Ok(Err(fault)) = reading.await {
            // Nobody listens any more where the sender is gone.
            let _ = acks.send(Err(fault.into())).await;
        }
    }
}

/// Hands chunks on as they come. What came before the end is stored, whatever ends the stream.
async fn read(
    first: v1::Chunk,
    mut chunks: Streaming<v1::Chunk>,
    sender: mpsc::Sender<v1::Chunk>,
    upload: [u8; 16],
    end: Instant,
) -> Result<(), Fault> {
    let mut chunk = first;
    loop {
        if chunk.upload != upload.as_slice() {
            return Err(Fault::new(
                Code::InvalidArgument,
                "upload.confused",
                "a chunk of another upload came in this upload's stream",
            ));
        }
        // The receiver is gone when a chunk was refused, and has said so.
        if sender.send(chunk).await.is_err() {
            return Ok(());
        }
        chunk = match timeout_at(end, chunks.next()).await {
            Ok(Some(Ok(next))) => next,
            // The sender is gone or done.
            Ok(Some(Err(_)) | None) => return Ok(()),
            Err(_) => {
                return Err(Fault::new(
                    Code::Unavailable,
                    "upload.rotate",
                    "this stream has come to its age; go on in another one",
                ));
            }
        };
    }
}
