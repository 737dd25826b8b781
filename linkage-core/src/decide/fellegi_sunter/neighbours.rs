//! Each record's nearest records of the other owner, as further candidates: what finds pairs of
//! which every key is wrong.

use rayon::prelude::*;

use crate::candidates::ScoredPair;
use crate::encode::Columns;
use crate::similarity::Comparison;

/// Most pairs of records that are looked through; beyond, only keys propose pairs.
const PAIRS_MAX: u64 = 2_000_000_000;

/// Records of the first owner that one task goes through.
const TASK_ROWS: usize = 512;

/// Records of the second owner that are held near while they go through: their tokens then lie in
/// the cache of the core.
const TILE_ROWS: usize = 256;

/// A neighbour: its likeness and row. The list of a record is kept with the best first; of equally
/// good ones the earlier row.
type Near = (f32, u32);

/// The nearest records of each of a run of records, `keep` places each.
struct Nearest {
    places: Vec<Near>,
    keep: usize,
}

impl Nearest {
    fn new(rows: usize, keep: usize) -> Self {
        Self {
            places: vec![(0.0, u32::MAX); rows * keep],
            keep,
        }
    }

    /// Offers `near` to record `row`.
    #[inline]
    fn offer(&mut self, row: usize, near: Near) {
        let places = self.places.get_mut(row * self.keep..(row + 1) * self.keep);
        let Some(places) = places else { return };
        if !places.last().is_some_and(|last| better(near, *last)) {
            return;
        }
        let at = places.partition_point(|place| better(*place, near));
        if let Some(rest) = places.get_mut(at..) {
            rest.rotate_right(1);
            if let Some(first) = rest.first_mut() {
                *first = near;
            }
        }
    }

    /// Takes over what `other`, of the same records, has found.
    fn merge(mut self, other: &Self) -> Self {
        for (row, places) in other.places.chunks(self.keep.max(1)).enumerate() {
            for near in places.iter().filter(|near| near.0 > 0.0) {
                self.offer(row, *near);
            }
        }
        self
    }

    /// The records found for each row, counted from `first`.
    fn pairs(&self, first: usize) -> impl Iterator<Item = (u32, u32)> {
        let lists = self.places.chunks(self.keep.max(1)).enumerate();
        lists.flat_map(move |(row, places)| {
            let row = u32::try_from(first + row).unwrap_or(u32::MAX);
            let found = places.iter().filter(|near| near.0 > 0.0);
            found.map(move |near| (row, near.1))
        })
    }
}

#[inline]
fn better(x: Near, y: Near) -> bool {
    x.0 > y.0 || (x.0 >= y.0 && x.1 < y.1)
}

/// Adds to `pairs`, which are in order of (a, b), each record's `keep` nearest records of the other
/// owner by Dice's coefficient of the whole tokens, but for those in `barred`, in order too. Does
/// nothing where there are more than 2 x 10^9 pairs of records to look through.
///
/// Returns the number of pairs added.
pub fn add_neighbours(
    (a, b): (&Columns<'_>, &Columns<'_>),
    pairs: &mut Vec<ScoredPair>,
    barred: &[(u32, u32)],
    keep: usize,
) -> u64 {
    if keep == 0 || a.len() as u64 * b.len() as u64 > PAIRS_MAX {
        return 0;
    }
    let mut found = nearest(a, b, keep);
    found.par_sort_unstable();
    found.dedup();
    found.retain(|pair| barred.binary_search(pair).is_err());
    let known = |pair: &(u32, u32)| {
        let at = pairs.binary_search_by_key(pair, |pair| (pair.a, pair.b));
        at.is_ok()
    };
    found.retain(|pair| !known(pair));
    let comparison = Comparison::new(a, b);
    let added = found.len() as u64;
    pairs.extend(found.into_iter().map(|(a, b)| ScoredPair {
        a,
        b,
        link_rule: None,
        score: comparison.score(a, b),
    }));
    pairs.par_sort_unstable_by_key(|pair| (pair.a, pair.b));
    added
}

/// The pairs of each record of either owner with its nearest of the other.
fn nearest(a: &Columns<'_>, b: &Columns<'_>, keep: usize) -> Vec<(u32, u32)> {
    let starts: Vec<usize> = (0..a.len()).step_by(TASK_ROWS).collect();
    let none = || (Vec::new(), Nearest::new(b.len(), keep));
    let (mut pairs, of_b) = starts
        .into_par_iter()
        .fold(none, |(mut pairs, mut of_b), first| {
            let rows = first..(first + TASK_ROWS).min(a.len());
            let mut of_a = Nearest::new(rows.len(), keep);
            look_through((a, rows), b, &mut of_a, &mut of_b);
            pairs.extend(of_a.pairs(first));
            (pairs, of_b)
        })
        .reduce(none, |(mut pairs, of_b), (more, also)| {
            pairs.extend(more);
            (pairs, of_b.merge(&also))
        });
    pairs.extend(of_b.pairs(0).map(|(b, a)| (a, b)));
    pairs
}

/// Offers every record of `rows` of `a` and of `b` to each other.
fn look_through(
    (a, rows): (&Columns<'_>, std::ops::Range<usize>),
    b: &Columns<'_>,
    of_a: &mut Nearest,
    of_b: &mut Nearest,
) {
    let number = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
    for tile in (0..b.len()).step_by(TILE_ROWS) {
        let tile = tile..(tile + TILE_ROWS).min(b.len());
        for (at, row_a) in rows.clone().enumerate() {
            let (token_a, ones_a) = (a.token(row_a), a.ones(row_a));
            if ones_a == 0 {
                continue;
            }
            for row_b in tile.clone() {
                let ones = ones_a + b.ones(row_b);
                let common = crate::similarity::intersection(token_a, b.token(row_b));
                let likeness = common as f32 / ones as f32;
                of_a.offer(at, (likeness, number(row_b)));
                of_b.offer(row_b, (likeness, number(row_a)));
            }
        }
    }
}
