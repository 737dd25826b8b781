//! The envelope of every message: who it is for, and that it arrived whole.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | magic `LKOT` |
//! | 1 | version, 1 |
//! | 1 | kind of message |
//! | 16 | run id |
//! | 1 | measure: 1 for counts, 2 for sums, 3 for counts of three owners |
//! | 4, 2, 2, 2 | positions, rows, columns, layers |
//! | 16 | tag of the run context, which covers the nonces of both owners |
//! | fixed by kind and shape | payload |
//! | 32 | SHA-256 of everything before |
//!
//! All integers are little-endian. The digest finds damage, not forgery: messages travel inside an
//! authenticated channel.

use ring::digest;

use crate::context::{RunId, SEED_BYTES};
use crate::params::TableShape;

const MAGIC: &[u8; 4] = b"LKOT";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 49;
const SHAPE_BYTES: usize = 11;
const DIGEST_BYTES: usize = 32;

/// Bytes of the chunk number in front of a payload that belongs to one chunk.
pub(crate) const INDEX_BYTES: usize = 4;

/// Bytes of a message beyond its payload.
pub(crate) const OVERHEAD_BYTES: usize = HEADER_BYTES + DIGEST_BYTES;

/// Why a message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shorter than a header.
    #[error("message is shorter than its header")]
    Truncated,
    /// Not a message of this protocol.
    #[error("not an oblivious table message")]
    Magic,
    /// A version this build doesn't know.
    #[error("message version {0} is not supported")]
    Version(u8),
    /// Another kind of message was expected at this step.
    #[error("message kind {found} where kind {expected} is due")]
    Kind {
        /// Kind that this step reads.
        expected: u8,
        /// Kind in the message.
        found: u8,
    },
    /// Belongs to another run.
    #[error("message belongs to another run")]
    ForeignRun,
    /// Made for a table of another size or measure.
    #[error("message was made for a table of another shape")]
    ForeignShape,
    /// Same run and shape, but other nonces.
    #[error("message was made with other nonces")]
    ForeignNonces,
    /// Length isn't the one that kind and shape fix, be it cut or followed by further bytes.
    #[error("message has {found} bytes where {expected} are due")]
    Length {
        /// Length that kind and shape fix.
        expected: usize,
        /// Length of the message.
        found: usize,
    },
    /// Digest doesn't match.
    #[error("message is damaged")]
    Damaged,
}

/// Kinds of messages, in the order in which a run sends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    PublicKey = 1,
    Chunk = 2,
    MaskedTable = 3,
    PhaseShare = 4,
    MaskShare = 5,
    SplitSeed = 6,
    SplitChunk = 7,
}

/// What ties a message to one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) run_id: RunId,
    pub(crate) shape: TableShape,
    pub(crate) tag: [u8; SEED_BYTES],
}

impl Envelope {
    fn header(&self, kind: Kind) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&[VERSION, kind as u8]);
        header.extend_from_slice(&self.run_id.bytes());
        header.extend_from_slice(&shape_bytes(self.shape));
        header.extend_from_slice(&self.tag);
        header
    }

    /// Makes a message whose payload of `payload_bytes` bytes `fill` writes.
    pub(crate) fn seal(
        &self,
        kind: Kind,
        payload_bytes: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Vec<u8> {
        let mut message = Vec::with_capacity(payload_bytes + OVERHEAD_BYTES);
        message.extend_from_slice(&self.header(kind));
        message.resize(HEADER_BYTES + payload_bytes, 0);
        if let Some(payload) = message.get_mut(HEADER_BYTES..) {
            fill(payload);
        }
        let digest = digest::digest(&digest::SHA256, &message);
        message.extend_from_slice(digest.as_ref());
        message
    }

    /// The payload of a message of exactly this table.
    pub(crate) fn unseal<'m>(
        &self,
        kind: Kind,
        payload_bytes: usize,
        message: &'m [u8],
    ) -> Result<&'m [u8], Error> {
        let (tag, payload) = unseal(kind, self.run_id, self.shape, payload_bytes, message)?;
        if tag != self.tag {
            return Err(Error::ForeignNonces);
        }
        Ok(payload)
    }
}

/// Tag and payload of a message, for a reader who knows run and shape but not the nonces.
pub(crate) fn unseal(
    kind: Kind,
    run_id: RunId,
    shape: TableShape,
    payload_bytes: usize,
    message: &[u8],
) -> Result<([u8; SEED_BYTES], &[u8]), Error> {
    let (magic, rest) = message.split_first_chunk::<4>().ok_or(Error::Truncated)?;
    let ([version, found], rest) = rest.split_first_chunk().ok_or(Error::Truncated)?;
    let (run, rest) = rest.split_first_chunk::<16>().ok_or(Error::Truncated)?;
    let (sizes, rest) = rest
        .split_first_chunk::<SHAPE_BYTES>()
        .ok_or(Error::Truncated)?;
    let (tag, rest) = rest.split_first_chunk().ok_or(Error::Truncated)?;
    if magic != MAGIC {
        return Err(Error::Magic);
    }
    if *version != VERSION {
        return Err(Error::Version(*version));
    }
    if *found != kind as u8 {
        return Err(Error::Kind {
            expected: kind as u8,
            found: *found,
        });
    }
    if *run != run_id.bytes() {
        return Err(Error::ForeignRun);
    }
    if *sizes != shape_bytes(shape) {
        return Err(Error::ForeignShape);
    }
    let length = Error::Length {
        expected: payload_bytes + OVERHEAD_BYTES,
        found: message.len(),
    };
    if message.len() != payload_bytes + OVERHEAD_BYTES {
        return Err(length);
    }
    let (payload, stated) = rest.split_at_checked(payload_bytes).ok_or(length)?;
    let covered = message.get(..HEADER_BYTES + payload_bytes).ok_or(length)?;
    if digest::digest(&digest::SHA256, covered).as_ref() != stated {
        return Err(Error::Damaged);
    }
    Ok((*tag, payload))
}

