//! Clusters across all owners, with at most one record per owner.

use std::collections::HashMap;

/// A link between two owners' records.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// Index of the one owner.
    pub owner_a: usize,
    /// Its record's row.
    pub a: u32,
    /// Index of the other owner.
    pub owner_b: usize,
    /// Its record's row.
    pub b: u32,
    /// The link-key rule that made the link, if one did.
    pub link_rule: Option<u8>,
    /// Agreement of the tokens.
    pub score: f64,
}

/// Two owners' records that are not one person's whatever their tokens say: an identity conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apart {
    /// Index of the one owner.
    pub owner_a: usize,
    /// Its record's row.
    pub a: u32,
    /// Index of the other owner.
    pub owner_b: usize,
    /// Its record's row.
    pub b: u32,
}

/// A partition of all records: every record is in exactly one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    /// Cluster number by owner and row; numbers are dense from 0.
    of: Vec<Vec<u32>>,
    count: u32,
    refused: u64,
}

impl Clusters {
    /// The partition in which records with equal marks are one cluster; `marks` by owner and row.
    pub fn from_marks(marks: &[Vec<u32>]) -> Self {
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        let of = marks
            .iter()
            .map(|owner| {
                let number = |mark: &u32| {
                    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                    *numbers.entry(*mark).or_insert(next)
                };
                owner.iter().map(number).collect()
            })
            .collect();
        Self {
            of,
            count: u32::try_from(numbers.len()).unwrap_or(u32::MAX),
            refused: 0,
        }
    }

    /// Whether two partitions of the same records are the same, whatever their numbering.
    pub fn same_partition(&self, other: &Self) -> bool {
        Self::from_marks(&self.of).of == Self::from_marks(&other.of).of
    }

    /// Cluster numbers of each owner's records, in row order.
    pub fn owners(&self) -> impl Iterator<Item = &[u32]> {
        self.of.iter().map(Vec::as_slice)
    }

    /// Number of clusters, records without links included.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Links that would have put two records of one owner, or two in conflict, into one cluster and
    /// were refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Number of clusters of each size; index 0 counts the clusters of one record.
    pub fn sizes(&self) -> Vec<u64> {
        let mut members = vec![0_usize; self.count as usize];
        for cluster in self.of.iter().flatten() {
            if let Some(count) = members.get_mut(*cluster as usize) {
                *count += 1;
            }
        }
        let mut sizes = vec![0; self.of.len()];
        for size in members {
            if let Some(count) = size.checked_sub(1).and_then(|at| sizes.get_mut(at)) {
                *count += 1;
            }
        }
        sizes
    }
}

/// Joins records along `links`, best first (link keys by precision, then falling agreement),
/// refusing a link whose two clusters already have a record of the same owner or hold the two
/// records of a pair in `apart`. `rows` is each owner's number of records. For two owners this is
/// the greedy one-to-one assignment; the result depends on nothing but the links.
pub fn cluster(rows: &[usize], links: &[Link], apart: &[Apart]) -> Clusters {
    let mut order: Vec<&Link> = links.iter().collect();
    order.sort_unstable_by(|x, y| {
        let rank = |link: &Link| link.link_rule.map_or(u16::MAX, u16::from);
        let place = |link: &Link| (link.owner_a, link.a, link.owner_b, link.b);
        rank(x)
            .cmp(&rank(y))
            .then(y.score.total_cmp(&x.score))
            .then(place(x).cmp(&place(y)))
    });
    let mut forest = Forest::new(rows);
    for pair in apart {
        let ends = forest
            .node(pair.owner_a, pair.a)
            .zip(forest.node(pair.owner_b, pair.b));
        if let Some((x, y)) = ends {
            forest.apart.entry(x).or_default().push(y);
            forest.apart.entry(y).or_default().push(x);
        }
    }
    let mut refused = 0;
    for link in order {
        let ends = forest
            .node(link.owner_a, link.a)
            .zip(forest.node(link.owner_b, link.b));
        if let Some((x, y)) = ends
            && !forest.join(x, y)
        {
            refused += 1;
        }
    }
    forest.into_clusters(rows, refused)
}

/// Union-find with path halving; each root knows its cluster's records, smallest cluster first
/// joined into the larger.
struct Forest {
    first: Vec<usize>,
    total: usize,
    parent: Vec<usize>,
    owners: Vec<Vec<usize>>,
    /// By root, the records that none of its cluster may be joined with.
    apart: HashMap<usize, Vec<usize>>,
}

impl Forest {
    fn new(rows: &[usize]) -> Self {
        let mut first = Vec::with_capacity(rows.len());
        let mut owners = Vec::new();
        for (owner, rows) in rows.iter().enumerate() {
            first.push(owners.len());
            owners.extend(std::iter::repeat_n(vec![owner], *rows));
        }
        let total = owners.len();
        Self {
            first,
            total,
            parent: (0..total).collect(),
            owners,
            apart: HashMap::new(),
        }
    }

    fn node(&self, owner: usize, row: u32) -> Option<usize> {
        let node = self.first.get(owner)? + row as usize;
        let end = self.first.get(owner + 1).copied().unwrap_or(self.total);
        (node < end).then_some(node)
    }

    fn root(&mut self, mut node: usize) -> usize {
        while let Some(&up) = self.parent.get(node)
            && up != node
        {
            let above = self.parent.get(up).copied().unwrap_or(up);
            if let Some(slot) = self.parent.get_mut(node) {
                *slot = above;
            }
            node = above;
        }
        node
    }

