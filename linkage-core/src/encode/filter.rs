//! Records to Bloom filters: which positions a record's features set.

use super::cache::{Cache, Namer};
use super::feature::Features;
use super::suite::Mac;
use crate::keys::ProjectKey;
use crate::record::NormalValue;
use crate::schema::{Feature, Profile, Schema};

/// Most positions that one feature sets. A field with a single short value would otherwise put its
/// whole weight on one feature, which then shows in the token's weight.
const POSITIONS_MAX: u32 = 64;

/// Expected fill to which the filter of a record with missing fields is brought under the
/// `hardened` profile, by raising all its weights alike.
///
/// Refusing such records would cost their links; raising them costs likeness to the full record of
/// the same person, as the added positions are ones that the full record has not. So they are
/// raised to just above [`FILL_MIN`] and no further. With telephone and address lost (30 % of the
/// weight) the signal against the full record is 13.7 standard deviations unraised, 10.9 at this
/// target, 7.0 at 0.42, 5.1 at 0.45 (the test `a_raised_record_is_still_found`).
pub(super) const FILL_RAISED: f64 = 0.37;

/// Most that weights are raised by. A record that would need more has too few features to hide
/// among others: a person's name without a date, for one.
const RAISE_MAX: f64 = 1.5;

/// Fills of the base filter outside of which a record is given no token under the `hardened`
/// profile: thinner ones show by their weight, fuller ones no longer tell people apart.
pub(super) const FILL_MIN: f64 = 0.35;
/// See [`FILL_MIN`].
pub(super) const FILL_MAX: f64 = 0.55;

/// What a field's features are hashed with, and where they go.
struct Source<'a> {
    /// The field's index in the schema.
    field: usize,
    mac: Mac,
    namer: Namer,
    features: &'a [Feature],
    /// The bits of the filter that the features go into.
    bits: std::ops::Range<usize>,
}

/// Makes the filters of records.
pub(super) struct Filters<'a> {
    sources: Vec<Source<'a>>,
    words: usize,
    /// Whether thin records are raised.
    raised: bool,
}

/// One feature set of one record.
struct Set {
    source: usize,
    features: std::ops::Range<usize>,
    /// Positions of each feature.
    each: u32,
}

/// What a thread uses again from record to record: the cache, and room for features.
pub(super) struct Workspace {
    cache: Cache,
    features: Features,
    sets: Vec<Set>,
    /// A filter with a byte for each bit: setting one takes a store and nothing else, which is the
    /// most frequent thing that is done here.
    bits: Vec<u8>,
}

impl Workspace {
    pub(super) fn new() -> Self {
        Self {
            cache: Cache::new(),
            features: Features::default(),
            sets: Vec::new(),
            bits: Vec::new(),
        }
    }
}

impl<'a> Filters<'a> {
    pub(super) fn new(schema: &'a Schema, key: &ProjectKey) -> Self {
        let sources = (0..)
            .zip(&schema.fields)
            .filter(|(_, field)| !field.features.is_empty())
            .filter_map(|(index, field)| {
                Some(Source {
                    field: index,
                    mac: Mac::new(
                        schema.token.suite,
                        &key.positions(schema.hashed_as(&field.name)),
                    ),
                    namer: Namer::new(&key.cache(&field.name)),
                    features: &field.features,
                    bits: bits_of(schema, &field.name)?,
                })
            })
            .collect();
        let bits = match schema.token.profile {
            Profile::Fields => schema.token_bits(),
            Profile::Hardened | Profile::PlainClk => schema.token.bits,
        };
        Self {
            sources,
            words: bits as usize / 64,
            raised: schema.token.profile == Profile::Hardened,
        }
    }

    /// The same, but no record's weights are ever raised.
    pub(super) fn as_weighted(schema: &'a Schema, key: &ProjectKey) -> Self {
        Self {
            raised: false,
            ..Self::new(schema, key)
        }
    }

