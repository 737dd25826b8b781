//! The pairs that agree enough, as they are found, and at the end in order, each once.

use rayon::prelude::*;

use super::ScoredPair;
use super::linked::{Linked, LinkedPair};
use super::order::{Pair, ordered, pack, slab_pairs, unpack};
use super::score::{PairGather, Scorer};

/// Listed pairs, doubles included, from which on doubles are removed in between: 270 MB.
const HELD_MAX: usize = 1 << 24;

/// A pair that agrees enough.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hit {
    pair: u64,
    score: f64,
}

impl Hit {
    pub fn new(a: u32, b: u32, score: f64) -> Self {
        let pair = pack(a, b);
        Self { pair, score }
    }
}

impl Pair for Hit {
    fn pair(&self) -> u64 {
        self.pair
    }

    fn rank(&self) -> u8 {
        0
    }
}

/// Pairs put by, to be compared together, from which on they are: 270 MB.
const PUT_BY_MAX: usize = 1 << 25;

/// All that was found so far.
pub(super) struct Hits {
    lists: Vec<Vec<Hit>>,
    held: usize,
    held_max: usize,
    /// Pairs that are still to be compared.
    put_by: Vec<Vec<u64>>,
    rows_a: usize,
}

impl Hits {
    /// For pairs whose first rows are below `rows_a`.
    pub fn new(rows_a: usize) -> Self {
        Self {
            lists: Vec::new(),
            held: 0,
            held_max: HELD_MAX,
            put_by: Vec::new(),
            rows_a,
        }
    }

    /// Adds what was found; a pair found before does not count.
    pub fn extend(&mut self, lists: impl IntoIterator<Item = Vec<Hit>>) {
        for list in lists {
            self.held += list.len();
            self.lists.push(list);
        }
        if self.held > self.held_max {
            self.lists = ordered(std::mem::take(&mut self.lists), self.rows_a);
            // Where few were doubles, the next round is worth it only after as many more.
            self.held = self.lists.iter().map(Vec::len).sum();
            self.held_max = HELD_MAX.max(2 * self.held);
        }
    }

    /// Adds pairs that are to be compared, each once however often it comes while they are put by.
    pub fn put_by(&mut self, lists: impl IntoIterator<Item = Vec<u64>>, scorer: &Scorer<'_>) {
        self.put_by.extend(lists);
        if self.put_by.iter().map(Vec::len).sum::<usize>() > PUT_BY_MAX {
            self.compare_put_by(scorer);
        }
    }

    fn compare_put_by(&mut self, scorer: &Scorer<'_>) {
        let slabs = ordered(std::mem::take(&mut self.put_by), self.rows_a);
        let lists: Vec<Vec<Hit>> = slabs
            .into_par_iter()
            .map(|pairs| {
                let mut hits = Vec::new();
                PairGather::default().compare(scorer, &pairs, &mut |a, b, score| {
                    hits.push(Hit::new(a, b, score));
                });
                hits
            })
            .collect();
        self.extend(lists);
    }

    /// All pairs in order, those linked by key among them and those in conflict not, and how many
    /// different pairs were found.
    pub fn finish(mut self, linked: &Linked, scorer: &Scorer<'_>) -> (Vec<ScoredPair>, u64) {
        self.compare_put_by(scorer);
        let slabs: Vec<(Vec<ScoredPair>, u64)> = ordered(self.lists, self.rows_a)
            .into_par_iter()
            .enumerate()
            .map(|(slab, hits)| merged(slab, &hits, linked, scorer))
            .collect();
        let distinct = slabs.iter().map(|slab| slab.1).sum();
        let mut pairs = Vec::with_capacity(slabs.iter().map(|slab| slab.0.len()).sum());
        for (slab, _) in slabs {
            pairs.extend(slab);
        }
        (pairs, distinct)
    }
}

/// One slab's pairs, those linked by key among them, and the number of different pairs compared.
fn merged(
    slab: usize,
    hits: &[Hit],
    linked: &Linked,
    scorer: &Scorer<'_>,
) -> (Vec<ScoredPair>, u64) {
    let range = slab_pairs(slab);
    let links = linked.links_in(&range);
    let mut pairs = Vec::with_capacity(hits.len() + links.len() / 8);
    let mut distinct = 0;
    let (mut hits, mut links) = (hits.iter().peekable(), links.iter().peekable());
    loop {
        let next = match (hits.peek(), links.peek()) {
            (Some(hit), Some(link)) => hit.pair.min(link.pair),
            (Some(hit), None) => hit.pair,
            (None, Some(link)) => link.pair,
            (None, None) => break,
        };
        let hit = hits.next_if(|hit| hit.pair == next);
        let link: Option<&LinkedPair> = links.next_if(|link| link.pair == next);
        let (a, b) = unpack(next);
        if linked.in_conflict((a, b)) {
            continue;
        }
        distinct += 1;
        let score = hit.map_or_else(|| scorer.pair(a, b), |hit| hit.score);
        if score > 0.0 || link.is_some() {
            pairs.push(ScoredPair {
                a,
                b,
                link_rule: link.map(|link| link.rule),
                score,
            });
        }
    }
    (pairs, distinct)
}
