//! Partitions of both sides to blocks, cut by pairs of stripes.

use std::sync::atomic::{AtomicU64, Ordering};

use linkage_core::candidates::{Cut, LINK_PAIRS_MAX, RuleCount, Splitter};
use rayon::prelude::*;

use super::block;
use super::plan::{BUCKET_ROWS, Plan};
use super::scatter::{Entries, Key};
use super::streams::{Streams, StreamsWriter};
use crate::error::Error;
use crate::search::Direction;

/// A join of one column of keys.
pub(crate) struct Join<'a> {
    pub direction: Direction,
    pub plan: &'a Plan,
    /// Cuts the blocks that would propose too many pairs; without, those with more than
    /// [`LINK_PAIRS_MAX`] are left out.
    pub splitter: Option<&'a Splitter<'a>>,
    /// Gets a cell's blocks in the stream of the cell's number.
    pub writer: &'a StreamsWriter,
    /// Pairs by stripe of b and bucket of a.
    pub pairs: &'a PairCounts,
}

/// Upper bounds of the numbers of pairs, by stripe of b and by bucket of a's rows.
pub(crate) struct PairCounts {
    buckets: usize,
    counts: Vec<AtomicU64>,
}

impl PairCounts {
    /// No pairs yet.
    pub fn new(rows_a: u64, stripes_b: u32) -> Self {
        let buckets = rows_a.div_ceil(BUCKET_ROWS.into()) as usize;
        let counts = (0..buckets * stripes_b as usize).map(|_| AtomicU64::new(0));
        Self {
            buckets,
            counts: counts.collect(),
        }
    }

    fn add(&self, stripe_b: u32, row_a: u32, pairs: u64) {
        let at = stripe_b as usize * self.buckets + (row_a / BUCKET_ROWS) as usize;
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(pairs, Ordering::Relaxed);
        }
    }

    /// Pairs of stripe `stripe_b` with bucket `bucket`.
    pub fn get(&self, stripe_b: u32, bucket: u32) -> u64 {
        // The last stripe of a may be longer than what is left of its rows.
        if bucket as usize >= self.buckets {
            return 0;
        }
        let at = stripe_b as usize * self.buckets + bucket as usize;
        let count = self.counts.get(at);
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// The counts, to be kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let counts = self.counts.iter();
        counts
            .flat_map(|count| count.load(Ordering::Relaxed).to_le_bytes())
            .collect()
    }

    /// Adds counts that were kept.
    pub fn add_bytes(&self, bytes: &[u8]) {
        for (count, more) in self.counts.iter().zip(bytes.as_chunks().0) {
            count.fetch_add(u64::from_le_bytes(*more), Ordering::Relaxed);
        }
    }
}

