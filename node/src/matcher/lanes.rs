//! Who may write to an upload's file: the newest stream of chunks, one group at a time.
//!
//! After a cut, the matcher may not yet have noticed that the old stream is dead when its owner
//! opens a new one. The new one takes the lane over; the old one's next write is refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use linkage_proto::v1;
use tonic::Code;

use super::spool::Spool;
use crate::fault::Fault;

/// The lanes of all uploads that streams have come for.
#[derive(Default)]
pub(super) struct Lanes(Mutex<HashMap<[u8; 16], Arc<Lane>>>);

/// One upload's lane.
#[derive(Default)]
pub(super) struct Lane {
    /// Held while the upload is checked, so that it is checked once.
    pub checking: tokio::sync::Mutex<()>,
    state: Mutex<Holder>,
}

#[derive(Default)]
struct Holder {
    /// Counts the streams; the last one holds the lane.
    stream: u64,
    spool: Option<Spool>,
}

/// A stream's right to write, until another takes it over.
pub(super) struct Turn {
    lane: Arc<Lane>,
    stream: u64,
}

impl Lanes {
    /// The lane of an upload.
    pub(super) fn of(&self, upload: &[u8; 16]) -> Arc<Lane> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(*upload).or_default())
    }

    /// Forgets the lane of an upload that takes no more chunks.
    pub(super) fn close(&self, upload: &[u8; 16]) {
        self.of(upload).clear();
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.remove(upload);
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Holder> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lane for a new stream. Waits until a group that is being written is on disk.
    pub(super) fn take(
        self: &Arc<Self>,
        open: impl FnOnce() -> Result<Spool, Fault>,
    ) -> Result<Turn, Fault> {
        let mut holder = self.lock();
        holder.stream += 1;
        // Closed before it is opened again: opening cuts off what is not a whole chunk.
        holder.spool = None;
        holder.spool = Some(open()?);
        Ok(Turn {
            lane: Arc::clone(self),
            stream: holder.stream,
        })
    }

    /// Ends every stream's turn.
    pub(super) fn clear(&self) {
        let mut holder = self.lock();
        holder.stream += 1;
        holder.spool = None;
    }
}

impl Turn {
    /// Appends chunks and waits until they are on disk; the first chunk that is not. When one of
    /// them is refused, those before it stay.
    pub(super) fn store(&self, chunks: &[v1::Chunk]) -> Result<u32, Fault> {
        let mut holder = self.lane.lock();
        if holder.stream != self.stream {
            return Err(superseded());
        }
        let spool = holder.spool.as_mut().ok_or_else(superseded)?;
        for chunk in chunks {
            if let Err(fault) = spool.append(chunk.index, chunk.crc32c, &chunk.rows) {
                // Half a chunk may be in the file; the next stream opens it anew.
                holder.spool = None;
                return Err(fault);
            }
        }
        spool.sync()?;
        Ok(spool.next_chunk())
    }
}

fn superseded() -> Fault {
    Fault::new(
        Code::Aborted,
        "upload.superseded",
        "another stream goes on with this upload",
    )
}
