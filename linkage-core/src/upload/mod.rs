//! An upload: what its sender announces before the first byte, and the tree that shows at the end
//! that every byte came.
//!
//! | type | what it is |
//! |---|---|
//! | [`Announcement`] | what an owner says of a batch that it begins to send, and signs |
//! | [`ChunkTree`] | the root over the digests of a batch's chunks |
//! | [`state`] | how far an upload is, and what may happen to it next |

pub mod state;

#[cfg(test)]
mod tests;

use ring::digest::{Context, SHA256, digest};

use crate::audit::tree::{Frontier, Hash};
use crate::ids::{PartyId, ProjectId};

/// Length of an operation key in bytes: a UUID.
pub const OPERATION_BYTES: usize = 16;

/// What sets this digest apart from every other SHA-256 of the project.
const LABEL: &[u8] = b"linkage/upload/v1\0";

/// What of an owner's batch an upload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Link keys and block keys of every row, no token.
    Keys,
    /// The tokens that the matcher asked for, see [`crate::ask`].
    Tokens,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Whole, Self::Keys, Self::Tokens];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Keys => "keys",
            Self::Tokens => "tokens",
        }
    }

    /// The part of this stored name.
    pub fn stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// What an owner announces of a batch that it is about to send.
#[derive(Debug, Clone, Copy)]
pub struct Announcement<'a> {
    /// The operation key: drawn by the sender once for each upload and kept until it is accepted,
    /// so that a repeated call is known to be one.
    pub operation: &'a [u8; OPERATION_BYTES],
    /// The project.
    pub project: &'a ProjectId,
    /// The sender.
    pub party: &'a PartyId,
    /// The batch's header: schema, key, token length, number of rows.
    pub header: &'a [u8],
    /// Bytes of each chunk but the last.
    pub chunk_bytes: u32,
    /// SHA-256 over header and rows: the batch's trailer.
    pub digest: &'a [u8; 32],
    /// Root over the digests of the chunks, see [`ChunkTree`].
    pub root: &'a Hash,
}

impl Announcement<'_> {
    /// What the sender signs, and what an operation key stands for: the same key with another
    /// digest is another request.
    ///
    /// SHA-256 over a label, the operation key, the project, the party's length (u32) and name, the
    /// chunk size (u32), the batch's digest, the root, and the header; numbers are little-endian.
    pub fn digest(&self) -> [u8; 32] {
        let party = self.party.as_str().as_bytes();
        // A party's name has at most 63 bytes.
        let length = u32::try_from(party.len()).unwrap_or(u32::MAX);
        let mut context = Context::new(&SHA256);
        for part in [
            LABEL,
            self.operation,
            self.project.as_bytes(),
            &length.to_le_bytes(),
            party,
            &self.chunk_bytes.to_le_bytes(),
            self.digest,
            &self.root.0,
            self.header,
        ] {
            context.update(part);
        }
        let mut announced = [0; 32];
        announced.copy_from_slice(context.finish().as_ref());
        announced
    }
}

/// Number of chunks of `chunk_bytes` that a body has.
pub fn chunks(body_bytes: u64, chunk_bytes: u32) -> u64 {
    body_bytes.div_ceil(u64::from(chunk_bytes.max(1)))
}

/// The tree over a body's chunks: a Merkle tree of RFC 6962, section 2.1, whose leaves hold the
/// SHA-256 of each chunk. Takes the body in pieces of any length and holds none of it.
pub struct ChunkTree {
    chunk_bytes: usize,
    filled: usize,
    chunk: Context,
    tree: Frontier,
}

impl ChunkTree {
    /// A tree over chunks of so many bytes.
    pub fn new(chunk_bytes: u32) -> Self {
        Self {
            // No platform that this runs on has shorter lengths than 32 bits.
            chunk_bytes: usize::try_from(chunk_bytes.max(1)).unwrap_or(usize::MAX),
            filled: 0,
            chunk: Context::new(&SHA256),
            tree: Frontier::default(),
        }
    }

    /// Takes the next bytes of the body.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(self.chunk_bytes - self.filled));
            self.chunk.update(part);
            self.filled += part.len();
            bytes = rest;
            if self.filled == self.chunk_bytes {
                self.close();
            }
        }
    }

    /// The root over all that came. The last chunk may be shorter.
    pub fn finish(mut self) -> Hash {
        if self.filled > 0 {
            self.close();
        }
        self.tree.root()
    }

    fn close(&mut self) {
        let chunk = std::mem::replace(&mut self.chunk, Context::new(&SHA256));
        self.tree.push(Hash::leaf(chunk.finish().as_ref()));
        self.filled = 0;
    }
}

/// The root over a body in memory.
pub fn root(body: &[u8], chunk_bytes: u32) -> Hash {
    let chunks = body.chunks(usize::try_from(chunk_bytes.max(1)).unwrap_or(usize::MAX));
    let leaves = chunks.map(|chunk| Hash::leaf(digest(&SHA256, chunk).as_ref()));
    leaves.collect::<Frontier>().root()
}