/// Measure and sizes of a table, as messages and seeds name them.
pub(crate) fn shape_bytes(shape: TableShape) -> [u8; SHAPE_BYTES] {
    let [p0, p1, p2, p3] = shape.positions().to_le_bytes();
    let [r0, r1] = shape.rows().to_le_bytes();
    let [c0, c1] = shape.columns().to_le_bytes();
    let [l0, l1] = shape.layers().to_le_bytes();
    let measure = shape.measure().code();
    [measure, p0, p1, p2, p3, r0, r1, c0, c1, l0, l1]
}

/// The chunk number in front of a payload, and the rest.
pub(crate) fn split_index(payload: &[u8]) -> Result<(u32, &[u8]), Error> {
    let (index, rest) = payload.split_first_chunk().ok_or(Error::Truncated)?;
    Ok((u32::from_le_bytes(*index), rest))
}

/// Writes 64-bit words; `payload` holds eight bytes for each.
pub(crate) fn write_words<'w>(payload: &mut [u8], words: impl IntoIterator<Item = &'w u64>) {
    let (places, _) = payload.as_chunks_mut::<8>();
    for (place, word) in places.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
}

/// Reads 64-bit words.
pub(crate) fn read_words(payload: &[u8]) -> impl Iterator<Item = u64> {
    let (places, _) = payload.as_chunks::<8>();
    places.iter().map(|place| u64::from_le_bytes(*place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Nonce, RunContext};
    use proptest::prelude::*;

    fn context(run: u8, nonce: u8, rows: u16) -> RunContext {
        of(run, nonce, TableShape::new(4096, rows, 3).unwrap())
    }

    fn of(run: u8, nonce: u8, shape: TableShape) -> RunContext {
        RunContext::derive(
            RunId::new([run; 16]),
            Nonce::new([nonce; 32]),
            Nonce::new([200; 32]),
            shape,
        )
        .unwrap()
    }

    fn read(message: &[u8]) -> Result<&[u8], Error> {
        context(1, 2, 3).envelope().unseal(Kind::Chunk, 24, message)
    }

    fn message(context: &RunContext, kind: Kind) -> Vec<u8> {
        context
            .envelope()
            .seal(kind, 24, |payload| write_words(payload, &[1, u64::MAX, 3]))
    }

    #[test]
    fn a_message_of_the_same_table_is_read_back() {
        let message = message(&context(1, 2, 3), Kind::Chunk);
        assert_eq!(message.len(), 24 + OVERHEAD_BYTES);
        let words: Vec<u64> = read_words(read(&message).unwrap()).collect();
        assert_eq!(words, [1, u64::MAX, 3]);
    }

    #[test]
    fn each_mismatch_has_its_name() {
        let good = message(&context(1, 2, 3), Kind::Chunk);
        let with = |index: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[index] = value;
            bytes
        };
        let sent = |context: RunContext, kind| message(&context, kind);
        let longer = [good.as_slice(), &[0]].concat();
        let cases = [
            (good[..HEADER_BYTES - 1].to_vec(), Error::Truncated),
            (with(0, b'X'), Error::Magic),
            (with(4, 2), Error::Version(2)),
            (
                sent(context(1, 2, 3), Kind::MaskShare),
                Error::Kind {
                    expected: 2,
                    found: 5,
                },
            ),
            (sent(context(9, 2, 3), Kind::Chunk), Error::ForeignRun),
            (sent(context(1, 2, 4), Kind::Chunk), Error::ForeignShape),
            (
                sent(of(1, 2, TableShape::sums(4096, 3, 3).unwrap()), Kind::Chunk),
                Error::ForeignShape,
            ),
            (sent(context(1, 9, 3), Kind::Chunk), Error::ForeignNonces),
            (
                longer,
                Error::Length {
                    expected: 105,
                    found: 106,
                },
            ),
            (
                good[..104].to_vec(),
                Error::Length {
                    expected: 105,
                    found: 104,
                },
            ),
            (with(50, 77), Error::Damaged),
            (with(104, good[104] ^ 1), Error::Damaged),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(&bytes), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn any_flipped_bit_is_refused(bit in 0..(24 + OVERHEAD_BYTES) * 8) {
            let mut bytes = message(&context(1, 2, 3), Kind::Chunk);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn any_cut_is_refused(length in 0..24 + OVERHEAD_BYTES) {
            let bytes = message(&context(1, 2, 3), Kind::Chunk);
            prop_assert!(read(&bytes[..length]).is_err());
        }
    }
}
