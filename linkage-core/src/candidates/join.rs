//! Which rows of two sides have equal keys: a radix-partitioned join.
//!
//! Each side's (key, row) entries are dealt into partitions by the top bits of the mixed key, chunk
//! of rows by chunk of rows; within a partition, by further bits, into slots of about one entry,
//! which stays in the cache. Slots are then sorted and merged on the whole key, so no pair is made
//! by two keys that only look alike.

#![allow(
    clippy::indexing_slicing,
    reason = "slices end where a search in the same slice ended"
)]

use std::hash::Hash;
use std::ops::Range;

use rayon::prelude::*;

use super::radix::{Grouped, top_bits};

/// Rows of a chunk: its entries take 4 MiB.
const CHUNK_ROWS: usize = 1 << 18;

/// Entries of a partition and side at which its slots, counters included, stay in a core's cache.
const PARTITION_ROWS: usize = 4096;

const PARTITION_BITS_MAX: u32 = 12;

/// Tasks into which the partitions of one join are bundled: enough to keep many cores evenly busy.
const TASKS: usize = 128;

/// A column's key: a keyed tag, or what was drawn from a token.
pub(super) trait Key: Copy + Ord + Default + Hash + Send + Sync {
    /// Spreads the key over 64 bits: equal keys alike, most others apart. The bits count from the
    /// top.
    fn mixed(self) -> u64;
}

/// 2^64 divided by the golden section, odd: multiplying by it lets every bit of a key reach the top
/// (Knuth, The Art of Computer Programming 3, section 6.4).
const MIXER: u64 = 0x9e37_79b9_7f4a_7c15;

impl Key for u64 {
    #[inline]
    fn mixed(self) -> u64 {
        (self ^ self >> 32).wrapping_mul(MIXER)
    }
}

impl Key for u32 {
    /// The key as it is: whoever makes one of 32 bits has mixed it.
    #[inline]
    fn mixed(self) -> u64 {
        u64::from(self) << 32
    }
}

impl Key for u128 {
    #[inline]
    fn mixed(self) -> u64 {
        ((self >> 64) as u64 ^ self as u64).mixed()
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry<K> {
    key: K,
    row: u32,
}

/// How the keys of both sides are dealt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deal {
    /// Only keys whose mixed form begins with this many zero bits take part: a sample of blocks, of
    /// which each comes whole or not at all.
    skip: u32,
    /// log2 of the number of partitions.
    bits: u32,
}

impl Deal {
    /// For a join of all keys of sides with at most `rows` rows.
    pub fn whole(rows: usize) -> Self {
        Self::sample(rows, 0)
    }

    /// For a join of one key in 2^`skip`.
    pub fn sample(rows: usize, skip: u32) -> Self {
        let parts = ((rows >> skip) / PARTITION_ROWS).max(1);
        Self {
            skip,
            bits: parts
                .next_power_of_two()
                .ilog2()
                .clamp(1, PARTITION_BITS_MAX),
        }
    }

    fn takes(self, hash: u64) -> bool {
        self.skip == 0 || hash >> (64 - self.skip) == 0
    }
}

/// One side's entries, dealt into partitions.
#[derive(Debug)]
pub(super) struct Dealt<K> {
    chunks: Vec<Grouped<Entry<K>>>,
    deal: Deal,
}

impl<K: Key> Dealt<K> {
    /// Deals the rows `0..rows` that have a key.
    pub fn new(rows: usize, deal: Deal, key: impl Fn(usize) -> Option<K> + Sync) -> Self {
        let starts: Vec<usize> = (0..rows).step_by(CHUNK_ROWS).collect();
        let chunks = starts
            .into_par_iter()
            .map(|start| {
                let end = rows.min(start + CHUNK_ROWS);
                let mut entries = Vec::with_capacity((end - start) >> deal.skip);
                for row in start..end {
                    if let Some(key) = key(row)
                        && deal.takes(key.mixed())
                    {
                        let row = row as u32;
                        entries.push(Entry { key, row });
                    }
                }
                Grouped::new(&[&entries], 1 << deal.bits, |entry| {
                    top_bits(entry.key.mixed(), deal.skip, deal.bits)
                })
            })
            .collect();
        Self { chunks, deal }
    }

    /// Of 2^this keys, one takes part.
    pub fn skip(&self) -> u32 {
        self.deal.skip
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.items.len()).sum()
    }

    fn slots(&self, partition: usize, bits: u32) -> Grouped<Entry<K>> {
        let skip = self.deal.skip + self.deal.bits;
        Grouped::new(&self.parts(partition), 1 << bits, |entry| {
            top_bits(entry.key.mixed(), skip, bits)
        })
    }

