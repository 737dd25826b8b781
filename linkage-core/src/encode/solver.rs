//! Parameters of the `hardened` profile for the data at hand.
//!
//! A token bit is the exclusive or of `t` filter bits. Two records whose filters differ in a share
//! `d` of the bits agree in `(1 + (1 - 2d)^t) / 2` of the token's `L` bits, where strangers' tokens
//! would scatter by `1 / (2 sqrt L)`: the signal is `(1 - 2d)^t sqrt L` standard deviations. The
//! design rule asks for the smallest `t` that lets unrelated records vanish in the scatter, and for
//! an `L` with which records of one person still stand out; if they do not, `L` is raised and never
//! `t` lowered.
//!
//! Distances `d` are measured on a sample of the owner's own records, those of one person by
//! altering one field: it is lost, or replaced by the value most like it among some other records,
//! which keeps the surname, the year or the district as errors do.

use rand::{Rng, RngExt as _};
use serde::Serialize;

use super::filter::{FILL_MAX, FILL_MIN, Filters, Workspace};
use crate::keys::ProjectKey;
use crate::record::{NormalRecord, NormalValue};
use crate::schema::{Diffusion, Profile, Schema};

/// Fewest records that a proposal is drawn from: the closest 0.1 % of pairs are then some dozens.
pub const SAMPLE_MIN: usize = 500;

/// Fill of a record with every field: the middle of the range in which unrelated records differ in
/// nearly half of their bits and the filter still tells features apart.
const FILL_AIMED: f64 = 0.45;

/// The design rule, in standard deviations: unrelated pairs on average, the closest 0.1 % of them,
/// and pairs of one person but the worst 5 %.
const UNRELATED_MAX: f64 = 0.01;
const CLOSEST_MAX: f64 = 0.5;
const MATCH_MIN: f64 = 5.0;

/// Lengths tried for the token, in bits.
const LENGTHS: [u32; 3] = [2048, 4096, 8192];

/// Pairs of unrelated records that are measured.
const UNRELATED_PAIRS: usize = 40_000;

/// Altered records that are measured.
const ALTERED: usize = 4_000;

/// Records among which the value most like a lost one is looked for.
const DONORS: usize = 64;

/// Parameters proposed for a schema, and what they reach on the sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Proposal {
    /// Factor on the bits of every feature.
    pub weights: f64,
    /// Length of the record-level filter in bits: the schema's.
    pub bits: u32,
    /// Filter bits per token bit.
    pub inputs: u32,
    /// Length of the token in bits.
    pub token_bits: u32,
    /// Mean fill of the filters.
    pub fill: f64,
    /// Signal of unrelated records on average, in standard deviations.
    pub unrelated: f64,
    /// Signal of the closest 0.1 % of unrelated pairs.
    pub closest: f64,
    /// Signal that 95 % of the altered records exceed.
    pub matches: f64,
    /// Whether all three keep the design rule. Otherwise this is the nearest that was found: the
    /// fields tell too little of a record, or too many records share them.
    pub kept: bool,
}

/// Why nothing can be proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SolverError {
    /// Too few records with enough features.
    #[error("{0} records of the sample can have a token; a proposal needs {SAMPLE_MIN}")]
    Sample(usize),
}

/// Measured distances between filters, ascending.
struct Distances {
    fill: f64,
    unrelated: Vec<f64>,
    matches: Vec<f64>,
}

/// Proposes parameters for records like those of `sample`, under any key.
///
/// # Errors
/// [`SolverError`] when the sample is too small.
pub fn propose(
    schema: &Schema,
    key: &ProjectKey,
    sample: &[NormalRecord],
    rng: &mut impl Rng,
) -> Result<Proposal, SolverError> {
    let mut schema = schema.clone();
    schema.token.profile = Profile::Hardened;
    let natural = Sampled::new(Filters::as_weighted(&schema, key), &schema, sample)?.fill();
    // n positions fill 1 - exp(-n / bits), so that n goes with the logarithm of the empty share.
    let weights = (1.0 - FILL_AIMED).ln() / (1.0 - natural).ln();
    for feature in schema.fields.iter_mut().flat_map(|f| &mut f.features) {
        feature.bits = (f64::from(feature.bits) * weights).round().max(1.0) as u16;
    }
    let distances = Sampled::new(Filters::new(&schema, key), &schema, sample)?.distances(rng);
    let shapes = LENGTHS
        .iter()
        .flat_map(|length| (2..=10).map(move |inputs| (inputs, *length)));
    let mut nearest: Option<Proposal> = None;
    for (inputs, token_bits) in shapes {
        let shape = Diffusion {
            inputs,
            bits: token_bits,
        };
        let mut proposal = judge(&distances, shape);
        proposal.weights = weights;
        proposal.bits = schema.token.bits;
        if proposal.kept {
            return Ok(proposal);
        }
        if nearest
            .as_ref()
            .is_none_or(|known| rank(&proposal) > rank(known))
        {
            nearest = Some(proposal);
        }
    }
    // There are shapes to try, so that one is nearest.
    nearest.ok_or(SolverError::Sample(sample.len()))
}

