//! How full the filters are that tokens are made from.
//!
//! Under `hardened` the fill decides over both safety and quality: near one half the tokens of
//! strangers agree as coin tosses do, well below it thin records stand out.

use serde::Serialize;

use super::{Encoder, Refusal};
use crate::record::NormalRecord;
use crate::schema::Schema;

/// Expected fill of the filter of a record that has every field, once: `n` positions asked for
/// fill `1 - exp(-n / bits)`. Of the record-level filter; 0 under the `fields` profile, which has
/// none.
pub fn expected_fill(schema: &Schema) -> f64 {
    if !schema.filters.is_empty() {
        return 0.0;
    }
    let features = schema.fields.iter().flat_map(|field| &field.features);
    let asked: u32 = features.map(|feature| u32::from(feature.bits)).sum();
    1.0 - (-f64::from(asked) / f64::from(schema.token.bits)).exp()
}

/// Counts on the fill of records' filters, before diffusion.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FillStatistics {
    /// Records that were given a token.
    pub tokens: u64,
    /// Records refused as [`Refusal::Thin`].
    pub thin: u64,
    /// Records refused as [`Refusal::Overfull`].
    pub overfull: u64,
    /// Mean fill of the filters, those of refused records included.
    pub mean: f64,
    /// Standard deviation of the fill.
    pub deviation: f64,
    /// Least fill.
    pub min: f64,
    /// Greatest fill.
    pub max: f64,
}

impl Encoder<'_> {
    /// Measures the fill of the records' filters.
    pub fn fill_statistics(&self, records: &[NormalRecord]) -> FillStatistics {
        let mut statistics = FillStatistics {
            min: f64::INFINITY,
            ..FillStatistics::default()
        };
        let (mut sum, mut squares) = (0.0, 0.0);
        for record in records {
            let (fill, refusal) = self.fill_of(record);
            match refusal {
                None => statistics.tokens += 1,
                Some(Refusal::Thin) => statistics.thin += 1,
                Some(Refusal::Overfull) => statistics.overfull += 1,
            }
            sum += fill;
            squares += fill * fill;
            statistics.min = statistics.min.min(fill);
            statistics.max = statistics.max.max(fill);
        }
        if records.is_empty() {
            return FillStatistics::default();
        }
        let count = records.len() as f64;
        statistics.mean = sum / count;
        let variance = squares / count - statistics.mean * statistics.mean;
        statistics.deviation = variance.max(0.0).sqrt();
        statistics
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::tests::population;
    use crate::keys::ProjectKey;

    #[test]
    fn measured_fill_is_as_expected() {
        let schema = population::schema();
        let records = population::people(1_000);
        let encoder = Encoder::new(&schema, &ProjectKey::from_bytes([6; 32]));
        let got = encoder.fill_statistics(&records);
        assert!((got.mean - expected_fill(&schema)).abs() < 0.02, "{got:?}");
        assert!(
            got.deviation < 0.02 && got.min > 0.38 && got.max < 0.52,
            "{got:?}"
        );
        assert_eq!((got.tokens, got.thin, got.overfull), (1_000, 0, 0));
        let without = encoder.records(&records);
        assert!(without.iter().all(|record| record.refusal.is_none()));
        assert_eq!(encoder.fill_statistics(&[]), FillStatistics::default());
    }
}
