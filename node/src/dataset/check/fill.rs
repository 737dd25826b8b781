//! How full the filters of a source's records are, and whether diffusion hides strangers and shows
//! matches on them.

use std::path::Path;

use linkage_core::encode::{Encoder, FillStatistics, Proposal, SAMPLE_MIN, propose};
use linkage_core::keys::ProjectKey;
use linkage_core::normalise::Normaliser;
use linkage_core::record::NormalRecord;
use linkage_core::schema::{Profile, Schema};
use serde::Serialize;

use super::super::{Error, today};
use crate::ingest::Source;

/// Records that are measured: the first usable ones. Fill is alike in all of a source, and
/// similarities of two thousand people give two million pairs to draw from.
const SAMPLE: usize = 2_000;

/// What was measured on the first records of the source, under a key drawn for the check.
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

/// Measures the first records of the source; nothing under the `fields` profile, which has no
/// filter of the whole record.
pub(super) fn measure(
    path: &Path,
    schema: &Schema,
    key: &ProjectKey,
) -> Result<Option<FillCheck>, Error> {
    if schema.token.profile == Profile::Fields {
        return Ok(None);
    }
    let sample = sample(path, schema)?;
    let fill = Encoder::new(schema, key).fill_statistics(&sample);
    let proposal = if sample.len() < SAMPLE_MIN {
        None
    } else {
        propose(schema, key, &sample, &mut crate::entropy::generator()?).ok()
    };
    Ok(Some(FillCheck {
        records: sample.len() as u64,
        fill,
        proposal,
    }))
}

fn sample(path: &Path, schema: &Schema) -> Result<Vec<NormalRecord>, Error> {
    let mut source = Source::open(path, schema)?;
    let parser = source.parser();
    let normaliser = Normaliser::new(schema, today());
    let mut sample = Vec::with_capacity(SAMPLE);
    while let Some(block) = source.next_block()? {
        parser.rows(&block, &mut |row| {
            if let Ok(row) = row
                && sample.len() < SAMPLE
            {
                sample.push(normaliser.record(&row.record));
            }
        });
        if sample.len() >= SAMPLE {
            break;
        }
    }
    Ok(sample)
}
