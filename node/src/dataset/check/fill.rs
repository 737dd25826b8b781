//! How full the filters of a source's records are, and whether diffusion hides strangers and shows
//! matches on them.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::atomic::{self, AtomicU64};
use std::sync::{Mutex, PoisonError};

use linkage_core::encode::{Encoder, FillStatistics, Proposal, SAMPLE_MIN, propose};
use linkage_core::keys::ProjectKey;
use linkage_core::record::NormalRecord;
use linkage_core::schema::{Profile, Schema};
use serde::Serialize;

use super::super::Error;

/// Records that are measured: similarities of two thousand people give two million pairs to draw
/// from.
const SAMPLE: usize = 2_000;

/// What was measured on a sample of the source, under a key drawn for the check.
#[derive(Debug, Clone, Serialize)]
pub struct FillCheck {
    /// Records measured.
    pub records: u64,
    /// Fill of their filters before diffusion.
    pub fill: FillStatistics,
    /// Parameters under which diffusion keeps its design rule on them, and what they reach; none
    /// when the sample is too small.
    pub proposal: Option<Proposal>,
}

/// A sample of the rows that go by, each as likely as any other: those with the least priorities,
/// which their numbers give. Which they are depends on the source alone, not on the order in which
/// the cores come by.
pub(super) struct Sample {
    kept: Mutex<BinaryHeap<Kept>>,
    /// Priority from which on none is kept.
    bar: AtomicU64,
}

struct Kept {
    priority: u64,
    record: NormalRecord,
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.priority == other.priority
    }
}

impl Eq for Kept {}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> Ordering {
        self.priority.cmp(&other.priority)
    }
}

impl Sample {
    /// No rows yet; nothing under the `fields` profile, which has no filter of the whole record.
    pub(super) fn new(schema: &Schema) -> Option<Self> {
        (schema.token.profile != Profile::Fields).then(|| Self {
            kept: Mutex::default(),
            bar: AtomicU64::new(u64::MAX),
        })
    }

    /// Keeps the record of this row, or lets it go.
    pub(super) fn offer(&self, row: u64, record: NormalRecord) {
        let priority = scatter(row);
        // The bar only sinks: who is above an old one is above the present one.
        if priority >= self.bar.load(atomic::Ordering::Relaxed) {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(Kept { priority, record });
        if kept.len() > SAMPLE {
            kept.pop();
        }
        if kept.len() == SAMPLE
            && let Some(last) = kept.peek()
        {
            self.bar.store(last.priority, atomic::Ordering::Relaxed);
        }
    }

    /// The records, in the order of their priorities.
    fn records(self) -> Vec<NormalRecord> {
        let kept = self.kept.into_inner();
        let kept = kept.unwrap_or_else(PoisonError::into_inner);
        let sorted = kept.into_sorted_vec().into_iter();
        sorted.map(|kept| kept.record).collect()
    }

    /// Measures the sample.
    pub(super) fn measure(self, schema: &Schema, key: &ProjectKey) -> Result<FillCheck, Error> {
        let records = self.records();
        let fill = Encoder::new(schema, key).fill_statistics(&records);
        let proposal = if records.len() < SAMPLE_MIN {
            None
        } else {
            propose(schema, key, &records, &mut crate::entropy::generator()?).ok()
        };
        Ok(FillCheck {
            records: records.len() as u64,
            fill,
            proposal,
        })
    }
}

/// A number as SplitMix64 scatters it (Steele, Lea and Flood, OOPSLA 2014): no two alike.
fn scatter(number: u64) -> u64 {
    let z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use linkage_core::normalise::Normaliser;
    use linkage_core::record::{Day, RawRecord};
    use rayon::prelude::*;
    use zeroize::Zeroizing;

    use super::*;

    fn schema(profile: &str, filters: &str) -> Schema {
        let token = format!("[token]\nprofile = \"{profile}\"\n");
        Schema::parse(&format!(
            "version = 1\nentity = \"enterprises\"\nid_column = \"id\"\n{token}[[field]]\n\
             name = \"a\"\nkind = \"text\"\nfeature = [{{ kind = \"whole\", bits = 9 }}]\n{filters}"
        ))
        .unwrap()
    }

    /// The rows of the sample of so many, sorted.
    fn drawn(rows: u64, in_parallel: bool) -> Vec<u64> {
        let schema = schema("plain-clk", "");
        let day = Day {
            year: 2026,
            month: 1,
            day: 1,
        };
        let normaliser = Normaliser::new(&schema, day);
        let sample = Sample::new(&schema).unwrap();
        let offer = |row: u64| {
            let raw = RawRecord {
                id: Zeroizing::default(),
                values: vec![Zeroizing::new(format!("row {row}"))],
            };
            sample.offer(row, normaliser.record(&raw));
        };
        if in_parallel {
            (0..rows).into_par_iter().for_each(offer);
        } else {
            (0..rows).for_each(offer);
        }
        let number = |record: NormalRecord| {
            let text = record.value(0).unwrap().whole().to_owned();
            text.strip_prefix("row ").unwrap().parse().unwrap()
        };
        let mut rows: Vec<u64> = sample.records().into_iter().map(number).collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn a_small_source_is_measured_whole() {
        assert_eq!(drawn(3, false), [0, 1, 2]);
        assert_eq!(drawn(SAMPLE as u64, true).len(), SAMPLE);
    }

    #[test]
    fn the_sample_is_spread_over_the_source_and_the_same_in_any_order() {
        let rows = drawn(40_000, false);
        assert_eq!(rows.len(), SAMPLE);
        assert_eq!(rows, drawn(40_000, true));
        for quarter in 0..4 {
            let range = quarter * 10_000..(quarter + 1) * 10_000;
            let found = rows.iter().filter(|row| range.contains(*row)).count();
            // Standard deviation 19; five of them.
            assert!(found.abs_diff(SAMPLE / 4) < 95, "{found}");
        }
    }

    #[test]
    fn profiles_without_a_record_level_filter_have_no_sample() {
        let filter = "[[filter]]\nname = \"a\"\nbits = 64\nfields = [\"a\"]\nweight = 1\n";
        assert!(Sample::new(&schema("fields", filter)).is_none());
    }
}