    /// Joins two records' clusters; `false` if that would bring two records of one owner, or two
    /// that are to stay apart, together.
    fn join(&mut self, x: usize, y: usize) -> bool {
        let (mut x, mut y) = (self.root(x), self.root(y));
        if x == y {
            return true;
        }
        let size = |node: usize| self.owners.get(node).map_or(0, Vec::len);
        if size(x) < size(y) {
            std::mem::swap(&mut x, &mut y);
        }
        let strangers = self.apart.remove(&y).unwrap_or_default();
        if strangers.iter().any(|stranger| self.root(*stranger) == x) {
            self.apart.insert(y, strangers);
            return false;
        }
        let moved = self
            .owners
            .get_mut(y)
            .map(std::mem::take)
            .unwrap_or_default();
        let Some(kept) = self.owners.get_mut(x) else {
            return false;
        };
        if moved.iter().any(|owner| kept.contains(owner)) {
            if let Some(slot) = self.owners.get_mut(y) {
                *slot = moved;
            }
            self.apart.insert(y, strangers);
            return false;
        }
        kept.extend(moved);
        if !strangers.is_empty() {
            self.apart.entry(x).or_default().extend(strangers);
        }
        if let Some(slot) = self.parent.get_mut(y) {
            *slot = x;
        }
        true
    }

    fn into_clusters(mut self, rows: &[usize], refused: u64) -> Clusters {
        let mut number = vec![None; self.total];
        let mut count = 0;
        let mut of = Vec::with_capacity(rows.len());
        for (owner, rows) in rows.iter().enumerate() {
            let first = self.first.get(owner).copied().unwrap_or(0);
            let numbers = (first..first + rows).map(|node| {
                let root = self.root(node);
                let slot = number.get_mut(root)?;
                Some(*slot.get_or_insert_with(|| {
                    count += 1;
                    count - 1
                }))
            });
            of.push(numbers.map(|n| n.unwrap_or(0)).collect());
        }
        Clusters { of, count, refused }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn links(owners: usize) -> impl Strategy<Value = Vec<Link>> {
        let link = (0..owners, 0_u32..8, 0..owners, 0_u32..8, 0_u32..10).prop_map(
            |(owner_a, a, owner_b, b, score)| Link {
                owner_a,
                a,
                owner_b,
                b,
                link_rule: (score == 9).then_some(0),
                score: f64::from(score) / 10.0,
            },
        );
        prop::collection::vec(link, 0..60)
    }

    proptest! {
        #[test]
        fn a_cluster_has_at_most_one_record_per_owner(links in links(5)) {
            let clusters = cluster(&[8; 5], &links, &[]);
            for owner in clusters.owners() {
                let distinct: BTreeSet<_> = owner.iter().collect();
                prop_assert_eq!(distinct.len(), owner.len());
            }
            let all: BTreeSet<_> = clusters.owners().flatten().copied().collect();
            prop_assert_eq!(all.len(), clusters.count() as usize);
            prop_assert_eq!(clusters.sizes().iter().sum::<u64>(), u64::from(clusters.count()));
        }

        #[test]
        fn the_order_of_links_does_not_matter(links in links(4), seed in any::<u64>()) {
            use rand::{SeedableRng, seq::SliceRandom};
            let mut shuffled = links.clone();
            shuffled.shuffle(&mut rand_chacha::ChaCha20Rng::seed_from_u64(seed));
            prop_assert_eq!(cluster(&[8; 4], &links, &[]), cluster(&[8; 4], &shuffled, &[]));
        }

        #[test]
        fn with_two_owners_it_is_the_one_to_one_assignment(links in links(2)) {
            let links: Vec<_> = links
                .into_iter()
                .map(|link| Link { owner_a: 0, owner_b: 1, ..link })
                .collect();
            let pairs: Vec<_> = links
                .iter()
                .map(|l| crate::candidates::ScoredPair {
                    a: l.a,
                    b: l.b,
                    link_rule: l.link_rule,
                    score: l.score,
                })
                .collect();
            let chosen: BTreeSet<_> =
                super::super::one_to_one(&pairs, 8, 8).iter().map(|p| (p.a, p.b)).collect();
            let clusters = cluster(&[8, 8], &links, &[]);
            let of: Vec<_> = clusters.owners().collect();
            let mut joined = BTreeSet::new();
            for a in 0..8_u32 {
                for b in 0..8_u32 {
                    if of[0][a as usize] == of[1][b as usize] {
                        joined.insert((a, b));
                    }
                }
            }
            prop_assert_eq!(joined, chosen);
        }
    }

    #[test]
    fn a_link_to_a_record_that_is_not_there_is_ignored() {
        let stray = Link {
            owner_a: 0,
            a: 9,
            owner_b: 7,
            b: 0,
            link_rule: None,
            score: 1.0,
        };
        assert_eq!(cluster(&[2, 2], &[stray], &[]).count(), 4);
    }

    #[test]
    fn records_in_conflict_stay_apart_across_a_third_owner() {
        let link = |owner_a, owner_b, score| Link {
            owner_a,
            a: 0,
            owner_b,
            b: 0,
            link_rule: None,
            score,
        };
        let links = [link(0, 1, 0.9), link(1, 2, 0.8)];
        assert_eq!(cluster(&[1; 3], &links, &[]).count(), 1);
        let apart = Apart {
            owner_a: 2,
            a: 0,
            owner_b: 0,
            b: 0,
        };
        let clusters = cluster(&[1; 3], &links, &[apart]);
        assert_eq!((clusters.count(), clusters.refused()), (2, 1));
    }
}
