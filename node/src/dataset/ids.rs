//! Identities of a data set's records: compact, wiped when dropped, each once.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use hashbrown::HashTable;
use zeroize::Zeroizing;

/// Identities are kept in pieces of this size, so that growing moves and copies none of them. No
/// identity is as long: a line of a source has at most 1 MiB.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// Lengths up to here take one byte, longer ones five.
const SHORT_MAX: u8 = 254;

/// More identities than 32-bit offsets can name: 4 GiB of them.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the identities of the records take more than 4 GiB")]
pub struct TooMany;

/// A record and 32 bits of its identity's hash.
struct Entry {
    hash: u32,
    record: u32,
}

impl Entry {
    /// The table looks at the highest and the lowest bits.
    fn spread(&self) -> u64 {
        spread(self.hash)
    }
}

fn spread(hash: u32) -> u64 {
    u64::from(hash) | u64::from(hash.reverse_bits()) << 32
}

/// The identities, by record in the order in which they came.
///
/// Takes 5 bytes a record beside the text, and 10 to 20 more for telling whether an identity is
/// there already. The table is hashed under a random key, so that nobody can choose identities that
/// collide; it keeps the hashes, so that growing does not read the identities again.
#[derive(Default)]
pub struct Ids {
    pieces: Vec<Zeroizing<Vec<u8>>>,
    /// Offset of each identity, its length in front, in the pieces put one after the other.
    starts: Vec<u32>,
    table: HashTable<Entry>,
    hasher: RandomState,
}

impl Ids {
    /// Number of identities.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Adds the identity of the next record, unless a record has it: then that record, and nothing
    /// is added.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn push(&mut self, id: &str) -> Result<Option<u32>, TooMany> {
        let hash = self.hasher.hash_one(id) as u32;
        let same = |entry: &Entry| {
            entry.hash == hash && text(&self.pieces, &self.starts, entry.record) == id
        };
        if let Some(before) = self.table.find(spread(hash), same) {
            return Ok(Some(before.record));
        }
        self.add(id, hash)?;
        Ok(None)
    }

    fn add(&mut self, id: &str, hash: u32) -> Result<(), TooMany> {
        let record = u32::try_from(self.starts.len()).map_err(|_| TooMany)?;
        let room = id.len() + 5;
        let piece = match self.pieces.last_mut() {
            Some(piece) if piece.len() + room <= PIECE_BYTES => piece,
            _ => {
                let piece = Zeroizing::new(Vec::with_capacity(PIECE_BYTES.max(room)));
                self.pieces.push(piece);
                self.pieces.last_mut().ok_or(TooMany)?
            }
        };
        let within = piece.len();
        match u8::try_from(id.len()) {
            Ok(length) if length <= SHORT_MAX => piece.push(length),
            _ => {
                piece.push(u8::MAX);
                let length = u32::try_from(id.len()).map_err(|_| TooMany)?;
                piece.extend_from_slice(&length.to_le_bytes());
            }
        }
        piece.extend_from_slice(id.as_bytes());
        let start = (self.pieces.len() - 1) * PIECE_BYTES + within;
        self.starts.push(u32::try_from(start).map_err(|_| TooMany)?);
        let entry = Entry { hash, record };
        self.table
            .insert_unique(entry.spread(), entry, Entry::spread);
        Ok(())
    }

    /// Identity of `record`; empty beyond the last.
    pub fn get(&self, record: u32) -> &str {
        text(&self.pieces, &self.starts, record)
    }

    /// Forgets the table: no identity is looked up or added any more.
    pub fn close(&mut self) {
        self.table = HashTable::new();
    }
}

fn text<'a>(pieces: &'a [Zeroizing<Vec<u8>>], starts: &[u32], record: u32) -> &'a str {
    let found = || {
        let start = *starts.get(record as usize)? as usize;
        let piece = pieces.get(start / PIECE_BYTES)?;
        let (length, rest) = piece.get(start % PIECE_BYTES..)?.split_first()?;
        let id = if *length <= SHORT_MAX {
            rest.get(..usize::from(*length))?
        } else {
            let (length, rest) = rest.split_first_chunk()?;
            rest.get(..u32::from_le_bytes(*length) as usize)?
        };
        std::str::from_utf8(id).ok()
    };
    found().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identity_is_found_again_and_no_other() {
        let mut ids = Ids::default();
        let id = |n: u32| match n % 100 {
            0 => format!("{n}{}", "长".repeat(3000)),
            1 => format!("{n:0>254}"),
            2 => format!("{n:0>255}"),
            _ => format!("SS{n}"),
        };
        // Enough for several pieces.
        for n in 0..60_000 {
            assert_eq!(ids.push(&id(n)).unwrap(), None);
        }
        assert!(ids.pieces.len() > 1);
        for n in 0..60_000 {
            assert_eq!(ids.get(n), id(n));
            assert_eq!(ids.push(&id(n)).unwrap(), Some(n));
        }
        assert_eq!((ids.len(), ids.get(60_000)), (60_000, ""));
    }
}
