//! Agreement levels: what two records' filters say of each other, in three bits a filter.
//!
//! Two filters of length L with a and b set bits share ab/L of them by chance. The similarity that
//! is banded is corrected for that, s = (I - ab/L) / ((a + b)/2 - ab/L): 1 for equal filters and 0
//! for strangers' on average, whatever their length and fill. For filters without chance agreement
//! it is Dice's coefficient.

use crate::encode::Columns;
use crate::schema::Segment;

/// Number of levels of a filter, [`Level::Missing`] included.
pub const LEVELS: usize = 8;

/// Bits of a level in a [`Pattern`].
const LEVEL_BITS: usize = 3;

/// Most filters that a pattern holds; a schema has at most 32.
const FILTERS_MAX: usize = 42;

/// Least corrected similarity of the four bands, in fifths. Equal steps: where a level falls among
/// records of one person is for the estimation to find out, and levels that it cannot tell apart
/// are pooled.
const BANDS: [(u64, Level); 4] = [
    (4, Level::Close),
    (3, Level::Near),
    (2, Level::Alike),
    (1, Level::Faint),
];
const BAND_UNIT: u64 = 5;

/// What the corrected similarity of both crosswise comparisons must reach, and that of neither
/// straight one may, for two values to count as swapped; in fifths.
const SWAPPED: u64 = 3;

/// How two records' filters agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// At least one record has no value, or its part in a swap is counted at the other filter: no
    /// evidence.
    Missing = 0,
    /// The filters are equal.
    Exact = 1,
    /// Similarity 0.8 or more.
    Close = 2,
    /// 0.6 to 0.8.
    Near = 3,
    /// 0.4 to 0.6.
    Alike = 4,
    /// 0.2 to 0.4.
    Faint = 5,
    /// Below 0.2.
    Apart = 6,
    /// This value and its partner's are in each other's place.
    Swapped = 7,
}

impl Level {
    /// All levels, in the order of their numbers.
    pub const ALL: [Self; LEVELS] = [
        Self::Missing,
        Self::Exact,
        Self::Close,
        Self::Near,
        Self::Alike,
        Self::Faint,
        Self::Apart,
        Self::Swapped,
    ];

    /// The levels of one scale, from the strongest agreement to none.
    pub const SCALE: std::ops::RangeInclusive<usize> = 1..=6;

    /// A word for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Exact => "exact",
            Self::Close => "0.8 to 1",
            Self::Near => "0.6 to 0.8",
            Self::Alike => "0.4 to 0.6",
            Self::Faint => "0.2 to 0.4",
            Self::Apart => "below 0.2",
            Self::Swapped => "swapped",
        }
    }
}

/// The levels of all filters of a pair of records, three bits each, the first filter's lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pattern(u128);

impl Pattern {
    /// The pattern with these levels.
    pub fn new(levels: impl IntoIterator<Item = Level>) -> Self {
        let mut bits = 0;
        for (at, level) in levels.into_iter().take(FILTERS_MAX).enumerate() {
            bits |= (level as u128) << (at * LEVEL_BITS);
        }
        Self(bits)
    }

    /// Number of the level of filter `at`, below [`LEVELS`].
    #[inline]
    pub fn level(self, at: usize) -> usize {
        (self.0 >> (at * LEVEL_BITS)) as usize & (LEVELS - 1)
    }

    /// The levels mixed into the upper bits of a word.
    pub(super) fn mixed(self) -> u64 {
        let word = self.0 as u64 ^ (self.0 >> u64::BITS) as u64;
        // 2^64 divided by the golden section, made odd.
        word.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Whether no filter says anything.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[inline]
    fn set(&mut self, at: usize, level: Level) {
        let shift = at * LEVEL_BITS;
        self.0 = self.0 & !(0b111 << shift) | (level as u128) << shift;
    }
}

/// One filter of a token.
#[derive(Debug, Clone)]
struct Filter {
    /// Its words in the token.
    words: std::ops::Range<usize>,
    bits: u64,
    /// A later filter that swaps with it.
    swaps_with: Option<usize>,
}

/// One owner's filters with their numbers of set bits.
struct Side<'a> {
    words: &'a [u64],
    width: usize,
    /// Set bits of each filter, record after record.
    ones: Vec<u16>,
    filters: usize,
}

impl<'a> Side<'a> {
    fn new(columns: &Columns<'a>, filters: &[Filter]) -> Self {
        let width = columns.width();
        let mut ones = Vec::with_capacity(columns.len() * filters.len());
        for row in 0..columns.len() {
            let token = columns.token(row);
            for filter in filters {
                let words = token.get(filter.words.clone()).unwrap_or(&[]);
                let count: u32 = words.iter().map(|word| word.count_ones()).sum();
                ones.push(u16::try_from(count).unwrap_or(u16::MAX));
            }
        }
        Self {
            words: columns.words,
            width,
            ones,
            filters: filters.len(),
        }
    }