impl Join<'_> {
    /// Joins all partitions; `b` is `None` for a data set with itself.
    pub fn run<K: Key>(&self, a: &Streams, b: Option<&Streams>) -> Result<RuleCount, Error> {
        // Of a key with more entries, how many there are is all that counts.
        let keep = match self.splitter {
            Some(_) => Splitter::ROWS_MAX + 1,
            None => LINK_PAIRS_MAX as usize + 1,
        };
        let counts = (0..self.plan.partitions).into_par_iter().map(|partition| {
            let read = |side| Entries::<K>::read(side, partition, keep, self.plan.entries);
            let entries_a = read(a)?;
            let entries_b = b.map(read).transpose()?;
            self.partition(&entries_a, entries_b.as_ref().unwrap_or(&entries_a))
        });
        counts.try_reduce(RuleCount::default, |mut sum, part| {
            sum.add(&part);
            Ok(sum)
        })
    }

    fn partition<K: Key>(&self, a: &Entries<K>, b: &Entries<K>) -> Result<RuleCount, Error> {
        let mut count = RuleCount::default();
        let mut buffers = vec![Vec::new(); self.plan.stripes.cells()];
        let mut rest_b = b.entries.as_slice();
        let mut rows = (Vec::new(), Vec::new());
        for run_a in a.entries.chunk_by(|x, y| x.0 == y.0) {
            let Some((key, _)) = run_a.first() else {
                continue;
            };
            rest_b = skip_below(rest_b, *key);
            let run_b = run(rest_b, *key);
            let sizes = (a.count(*key, run_a.len()), b.count(*key, run_b.len()));
            if run_b.is_empty() {
                continue;
            }
            fill(&mut rows.0, run_a);
            fill(&mut rows.1, run_b);
            self.rows((&rows.0, &rows.1), sizes, &mut count, &mut buffers)?;
        }
        let mut rest = buffers.iter().enumerate();
        rest.try_for_each(|(cell, bytes)| self.writer.append(cell, bytes))?;
        Ok(count)
    }

    /// Counts and keeps the pairs of a key's rows; `sizes` counts rows that are not there, too.
    fn rows(
        &self,
        (rows_a, rows_b): (&[u32], &[u32]),
        sizes: (u64, u64),
        count: &mut RuleCount,
        buffers: &mut [Vec<u8>],
    ) -> Result<(), Error> {
        let product = sizes.0.saturating_mul(sizes.1);
        let pairs = match self.direction {
            Direction::Across => product,
            // Each pair once and none with itself.
            Direction::Within => sizes.0 * (sizes.0 - 1) / 2,
        };
        let whole = sizes.0.max(sizes.1) <= Splitter::ROWS_MAX as u64;
        match self.splitter {
            Some(splitter) if whole && splitter.is_over(rows_a, rows_b) => {
                let mut failure = None;
                let cut = splitter.split(rows_a, rows_b, &mut |part_a, part_b| {
                    if let Err(error) = self.block(part_a, part_b, buffers) {
                        failure = Some(error);
                    }
                });
                count.cut(cut);
                failure.map_or(Ok(()), Err)
            }
            Some(splitter) if !whole && product > splitter.pairs_max() => {
                count.cut(Cut {
                    proposed: 0,
                    left_out: pairs,
                });
                Ok(())
            }
            None if product > LINK_PAIRS_MAX => Ok(()),
            _ => {
                count.pairs += pairs;
                self.block(rows_a, rows_b, buffers)
            }
        }
    }

    /// Divides a block by the stripes of its rows.
    fn block(&self, rows_a: &[u32], rows_b: &[u32], buffers: &mut [Vec<u8>]) -> Result<(), Error> {
        let stripes = self.plan.stripes;
        let stripe_a = |row: &u32| row / stripes.rows_a;
        let stripe_b = |row: &u32| row / stripes.rows_b;
        for part_b in rows_b.chunk_by(|x, y| stripe_b(x) == stripe_b(y)) {
            let at_b = part_b.first().map_or(0, stripe_b);
            for part_a in rows_a.chunk_by(|x, y| stripe_a(x) == stripe_a(y)) {
                let at_a = part_a.first().map_or(0, stripe_a);
                if self.direction == Direction::Within && at_a > at_b {
                    continue;
                }
                for row in part_a {
                    self.pairs.add(at_b, *row, part_b.len() as u64);
                }
                let cell = stripes.cell(at_a, at_b);
                let Some(buffer) = buffers.get_mut(cell) else {
                    continue;
                };
                block::put(
                    (part_a, at_a * stripes.rows_a),
                    (part_b, at_b * stripes.rows_b),
                    buffer,
                );
                if buffer.len() >= self.plan.cell_buffer {
                    self.writer.append(cell, buffer)?;
                    buffer.clear();
                }
            }
        }
        Ok(())
    }
}

/// The rows of a key's entries.
fn fill<K>(rows: &mut Vec<u32>, entries: &[(K, u32)]) {
    rows.clear();
    rows.extend(entries.iter().map(|(_, row)| *row));
}

fn skip_below<K: Ord + Copy>(entries: &[(K, u32)], key: K) -> &[(K, u32)] {
    let below = entries.iter().take_while(|(k, _)| *k < key).count();
    entries.get(below..).unwrap_or(&[])
}

fn run<K: Ord + Copy>(entries: &[(K, u32)], key: K) -> &[(K, u32)] {
    let equal = entries.iter().take_while(|(k, _)| *k == key).count();
    entries.get(..equal).unwrap_or(&[])
}