/// How near a proposal comes to the rule: hiding the unrelated goes before finding the related.
fn rank(proposal: &Proposal) -> (bool, f64) {
    let hidden = proposal.unrelated <= UNRELATED_MAX && proposal.closest <= CLOSEST_MAX;
    let degree = if hidden {
        proposal.matches
    } else {
        -proposal.closest
    };
    (hidden, degree)
}

/// What a shape of diffusion makes of the distances.
fn judge(distances: &Distances, shape: Diffusion) -> Proposal {
    let power = i32::try_from(shape.inputs).unwrap_or(i32::MAX);
    let signal = |d: f64| (1.0 - 2.0 * d).powi(power) * f64::from(shape.bits).sqrt();
    let unrelated = &distances.unrelated;
    let sum: f64 = unrelated.iter().map(|d| signal(*d)).sum();
    let at = |sorted: &[f64], share: f64| {
        let place = (share * sorted.len() as f64) as usize;
        sorted.get(place).copied().unwrap_or(0.5)
    };
    let mean = sum / unrelated.len().max(1) as f64;
    let closest = signal(at(unrelated, 0.001));
    let matches = signal(at(&distances.matches, 0.95));
    Proposal {
        weights: 1.0,
        bits: 0,
        inputs: shape.inputs,
        token_bits: shape.bits,
        fill: distances.fill,
        unrelated: mean,
        closest,
        matches,
        kept: mean <= UNRELATED_MAX && closest <= CLOSEST_MAX && matches >= MATCH_MIN,
    }
}

/// The records of a sample that can have a token, with their filters.
struct Sampled<'a> {
    schema: &'a Schema,
    filters: Filters<'a>,
    workspace: Workspace,
    records: Vec<(&'a NormalRecord, Vec<u64>)>,
}

impl<'a> Sampled<'a> {
    fn new(
        filters: Filters<'a>,
        schema: &'a Schema,
        sample: &'a [NormalRecord],
    ) -> Result<Self, SolverError> {
        let mut workspace = Workspace::new();
        let mut records = Vec::new();
        for record in sample {
            let mut filter = vec![0; filters.words()];
            let features = filters.fill(|at| record.value(at), &mut workspace, &mut filter);
            if features >= schema.token.features_min {
                records.push((record, filter));
            }
        }
        if records.len() < SAMPLE_MIN {
            return Err(SolverError::Sample(records.len()));
        }
        Ok(Self {
            schema,
            filters,
            workspace,
            records,
        })
    }

    /// Mean fill.
    fn fill(&self) -> f64 {
        let sum: f64 = self.records.iter().map(|(_, filter)| fill(filter)).sum();
        sum / self.records.len() as f64
    }

    fn distances(&mut self, rng: &mut impl Rng) -> Distances {
        let allowed = FILL_MIN..=FILL_MAX;
        self.records
            .retain(|(_, filter)| allowed.contains(&fill(filter)));
        let count = self.records.len();
        let mut unrelated = Vec::with_capacity(UNRELATED_PAIRS);
        let mut matches = Vec::with_capacity(ALTERED);
        for _ in 0..if count > 1 { UNRELATED_PAIRS } else { 0 } {
            let (a, b) = (rng.random_range(0..count), rng.random_range(0..count));
            if let (Some((_, x)), Some((_, y))) = (self.records.get(a), self.records.get(b))
                && a != b
            {
                unrelated.push(distance(x, y));
            }
        }
        for _ in 0..if count > 1 { ALTERED } else { 0 } {
            matches.extend(self.altered(rng));
        }
        unrelated.sort_unstable_by(f64::total_cmp);
        matches.sort_unstable_by(f64::total_cmp);
        Distances {
            fill: self.fill(),
            unrelated,
            matches,
        }
    }