    /// The token of a record and the set bits of its filters; empty beyond the last row.
    #[inline]
    fn record(&self, row: u32) -> (&[u64], &[u16]) {
        let row = row as usize;
        let words = self.words.get(row * self.width..(row + 1) * self.width);
        let ones = self.ones.get(row * self.filters..(row + 1) * self.filters);
        (words.unwrap_or(&[]), ones.unwrap_or(&[]))
    }
}

/// Compares records of two owners filter by filter.
pub struct Comparison<'a> {
    filters: Vec<Filter>,
    a: Side<'a>,
    b: Side<'a>,
}

impl<'a> Comparison<'a> {
    /// A comparison of `a`'s records with `b`'s, which have the same filters.
    pub fn new(a: &Columns<'a>, b: &Columns<'a>) -> Self {
        let filters = filters(&a.header.segments);
        Self {
            a: Side::new(a, &filters),
            b: Side::new(b, &filters),
            filters,
        }
    }

    /// Of each filter, whether its level may be [`Level::Swapped`]: of two that swap the first's.
    pub fn swaps(&self) -> impl Iterator<Item = bool> {
        self.filters
            .iter()
            .map(|filter| filter.swaps_with.is_some())
    }

    /// The agreement levels of record `row_a` of the one owner and `row_b` of the other.
    #[inline]
    pub fn pattern(&self, row_a: u32, row_b: u32) -> Pattern {
        let (a, b) = (self.a.record(row_a), self.b.record(row_b));
        let mut pattern = Pattern::default();
        for (at, filter) in self.filters.iter().enumerate() {
            let level = similarity(a, b, (at, filter), (at, filter)).level();
            pattern.set(at, level);
        }
        for (at, filter) in self.filters.iter().enumerate() {
            if let Some(partner) = filter.swaps_with
                && self.swapped(a, b, at, partner)
            {
                pattern.set(at, Level::Swapped);
                pattern.set(partner, Level::Missing);
            }
        }
        pattern
    }

    /// Whether the values of two filters are in each other's place.
    fn swapped(&self, a: (&[u64], &[u16]), b: (&[u64], &[u16]), x: usize, y: usize) -> bool {
        let (Some(filter_x), Some(filter_y)) = (self.filters.get(x), self.filters.get(y)) else {
            return false;
        };
        let (x, y) = ((x, filter_x), (y, filter_y));
        let reaches = |one, other| similarity(a, b, one, other).reaches(SWAPPED);
        reaches(x, y) && reaches(y, x) && !reaches(x, x) && !reaches(y, y)
    }
}

fn filters(segments: &[Segment]) -> Vec<Filter> {
    let mut start = 0;
    let filter = |(at, segment): (usize, &Segment)| {
        let words = segment.bits as usize / 64;
        let filter = Filter {
            words: start..start + words,
            bits: segment.bits.into(),
            swaps_with: segment
                .swaps_with
                .map(usize::from)
                .filter(|with| *with > at),
        };
        start += words;
        filter
    };
    let segments = segments.iter().take(FILTERS_MAX);
    segments.enumerate().map(filter).collect()
}

/// Counts of two filters: common bits, set bits of either, and their length; no bits set where a
/// record has no value.
#[derive(Debug, Clone, Copy, Default)]
struct Similarity {
    common: u64,
    ones_a: u64,
    ones_b: u64,
    bits: u64,
    equal: bool,
}

#[inline]
fn similarity(
    (words_a, all_a): (&[u64], &[u16]),
    (words_b, all_b): (&[u64], &[u16]),
    (at_a, filter_a): (usize, &Filter),
    (at_b, filter_b): (usize, &Filter),
) -> Similarity {
    let (Some(a), Some(b)) = (
        words_a.get(filter_a.words.clone()),
        words_b.get(filter_b.words.clone()),
    ) else {
        return Similarity::default();
    };
    let ones = |all: &[u16], at: usize| u64::from(all.get(at).copied().unwrap_or(0));
    let (ones_a, ones_b) = (ones(all_a, at_a), ones(all_b, at_b));
    if ones_a == 0 || ones_b == 0 {
        return Similarity::default();
    }
    Similarity {
        common: crate::similarity::intersection(a, b).into(),
        ones_a,
        ones_b,
        bits: filter_a.bits,
        equal: a == b,
    }
}

impl Similarity {
    /// Whether the corrected similarity is at least `fifths`: I - E >= t ((a + b)/2 - E) with
    /// E = ab/L, times 2 L and the unit of t, so that all numbers are whole.
    #[inline]
    fn reaches(self, fifths: u64) -> bool {
        let chance = 2 * self.ones_a * self.ones_b;
        let found = 2 * BAND_UNIT * self.bits * self.common;
        let needed = fifths * self.bits * (self.ones_a + self.ones_b);
        self.ones_a > 0 && found >= needed + (BAND_UNIT - fifths) * chance
    }

    #[inline]
    fn level(self) -> Level {
        if self.ones_a == 0 {
            return Level::Missing;
        }
        if self.equal {
            return Level::Exact;
        }
        BANDS
            .into_iter()
            .find(|(fifths, _)| self.reaches(*fifths))
            .map_or(Level::Apart, |(_, level)| level)
    }
}