    /// Length of the filters in 64-bit words.
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// Sets the positions of a record's features in `filter`, which has [`Filters::words`] words
    /// and no bit; returns the number of distinct features. `value` hands out the record's fields.
    pub(super) fn fill<'r>(
        &self,
        value: impl Fn(usize) -> Option<&'r NormalValue>,
        workspace: &mut Workspace,
        filter: &mut [u64],
    ) -> u32 {
        let Workspace {
            cache,
            features,
            sets,
            bits,
        } = workspace;
        self.extract(value, features, sets);
        let (mut count, mut insertions) = (0, 0);
        for set in sets.iter() {
            let features = u32::try_from(set.features.len()).unwrap_or(u32::MAX);
            count += features;
            insertions += features * set.each;
        }
        let factor = if self.raised {
            raise(insertions, filter.len() * 64)
        } else {
            1.0
        };
        for set in sets.iter_mut() {
            set.each = (f64::from(set.each) * factor).round() as u32;
        }
        let mut read = 0;
        for set in sets.iter() {
            for name in features.names(set.features.clone()) {
                read ^= cache.touch(name, set.each);
            }
        }
        // Keeps the reads, whose result nobody needs.
        std::hint::black_box(read);
        bits.clear();
        bits.resize(filter.len() * 64, 0);
        for set in sets.iter() {
            let Some((source, target)) = self
                .sources
                .get(set.source)
                .and_then(|source| Some((source, bits.get_mut(source.bits.clone())?)))
            else {
                continue;
            };
            for index in set.features.clone() {
                if let Some(feature) = features.get(index) {
                    cache.set(&feature, &source.mac, set.each, target);
                }
            }
        }
        gather(bits, filter);
        count
    }

    /// Cuts the record's features out and shares every weight among the features of its set.
    fn extract<'r>(
        &self,
        value: impl Fn(usize) -> Option<&'r NormalValue>,
        features: &mut Features,
        sets: &mut Vec<Set>,
    ) {
        features.clear();
        sets.clear();
        for (at, source) in self.sources.iter().enumerate() {
            let Some(value) = value(source.field) else {
                continue;
            };
            for feature in source.features {
                let range = features.extract(feature, value, &source.namer);
                let count = u32::try_from(range.len()).unwrap_or(u32::MAX);
                let rounded = u32::from(feature.bits) + count / 2;
                if let Some(each) = rounded.checked_div(count) {
                    sets.push(Set {
                        source: at,
                        features: range,
                        each: each.clamp(1, POSITIONS_MAX),
                    });
                }
            }
        }
    }
}

/// The factor on all weights of a record that asks for `insertions` positions of `bits`.
fn raise(insertions: u32, bits: usize) -> f64 {
    let wanted = -(bits as f64) * (1.0 - FILL_RAISED).ln();
    (wanted / f64::from(insertions.max(1))).clamp(1.0, RAISE_MAX)
}

/// Brings bytes that are 0 or 1 together to bits, the first as the lowest of the first word. The
/// multiplication adds byte `i` shifted by `56 - 7 i` bits, for all eight `i` at once.
fn gather(bytes: &[u8], words: &mut [u64]) {
    let eights = bytes.as_chunks::<8>().0.as_chunks::<8>().0;
    for (word, eights) in words.iter_mut().zip(eights) {
        *word = eights.iter().rev().fold(0, |word, eight| {
            let byte = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            word << 8 | byte
        });
    }
}

/// Where in the filter the field's features go; `None` under the `fields` profile for a field that
/// no filter holds.
fn bits_of(schema: &Schema, field: &str) -> Option<std::ops::Range<usize>> {
    if schema.token.profile != Profile::Fields {
        return Some(0..schema.token.bits as usize);
    }
    let mut start = 0;
    for filter in &schema.filters {
        let end = start + filter.bits as usize;
        if filter.fields.iter().any(|name| name == field) {
            return Some(start..end);
        }
        start = end;
    }
    None
}
