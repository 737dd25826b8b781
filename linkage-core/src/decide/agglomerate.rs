//! Clusters where an owner may have several records of an entity.
//!
//! Joining whatever a link connects (connected components) chains strangers together: one wrong
//! link makes all pairs of two clusters wrong. So clusters are joined as wholes: the two whose mean
//! weight over all pairs of their records is largest, as long as it is positive (average linkage,
//! Sokal and Michener 1958, on a sparse graph). A pair's weight is its agreement above the
//! threshold; a pair that was not found similar at all has the weight of strangers.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use rayon::prelude::*;

use super::cluster::Apart;
use super::clusters::Clusters;
use super::components::Components;
use super::records::Records;

/// Weight of a pair that shares a link key, at least: such a pair is linked whatever its tokens,
/// and outweighs as many pairs of strangers as a pair in full agreement does.
const KEYED: f32 = 0.25;

/// Collects weighted pairs, 12 bytes each, and makes clusters of them.
#[derive(Debug)]
pub struct Agglomeration {
    rows: Vec<usize>,
    records: Records,
    pairs: Vec<Edge>,
    /// The owner of whom a cluster has at most one record.
    single: Option<usize>,
}

/// Two records, the lower number first, and the weight of their pair.
type Edge = (u32, u32, f32);

impl Agglomeration {
    /// No pairs yet among owners with so many records; a cluster has at most one record of owner
    /// `single`.
    pub fn new(rows: &[usize], single: Option<usize>) -> Self {
        Self {
            rows: rows.to_vec(),
            records: Records::new(rows),
            pairs: Vec::new(),
            single,
        }
    }

    /// Adds a pair: its agreement less the threshold, and whether it shares a link key. One with a
    /// record that is not there is ignored.
    pub fn pair(
        &mut self,
        (owner_a, a): (usize, u32),
        (owner_b, b): (usize, u32),
        above: f64,
        keyed: bool,
    ) {
        if let Some((x, y)) = self.records.pair((owner_a, a, owner_b, b)) {
            let weight = above as f32;
            let weight = if keyed { weight.max(KEYED) } else { weight };
            self.pairs.push((x, y, weight));
        }
    }

    /// Keeps two records apart, whatever speaks for them.
    pub fn keep_apart(&mut self, pair: &Apart) {
        let ends = (pair.owner_a, pair.a, pair.owner_b, pair.b);
        let ends = self.records.pair(ends);
        self.pairs
            .extend(ends.map(|(x, y)| (x, y, f32::NEG_INFINITY)));
    }

    /// The clusters. `missing` is the weight of a pair that was not added, 0 or less: strangers'
    /// agreement less the threshold.
    pub fn into_clusters(mut self, missing: f64) -> Clusters {
        self.pairs
            .par_sort_unstable_by(|x, y| (x.0, x.1).cmp(&(y.0, y.1)).then(x.2.total_cmp(&y.2)));
        // A pair in conflict comes first of its kind and stays.
        self.pairs.dedup_by_key(|(x, y, _)| (*x, *y));
        let mut components = Components::new(self.records.count());
        let linked = self.pairs.iter().filter(|pair| pair.2 > 0.0);
        components.join_all(linked.map(|(x, y, _)| (*x, *y)));
        let (mut edges, mut links) = (Vec::new(), 0_u64);
        for (x, y, weight) in self.pairs.drain(..) {
            links += u64::from(weight > 0.0);
            let root = components.root(x);
            if root == components.root(y) {
                edges.push((root, x, y, weight));
            }
        }
        self.pairs = Vec::new();
        edges.par_sort_by_key(|edge| edge.0);
        let of_single = |record: u32| self.single == Some(self.records.owner(record));
        let joins: Vec<Vec<(u32, u32)>> = edges
            .par_chunk_by(|x, y| x.0 == y.0)
            .map(|component| Component::new(component, missing.min(0.0), &of_single).joins())
            .collect();
        let mut clusters = Components::new(self.records.count());
        clusters.join_all(joins.into_iter().flatten());
        let within = |edge: &(u32, u32, u32, f32)| edge.3 > 0.0;
        let mut kept = 0;
        for (_, x, y, _) in edges.iter().filter(|edge| within(edge)) {
            kept += u64::from(clusters.root(*x) == clusters.root(*y));
        }
        Clusters::of_components(&mut clusters, &self.rows, links - kept)
    }
}

/// One connected component in the making.
struct Component {
    /// Records by local number, ascending.
    records: Vec<u32>,
    /// By cluster (numbered as one of its records), its size; 0 once it is part of another.
    sizes: Vec<u32>,
    /// By cluster, whether it has a record of the owner that may have one only.
    single: Vec<bool>,
    /// By cluster, the clusters that it has pairs with: sum of their weights and their number.
    neighbours: Vec<BTreeMap<u32, (f64, u32)>>,
    missing: f64,
    heap: BinaryHeap<Proposal>,
}