    /// The distance of a random record from itself with one field altered; `None` where the altered
    /// record would have no token.
    fn altered(&mut self, rng: &mut impl Rng) -> Option<f64> {
        let (record, filter) = self.records.get(rng.random_range(0..self.records.len()))?;
        let fields: Vec<usize> = (0..self.schema.fields.len())
            .filter(|at| {
                let field = self.schema.fields.get(*at);
                field.is_some_and(|f| !f.features.is_empty()) && record.value(*at).is_some()
            })
            .collect();
        let field = *fields.get(rng.random_range(0..fields.len().max(1)))?;
        let substitute = if rng.random() {
            None
        } else {
            let random = |_| self.records.get(rng.random_range(0..self.records.len()));
            let donors = (0..DONORS).filter_map(random);
            let values = donors.filter_map(|(donor, _)| donor.value(field));
            most_like(&self.filters, &mut self.workspace, field, record, values)
        };
        let value = |at| {
            if at == field {
                substitute
            } else {
                record.value(at)
            }
        };
        let mut altered = vec![0; self.filters.words()];
        self.filters.fill(value, &mut self.workspace, &mut altered);
        let usable = (FILL_MIN..=FILL_MAX).contains(&fill(&altered));
        usable.then(|| distance(filter, &altered))
    }
}

/// Of `values` the one most like the record's own value of `field`, itself excepted.
fn most_like<'v>(
    filters: &Filters<'_>,
    workspace: &mut Workspace,
    field: usize,
    record: &NormalRecord,
    values: impl Iterator<Item = &'v NormalValue>,
) -> Option<&'v NormalValue> {
    let own = record.value(field)?;
    let mut alone = |value: &NormalValue| {
        let mut filter = vec![0; filters.words()];
        let only = |at| (at == field).then_some(value);
        filters.fill(only, workspace, &mut filter);
        filter
    };
    let own_filter = alone(own);
    values
        .filter(|value| value.whole() != own.whole())
        .map(|value| (distance(&own_filter, &alone(value)), value))
        .min_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, value)| value)
}

fn fill(filter: &[u64]) -> f64 {
    let ones: u32 = filter.iter().map(|word| word.count_ones()).sum();
    f64::from(ones) / (filter.len().max(1) * 64) as f64
}

/// Share of bits in which two filters differ.
fn distance(a: &[u64], b: &[u64]) -> f64 {
    let differing: u32 = a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum();
    f64::from(differing) / (a.len().max(1) * 64) as f64
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::encode::tests::population;

    fn proposal(schema: &Schema, records: &[NormalRecord]) -> Result<Proposal, SolverError> {
        let key = ProjectKey::from_bytes([5; 32]);
        propose(schema, &key, records, &mut ChaCha20Rng::seed_from_u64(2))
    }

    #[test]
    fn people_get_parameters_that_keep_the_rule() {
        let records = population::people(2_000);
        let mut schema = population::schema();
        let got = proposal(&schema, &records).unwrap();
        assert!(got.kept, "{got:?}");
        assert!((0.43..0.47).contains(&got.fill), "{got:?}");
        assert!((4..=6).contains(&got.inputs), "{got:?}");
        // The same fields with half the weight: the factor makes up for it.
        for feature in schema.fields.iter_mut().flat_map(|f| &mut f.features) {
            feature.bits /= 2;
        }
        let half = proposal(&schema, &records).unwrap();
        assert!((half.weights / got.weights - 2.0).abs() < 0.25, "{half:?}");
    }

    #[test]
    fn fields_that_tell_too_little_are_said_to() {
        let mut schema = population::schema();
        schema.fields.retain(|field| field.name == "name");
        schema.block_keys.clear();
        let got = proposal(&schema, &population::people(1_000)).unwrap();
        assert!(!got.kept, "{got:?}");
    }

    #[test]
    fn a_small_sample_is_refused() {
        let got = proposal(&population::schema(), &population::people(100));
        assert_eq!(got, Err(SolverError::Sample(100)));
    }
}
