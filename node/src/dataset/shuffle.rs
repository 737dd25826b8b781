//! A uniformly random order of more rows than fit in memory (Rao 1961, Sandelius 1962): every row
//! goes into a bucket drawn at random, each bucket is shuffled, and the buckets are put one after
//! the other. Every order is equally likely, whatever the number of buckets.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha20Rng;

/// Bytes of rows that a bucket may hold when it is shuffled. Two such buffers and the writer's are
/// all that the second pass needs.
const BUCKET_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes of rows held back over all buckets before they are written to their files.
const HELD_BYTES: usize = 32 * 1024 * 1024;

/// Most buckets: each has an open file.
const BUCKETS_MAX: u64 = 256;

/// A row's number takes 4 bytes in front of it.
const NUMBER_BYTES: usize = 4;

/// Takes a row with its number.
pub(super) type Each<'a, E> = &'a mut dyn FnMut(u32, &[u8]) -> Result<(), E>;

/// Rows on their way into a random order.
pub(super) struct Shuffle<'a> {
    folder: &'a Path,
    entry_bytes: usize,
    held_bytes: usize,
    buckets: Vec<Bucket>,
    rng: ChaCha20Rng,
}

#[derive(Default)]
struct Bucket {
    held: Vec<u8>,
    file: Option<File>,
}

impl<'a> Shuffle<'a> {
    /// Room for rows of `row_bytes`, at most about `rows_max` of them. What does not fit in memory
    /// goes to unnamed files in `folder`.
    pub(super) fn new(folder: &'a Path, row_bytes: usize, rows_max: u64, rng: ChaCha20Rng) -> Self {
        let entry_bytes = row_bytes + NUMBER_BYTES;
        let expected = rows_max.saturating_mul(entry_bytes as u64);
        let count = (expected / BUCKET_BYTES + 1).min(BUCKETS_MAX) as usize;
        Self {
            folder,
            entry_bytes,
            held_bytes: HELD_BYTES / count,
            buckets: (0..count).map(|_| Bucket::default()).collect(),
            rng,
        }
    }

    /// Adds row `number`.
    pub(super) fn push(&mut self, number: u32, row: &[u8]) -> io::Result<()> {
        let at = self.rng.random_range(0..self.buckets.len());
        let Some(bucket) = self.buckets.get_mut(at) else {
            return Ok(());
        };
        bucket.held.extend_from_slice(&number.to_le_bytes());
        bucket.held.extend_from_slice(row);
        if bucket.held.len() >= self.held_bytes {
            let file = match &mut bucket.file {
                Some(file) => file,
                None => bucket.file.insert(tempfile::tempfile_in(self.folder)?),
            };
            file.write_all(&bucket.held)?;
            bucket.held.clear();
        }
        Ok(())
    }

    /// Hands every row with its number to `each`, in random order.
    pub(super) fn finish<E: From<io::Error>>(self, each: Each<'_, E>) -> Result<(), E> {
        let (entry_bytes, mut rng) = (self.entry_bytes, self.rng);
        let mut order: Vec<u32> = Vec::new();
        let mut spilled: Vec<u8> = Vec::new();
        for bucket in self.buckets {
            let mut held = bucket.held;
            if let Some(mut file) = bucket.file {
                spilled.clear();
                file.seek(SeekFrom::Start(0))?;
                file.read_to_end(&mut spilled)?;
                spilled.extend_from_slice(&held);
                held.clear();
            }
            let bytes = if held.is_empty() { &spilled } else { &held };
            order.clear();
            order.extend(0..(bytes.len() / entry_bytes) as u32);
            order.shuffle(&mut rng);
            for at in &order {
                let start = *at as usize * entry_bytes;
                let entry = bytes.get(start..start + entry_bytes).unwrap_or(&[]);
                if let Some((number, row)) = entry.split_first_chunk() {
                    each(u32::from_le_bytes(*number), row)?;
                }
            }
            spilled.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn shuffled(rows: u32, row_bytes: usize, rows_max: u64, seed: u64) -> Vec<u32> {
        let folder = tempfile::tempdir().unwrap();
        let rng = ChaCha20Rng::seed_from_u64(seed);
        let mut shuffle = Shuffle::new(folder.path(), row_bytes, rows_max, rng);
        let mut row = vec![0; row_bytes];
        for number in 0..rows {
            row.fill((number % 251) as u8);
            shuffle.push(number, &row).unwrap();
        }
        let mut found = vec![];
        let mut each = |number: u32, row: &[u8]| -> io::Result<()> {
            assert_eq!(row.len(), row_bytes);
            assert!(row.iter().all(|byte| u32::from(*byte) == number % 251));
            found.push(number);
            Ok(())
        };
        shuffle.finish(&mut each).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        found
    }

    #[test]
    fn every_row_comes_once_from_memory_and_from_files() {
        for (rows, row_bytes, rows_max) in [(0, 10, 0), (5, 10, 1), (7000, 20_000, 7000)] {
            let mut found = shuffled(rows, row_bytes, rows_max, 3);
            found.sort_unstable();
            assert!(found.iter().copied().eq(0..rows));
        }
    }

    /// All 24 orders of four rows are as frequent as chance has it, over several buckets: 24 000
    /// draws, chi-square with 23 degrees of freedom below 50 in 99.9 %.
    #[test]
    fn every_order_is_equally_likely() {
        let mut counts = std::collections::HashMap::new();
        for seed in 0..24_000 {
            let folder = Path::new("/");
            let rng = ChaCha20Rng::seed_from_u64(seed);
            let mut shuffle = Shuffle::new(folder, 4, 6 * BUCKET_BYTES / 8, rng);
            assert!(shuffle.buckets.len() > 5);
            (0..4).for_each(|number| shuffle.push(number, &[0; 4]).unwrap());
            let mut order = vec![];
            let mut each = |number: u32, _: &[u8]| -> io::Result<()> {
                order.push(number);
                Ok(())
            };
            shuffle.finish(&mut each).unwrap();
            *counts.entry(order).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        let chi: f64 = counts
            .values()
            .map(|count| (f64::from(*count) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert!(chi < 50.0, "{chi}");
    }
}