/// Two clusters to join, as they were when it was made.
#[derive(Debug, PartialEq)]
struct Proposal {
    mean: f64,
    pair: (u32, u32),
    sizes: (u32, u32),
}

impl Eq for Proposal {}

impl Ord for Proposal {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_mean = self.mean.total_cmp(&other.mean);
        by_mean
            .then(Reverse(self.pair).cmp(&Reverse(other.pair)))
            .then(self.sizes.cmp(&other.sizes))
    }
}

impl PartialOrd for Proposal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Component {
    fn new(edges: &[(u32, u32, u32, f32)], missing: f64, single: &dyn Fn(u32) -> bool) -> Self {
        let mut records: Vec<u32> = edges.iter().flat_map(|edge| [edge.1, edge.2]).collect();
        records.sort_unstable();
        records.dedup();
        let mut neighbours = vec![BTreeMap::new(); records.len()];
        let local = |record: u32| records.partition_point(|known| *known < record);
        for (_, x, y, weight) in edges {
            let (x, y) = (local(*x), local(*y));
            for (from, to) in [(x, y), (y, x)] {
                if let Some(of) = neighbours.get_mut(from) {
                    of.insert(to as u32, (f64::from(*weight), 1));
                }
            }
        }
        let mut component = Self {
            sizes: vec![1; records.len()],
            single: records.iter().map(|record| single(*record)).collect(),
            records,
            neighbours,
            missing,
            heap: BinaryHeap::new(),
        };
        for cluster in 0..component.records.len() as u32 {
            component.propose(cluster, true);
        }
        component
    }

    /// Agglomerates; the answer is which records' clusters are joined.
    fn joins(mut self) -> Vec<(u32, u32)> {
        let mut joins = Vec::new();
        while let Some(best) = self.heap.pop() {
            let (x, y) = best.pair;
            let gone = best.sizes != (self.size(x), self.size(y));
            if gone || self.is_single(x) && self.is_single(y) {
                continue;
            }
            let records = self
                .records
                .get(x as usize)
                .zip(self.records.get(y as usize));
            joins.extend(records.map(|(x, y)| (*x, *y)));
            let degree = |cluster: u32| {
                self.neighbours
                    .get(cluster as usize)
                    .map_or(0, BTreeMap::len)
            };
            let (into, from) = if degree(x) >= degree(y) {
                (x, y)
            } else {
                (y, x)
            };
            self.absorb(into, from);
            self.propose(into, false);
        }
        joins
    }

    /// Proposes to join a cluster with each neighbour, or with the later ones only.
    fn propose(&mut self, cluster: u32, later: bool) {
        let Some(neighbours) = self.neighbours.get(cluster as usize) else {
            return;
        };
        for (other, (sum, count)) in neighbours {
            let pair = (cluster.min(*other), cluster.max(*other));
            let sizes = (self.size(pair.0), self.size(pair.1));
            let all = f64::from(sizes.0) * f64::from(sizes.1);
            let mean = (sum + self.missing * (all - f64::from(*count))) / all;
            if mean > 0.0 && (!later || *other > cluster) {
                self.heap.push(Proposal { mean, pair, sizes });
            }
        }
    }

    fn absorb(&mut self, into: u32, from: u32) {
        let moved = self.neighbours.get_mut(from as usize).map(std::mem::take);
        for (other, (sum, count)) in moved.unwrap_or_default() {
            if let Some(of) = self.neighbours.get_mut(other as usize) {
                of.remove(&from);
            }
            if other == into {
                continue;
            }
            for (one, two) in [(into, other), (other, into)] {
                if let Some(of) = self.neighbours.get_mut(one as usize) {
                    let entry = of.entry(two).or_insert((0.0, 0));
                    *entry = (entry.0 + sum, entry.1 + count);
                }
            }
        }
        let (size, single) = (self.size(from), self.is_single(from));
        if let Some(kept) = self.sizes.get_mut(into as usize) {
            *kept += size;
        }
        if let Some(gone) = self.sizes.get_mut(from as usize) {
            *gone = 0;
        }
        if let Some(kept) = self.single.get_mut(into as usize) {
            *kept |= single;
        }
    }

    fn size(&self, cluster: u32) -> u32 {
        self.sizes.get(cluster as usize).copied().unwrap_or(0)
    }

