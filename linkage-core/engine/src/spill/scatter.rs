//! A column of keys to partitions: entries of (key, row) that a join can hold.

use std::path::Path;

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::streams::{Streams, StreamsWriter};
use crate::error::Error;
use crate::store::{Kind, TokenStore};

/// Rows read at once.
const READ_ROWS: u64 = 16_384;

/// A tag as a column holds it.
pub(crate) trait Key: Pod + Zeroable + Ord + Send + Sync {
    /// The column kind that holds such tags.
    const KIND: Kind;
    /// Bytes of a tag.
    const BYTES: usize;

    /// 64 bits that are even over all tags, whatever part of them the owner let vary.
    fn spread(self) -> u64;

    /// Appends the tag's bytes.
    fn put(self, out: &mut Vec<u8>);

    /// The tag of its bytes.
    fn get(bytes: &[u8]) -> Option<Self>;
}

/// 2^64 divided by the golden ratio: Knuth, The Art of Computer Programming, volume 3, section 6.4.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Key for u64 {
    const KIND: Kind = Kind::BlockKeys;
    const BYTES: usize = 8;

    fn spread(self) -> u64 {
        (self ^ self >> 32).wrapping_mul(GOLDEN)
    }

    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(*bytes.first_chunk()?))
    }
}

impl Key for u128 {
    const KIND: Kind = Kind::LinkKeys;
    const BYTES: usize = 16;

    fn spread(self) -> u64 {
        (self as u64 ^ (self >> 64) as u64).spread()
    }

    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(*bytes.first_chunk()?))
    }
}

/// Where entries go.
pub(crate) struct Scatter<'a> {
    pub partitions: usize,
    /// Bytes that a thread collects for a partition before it writes them.
    pub buffer: usize,
    /// The file that holds the partitions while they are needed.
    pub path: &'a Path,
}

impl Scatter<'_> {
    /// Spreads column `column` of `store` over the partitions; absent keys are left out.
    pub fn column<K: Key>(&self, store: &TokenStore, column: usize) -> Result<Streams, Error> {
        let writer = StreamsWriter::scratch(self.path, self.partitions)?;
        let rows = store.header().rows;
        let parts = rayon::current_num_threads() as u64;
        let each = rows.div_ceil(parts.max(1)).next_multiple_of(READ_ROWS);
        (0..rows.div_ceil(each.max(1)))
            .into_par_iter()
            .try_for_each(|part| {
                let range = part * each..rows.min((part + 1) * each);
                self.range::<K>(store, column, range, &writer)
            })?;
        writer.read_back()
    }

    fn range<K: Key>(
        &self,
        store: &TokenStore,
        column: usize,
        rows: std::ops::Range<u64>,
        writer: &StreamsWriter,
    ) -> Result<(), Error> {
        let mut buffers = vec![Vec::new(); self.partitions];
        let mut keys = Vec::new();
        let mut first = rows.start;
        while first < rows.end {
            let count = READ_ROWS.min(rows.end - first);
            keys.resize(count as usize, K::zeroed());
            store.read((K::KIND, column), first, &mut keys)?;
            for (key, row) in keys.iter().zip(first as u32..) {
                if *key == K::zeroed() {
                    continue;
                }
                let at = (u128::from(key.spread()) * self.partitions as u128) >> 64;
                if let Some(buffer) = buffers.get_mut(at as usize) {
                    key.put(buffer);
                    buffer.extend_from_slice(&row.to_le_bytes());
                    if buffer.len() >= self.buffer {
                        writer.append(at as usize, buffer)?;
                        buffer.clear();
                    }
                }
            }
            first += count;
        }
        let mut rest = buffers.iter().enumerate();
        rest.try_for_each(|(at, buffer)| writer.append(at, buffer))
    }
}

/// One partition of one side, in order of (key, row).
pub(crate) struct Entries<K> {
    /// The entries: of a key that occurs more often than a block may be large, only some.
    pub entries: Vec<(K, u32)>,
    /// How many of a key's entries are not there, in order of the keys.
    beyond: Vec<(K, u64)>,
}

impl<K: Key> Entries<K> {
    /// Reads a partition. Of a key at most `keep` entries are kept and the others counted, so that
    /// one value held by all rows fills no memory.
    pub fn read(
        streams: &Streams,
        partition: usize,
        keep: usize,
        trim_at: usize,
    ) -> Result<Self, Error> {
        let extents = streams.extents(partition);
        let width = (K::BYTES + 4) as u64;
        let total: u64 = extents.iter().map(|extent| extent.bytes / width).sum();
        let mut this = Self {
            entries: Vec::with_capacity(total.min(trim_at as u64) as usize),
            beyond: Vec::new(),
        };
        let (mut bytes, mut trim_at) = (Vec::new(), trim_at);
        for extent in extents {
            streams.read(extent, &mut bytes)?;
            let entries = bytes.chunks_exact(K::BYTES + 4).filter_map(|entry| {
                let (key, row) = entry.split_at(K::BYTES);
                Some((K::get(key)?, u32::from_le_bytes(*row.first_chunk()?)))
            });
            this.entries.extend(entries);
            if this.entries.len() >= trim_at {
                this.sort_and_trim(keep);
                trim_at = trim_at.max(this.entries.len() * 2);
            }
        }
        this.sort_and_trim(keep);
        Ok(this)
    }

    fn sort_and_trim(&mut self, keep: usize) {
        self.entries.sort_unstable();
        let (mut key, mut count, mut dropped) = (K::zeroed(), 0, Vec::<(K, u64)>::new());
        self.entries.retain(|entry| {
            (key, count) = if entry.0 == key {
                (key, count + 1)
            } else {
                (entry.0, 1)
            };
            if count > keep {
                match dropped.last_mut() {
                    Some(last) if last.0 == key => last.1 += 1,
                    _ => dropped.push((key, 1)),
                }
            }
            count <= keep
        });
        self.beyond.append(&mut dropped);
        self.beyond.sort_unstable();
        self.beyond.dedup_by(|next, sum| {
            let same = next.0 == sum.0;
            if same {
                sum.1 += next.1;
            }
            same
        });
    }

    /// How many entries a key has, of which `there` are there.
    pub fn count(&self, key: K, there: usize) -> u64 {
        let found = self.beyond.binary_search_by_key(&key, |(key, _)| *key);
        let beyond = found.ok().and_then(|at| self.beyond.get(at));
        there as u64 + beyond.map_or(0, |(_, count)| *count)
    }
}