    fn parts(&self, partition: usize) -> Vec<&[Entry<K>]> {
        self.chunks
            .iter()
            .map(|chunk| chunk.group(partition))
            .collect()
    }

    fn partition_len(&self, partition: usize) -> usize {
        self.chunks
            .iter()
            .map(|chunk| chunk.group(partition).len())
            .sum()
    }
}

/// The two sides of a join; without a second one, the first is joined with itself.
pub(super) struct Join<K> {
    pub a: Dealt<K>,
    pub b: Option<Dealt<K>>,
}

impl<K: Key> Join<K> {
    /// Works through the join in parallel: bundles of partitions, each with a state of its own, in
    /// the order of partitions. `on_run` is told the rows of either side that share a key, rising.
    pub fn runs<S: Send>(
        &self,
        start: impl Fn() -> S + Sync,
        on_run: impl Fn(&mut S, &[u32], &[u32]) + Sync,
    ) -> Vec<S> {
        let partitions = 1_usize << self.a.deal.bits;
        let bundle = partitions.div_ceil(TASKS);
        let starts: Vec<usize> = (0..partitions).step_by(bundle).collect();
        starts
            .into_par_iter()
            .map(|first| {
                let mut state = start();
                let mut rows = (Vec::new(), Vec::new());
                for partition in first..partitions.min(first + bundle) {
                    match &self.b {
                        Some(b) => {
                            self.across(b, partition, &mut rows, &mut |a, b| {
                                on_run(&mut state, a, b);
                            });
                        }
                        None => self.within(partition, &mut rows.0, &mut |rows| {
                            on_run(&mut state, rows, rows);
                        }),
                    }
                }
                state
            })
            .collect()
    }

    fn across(
        &self,
        b: &Dealt<K>,
        partition: usize,
        rows: &mut (Vec<u32>, Vec<u32>),
        on_run: &mut impl FnMut(&[u32], &[u32]),
    ) {
        let (len_a, len_b) = (self.a.partition_len(partition), b.partition_len(partition));
        if len_a == 0 || len_b == 0 {
            return;
        }
        let bits = slot_bits(len_a.max(len_b));
        let (mut slots_a, mut slots_b) = (self.a.slots(partition, bits), b.slots(partition, bits));
        for slot in 0..1 << bits {
            let (entries_a, entries_b) = (slots_a.group_mut(slot), slots_b.group_mut(slot));
            if entries_a.is_empty() || entries_b.is_empty() {
                continue;
            }
            let (mut rest_a, mut rest_b) = (sorted(entries_a), sorted(entries_b));
            while let (Some(first_a), Some(first_b)) = (rest_a.first(), rest_b.first()) {
                let key = first_a.key.max(first_b.key);
                rest_a = &rest_a[rest_a.partition_point(|entry| entry.key < key)..];
                rest_b = &rest_b[rest_b.partition_point(|entry| entry.key < key)..];
                let (run_a, run_b) = (run(rest_a, key), run(rest_b, key));
                if !run_a.is_empty() && !run_b.is_empty() {
                    fill(&mut rows.0, &rest_a[run_a.clone()]);
                    fill(&mut rows.1, &rest_b[run_b.clone()]);
                    on_run(&rows.0, &rows.1);
                }
                (rest_a, rest_b) = (&rest_a[run_a.end..], &rest_b[run_b.end..]);
            }
        }
    }

    fn within(&self, partition: usize, rows: &mut Vec<u32>, on_run: &mut impl FnMut(&[u32])) {
        let bits = slot_bits(self.a.partition_len(partition));
        let mut slots = self.a.slots(partition, bits);
        for slot in 0..1 << bits {
            let entries = slots.group_mut(slot);
            if entries.len() < 2 {
                continue;
            }
            let mut rest = sorted(entries);
            while let Some(first) = rest.first() {
                let equal = run(rest, first.key);
                if equal.len() > 1 {
                    fill(rows, &rest[equal.clone()]);
                    on_run(rows);
                }
                rest = &rest[equal.end..];
            }
        }
    }
}

/// log2 of the slots for `entries` entries: about one each.
fn slot_bits(entries: usize) -> u32 {
    entries.max(2).next_power_of_two().ilog2().min(20)
}

fn sorted<K: Key>(entries: &mut [Entry<K>]) -> &[Entry<K>] {
    if entries.len() > 1 {
        entries.sort_unstable_by_key(|entry| (entry.key, entry.row));
    }
    entries
}

fn run<K: Key>(entries: &[Entry<K>], key: K) -> Range<usize> {
    0..entries.iter().take_while(|entry| entry.key == key).count()
}

fn fill<K>(rows: &mut Vec<u32>, entries: &[Entry<K>]) {
    rows.clear();
    rows.extend(entries.iter().map(|entry| entry.row));
}