    fn is_single(&self, cluster: u32) -> bool {
        self.single.get(cluster as usize).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Pairs = Vec<(u32, u32, f64)>;

    fn agglomerate(rows: usize, pairs: &Pairs, missing: f64) -> Clusters {
        let mut made = Agglomeration::new(&[rows], None);
        for (a, b, above) in pairs {
            made.pair((0, *a), (0, *b), *above, false);
        }
        made.into_clusters(missing)
    }

    fn pairs() -> impl Strategy<Value = Pairs> {
        let pair = (0_u32..12, 0_u32..12, -20_i8..20)
            .prop_map(|(a, b, above)| (a, b, f64::from(above) / 64.0));
        prop::collection::vec(pair, 0..40)
    }

    /// Average linkage as the definition says it: the best pair of clusters, again and again.
    fn by_definition(rows: u32, pairs: &Pairs, missing: f64) -> Vec<Vec<u32>> {
        let weight = |x: u32, y: u32| {
            let found = pairs
                .iter()
                .filter(|(a, b, _)| a != b && (*a, *b).min((*b, *a)) == (x.min(y), x.max(y)));
            found.map(|pair| pair.2).reduce(f64::min).unwrap_or(missing)
        };
        let mut clusters: Vec<Vec<u32>> = (0..rows).map(|row| vec![row]).collect();
        loop {
            let mut best = (0.0, 0, 0);
            for (i, one) in clusters.iter().enumerate() {
                for (j, two) in clusters.iter().enumerate().skip(i + 1) {
                    let all = one.iter().flat_map(|x| two.iter().map(|y| weight(*x, *y)));
                    let mean = all.sum::<f64>() / (one.len() * two.len()) as f64;
                    if mean > best.0 {
                        best = (mean, i, j);
                    }
                }
            }
            if best.0 <= 0.0 {
                return clusters;
            }
            let moved = clusters.remove(best.2);
            clusters[best.1].extend(moved);
        }
    }

    proptest! {
        #[test]
        fn it_is_average_linkage(pairs in pairs(), jitter in prop::collection::vec(0_u32..4096, 40)) {
            // Agreements apart from each other, so that no tie is broken in another order.
            let pairs: Pairs = pairs
                .into_iter()
                .zip(jitter)
                .map(|((a, b, above), jitter)| (a, b, above + f64::from(jitter) / 524_288.0))
                .collect();
            let clusters = agglomerate(12, &pairs, -0.125);
            let mut marks = vec![0; 12];
            for (number, members) in (0_u32..).zip(by_definition(12, &pairs, -0.125)) {
                members.iter().for_each(|row| marks[*row as usize] = number);
            }
            prop_assert!(clusters.same_partition(&Clusters::from_marks(&[marks])));
        }

        #[test]
        fn neither_order_nor_threads_matter(pairs in pairs(), seed in any::<u64>()) {
            use rand::{SeedableRng, seq::SliceRandom};
            let mut shuffled = pairs.clone();
            shuffled.shuffle(&mut rand_chacha::ChaCha20Rng::seed_from_u64(seed));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
            let other = pool.install(|| agglomerate(12, &shuffled, -0.1));
            prop_assert_eq!(agglomerate(12, &pairs, -0.1), other);
        }

        #[test]
        fn an_owner_with_single_records_keeps_them_apart(pairs in pairs()) {
            let mut made = Agglomeration::new(&[12, 12], Some(1));
            for (a, b, above) in &pairs {
                made.pair((0, *a), (1, *b), *above, above > &0.2);
                made.pair((0, *a), (0, *b), -above, false);
                made.pair((1, *a), (1, *b), above.abs(), false);
            }
            let clusters = made.into_clusters(0.0);
            let mut single = clusters.owners().nth(1).unwrap().to_vec();
            single.sort_unstable();
            single.dedup();
            prop_assert_eq!(single.len(), 12);
        }
    }

    #[test]
    fn one_wrong_link_does_not_chain_two_clusters() {
        let mut pairs: Pairs = vec![(2, 3, 0.1)];
        for (x, y) in [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5)] {
            pairs.push((x, y, 0.2));
        }
        let clusters = agglomerate(6, &pairs, -0.1);
        assert_eq!((clusters.sizes()[2], clusters.count()), (2, 2));
        assert_eq!(clusters.refused(), 1);
    }

    #[test]
    fn records_in_conflict_stay_apart_even_in_a_crowd() {
        let mut made = Agglomeration::new(&[3, 1], None);
        for (x, y) in [(0, 1), (0, 2), (1, 2)] {
            made.pair((0, x), (0, y), 0.3, true);
            made.pair((0, x), (1, 0), 0.3, true);
        }
        made.pair((0, 2), (1, 0), 0.3, false);
        made.keep_apart(&Apart {
            owner_a: 1,
            a: 0,
            owner_b: 0,
            b: 2,
        });
        let clusters = made.into_clusters(-0.1);
        let of: Vec<Vec<u32>> = clusters.owners().map(<[u32]>::to_vec).collect();
        assert_ne!(of[0][2], of[1][0]);
        assert_eq!(clusters.count(), 2);
    }

    #[test]
    fn records_that_are_not_there_are_ignored() {
        let mut made = Agglomeration::new(&[2], None);
        made.pair((0, 0), (0, 9), 0.3, true);
        made.pair((4, 0), (0, 1), 0.3, true);
        made.pair((0, 1), (0, 1), 0.3, true);
        assert_eq!(made.into_clusters(0.0).count(), 2);
    }
}
