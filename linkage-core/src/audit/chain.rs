//! The end of a log, and how it grows.

use super::checkpoint::Checkpoint;
use super::entry::{Entry, EntryError, EntryHash, Event, VERSION};

/// The end of a log: how many entries it has and the hash of the last.
///
/// [`Chain::next`] leaves `self` as it is, so that a writer moves on only after the line is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    node: String,
    size: u64,
    head: EntryHash,
}

impl Chain {
    /// The empty log of `node`.
    pub fn new(node: impl Into<String>) -> Self {
        Self::resume(node, 0, EntryHash::GENESIS)
    }

    /// The log of `node` that has `size` entries and ends in `head`.
    pub fn resume(node: impl Into<String>, size: u64, head: EntryHash) -> Self {
        Self {
            node: node.into(),
            size,
            head,
        }
    }

    /// The line (with newline) that logs `event`, and the chain after it.
    ///
    /// # Errors
    /// [`EntryError`] if a field of the event is not well-formed or the line too long.
    pub fn next(&self, event: Event) -> Result<(Vec<u8>, Self), EntryError> {
        let node = self.node.clone();
        let entry = Entry {
            v: VERSION,
            seq: self.size,
            node,
            event,
            prev: self.head,
        };
        let mut line = entry.to_line()?;
        let head = self.head.follow(&line);
        line.push(b'\n');
        Ok((
            line,
            Self {
                node: entry.node,
                size: self.size + 1,
                head,
            },
        ))
    }

    /// Number of entries, and the `seq` of the next.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Hash of the last entry.
    pub fn head(&self) -> EntryHash {
        self.head
    }

    /// The statement to be signed about this end of the log.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: Checkpoint::origin_of(&self.node),
            size: self.size,
            head: self.head,
        }
    }
}
