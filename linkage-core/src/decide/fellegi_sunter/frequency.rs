//! Term frequency: agreement on a rare value says more than on a frequent one.
//!
//! The chance that two strangers agree on value v is its share f(v), against the mean chance
//! k = sum of f(v)^2 that u of [`Level::Exact`] holds. So agreement on v weighs log2(k / f(v)) bits
//! more, or less for a frequent v (Winkler, "Frequency-based matching in Fellegi-Sunter model of
//! record linkage", Census Bureau RR 2000/06). Values are known by their keyed class of 16 bits: of
//! values that share one the sum is taken, so that rarity is understated, never overstated.

use crate::encode::Columns;

use super::level::{Level, Pattern};

/// Number of classes.
const CLASSES: usize = 1 << 16;

/// Most bits that frequency adds or takes: a class that came once may be more frequent than it
/// seems.
const BITS_MAX: f64 = 10.0;

/// One filter's column of classes.
#[derive(Debug)]
struct Column<'a> {
    filter: usize,
    a: &'a [u16],
    b: &'a [u16],
    /// Bits by class.
    bits: Vec<f32>,
}

/// What the frequencies of values add to the weights of pairs.
#[derive(Debug)]
pub(super) struct Frequencies<'a>(Vec<Column<'a>>);

impl<'a> Frequencies<'a> {
    /// Counts the classes of both owners' records.
    pub fn count(a: &Columns<'a>, b: &Columns<'a>) -> Self {
        let segments = a.header.segments.iter().enumerate();
        let filters = segments.filter(|(_, segment)| segment.frequency);
        let columns = filters.zip(a.classes.iter().zip(&b.classes));
        let column = |(filter, a, b): (usize, &'a [u16], &'a [u16])| Column {
            filter,
            a,
            b,
            bits: bits(a, b),
        };
        let each = columns.map(|((filter, _), (a, b))| column((filter, *a, *b)));
        Self(each.collect())
    }

    /// No filter's.
    pub fn none() -> Self {
        Self(vec![])
    }

    /// Whether there is nothing to add.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether filter `at` has frequency classes.
    pub fn holds(&self, at: usize) -> bool {
        self.0.iter().any(|column| column.filter == at)
    }

    /// Bits to add to the weight of a pair with this pattern: of the filters that agree exactly on
    /// values of one class.
    #[inline]
    pub fn of(&self, row_a: u32, row_b: u32, pattern: Pattern) -> f32 {
        let each = self.0.iter().filter_map(|column| {
            if pattern.level(column.filter) != Level::Exact as usize {
                return None;
            }
            let (class_a, class_b) = (
                *column.a.get(row_a as usize)?,
                *column.b.get(row_b as usize)?,
            );
            (class_a == class_b && class_a != 0)
                .then(|| column.bits.get(usize::from(class_a)))
                .flatten()
        });
        each.sum()
    }
}

fn bits(a: &[u16], b: &[u16]) -> Vec<f32> {
    let mut counts = vec![0_u32; CLASSES];
    for class in a.iter().chain(b).filter(|class| **class != 0) {
        if let Some(count) = counts.get_mut(usize::from(*class)) {
            *count += 1;
        }
    }
    let total = counts
        .iter()
        .map(|count| f64::from(*count))
        .sum::<f64>()
        .max(1.0);
    let share = |count: u32| f64::from(count) / total;
    let mean: f64 = counts.iter().map(|count| share(*count).powi(2)).sum();
    counts
        .iter()
        .map(|count| match count {
            0 => 0.0,
            count => (mean / share(*count)).log2().clamp(-BITS_MAX, BITS_MAX) as f32,
        })
        .collect()
}
