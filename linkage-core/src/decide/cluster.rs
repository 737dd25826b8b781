//! Clusters across all owners, with at most one record per owner.

use std::collections::HashMap;

use rayon::prelude::*;

use super::clusters::Clusters;
use super::components::Components;
use super::records::Records;

/// A link between two records.
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

/// Two records that are not one person's whatever their tokens say: an identity conflict.
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

/// Links held before those that say nothing new are forgotten: 1 GiB of them.
const LINKS_HELD: usize = 1 << 26;

/// Joins records along `links`, best first (link keys by precision, then falling agreement),
/// refusing a link whose two clusters already have a record of the same owner or hold the two
/// records of a pair in `apart`. `rows` is each owner's number of records. For two owners this is
/// the greedy one-to-one assignment; the result depends on nothing but the links.
pub fn cluster(rows: &[usize], links: &[Link], apart: &[Apart]) -> Clusters {
    let mut linker = Linker::new(rows);
    apart.iter().for_each(|pair| linker.keep_apart(pair));
    links.iter().for_each(|link| linker.link(link));
    linker.into_clusters()
}

/// Collects the links of many pairs of owners for [`cluster`], 16 bytes each.
///
/// Up to 2^26 links the result is that of [`cluster`]. Beyond, memory stays bounded: whenever as
/// many have come together, clusters are made of them, and a link between two records that better
/// links have joined already is forgotten. It would have counted only if a link found later broke
/// up that cluster, and not the link itself.
#[derive(Debug)]
pub struct Linker {
    rows: Vec<usize>,
    records: Records,
    links: Vec<Ranked>,
    apart: Vec<(u32, u32)>,
    held_max: usize,
}

/// Rank, lower first, and the two records, the lower number first.
type Ranked = (u64, u32, u32);

impl Linker {
    /// No links yet among owners with so many records.
    pub fn new(rows: &[usize]) -> Self {
        Self::holding(rows, LINKS_HELD)
    }

    fn holding(rows: &[usize], held_max: usize) -> Self {
        Self {
            rows: rows.to_vec(),
            records: Records::new(rows),
            links: Vec::new(),
            apart: Vec::new(),
            held_max,
        }
    }

    /// Adds a link; one to a record that is not there is ignored.
    pub fn link(&mut self, link: &Link) {
        let ends = (link.owner_a, link.a, link.owner_b, link.b);
        if let Some((x, y)) = self.records.pair(ends) {
            self.links.push((rank(link.link_rule, link.score), x, y));
            if self.links.len() >= self.held_max {
                self.forget();
            }
        }
    }

    /// Keeps two records apart, whatever links come.
    pub fn keep_apart(&mut self, pair: &Apart) {
        let ends = (pair.owner_a, pair.a, pair.owner_b, pair.b);
        self.apart.extend(self.records.pair(ends));
    }

    /// The clusters.
    pub fn into_clusters(mut self) -> Clusters {
        self.links.par_sort_unstable();
        let mut forest = Forest::new(&self.records, &self.apart);
        let joins = self.links.iter().map(|(_, x, y)| forest.join(*x, *y));
        let refused = joins.filter(|join| *join == Join::Refused).count() as u64;
        drop(self.links);
        Clusters::of_components(&mut forest.components, &self.rows, refused)
    }

    fn forget(&mut self) {
        self.links.par_sort_unstable();
        let mut forest = Forest::new(&self.records, &self.apart);
        self.links
            .retain(|(_, x, y)| forest.join(*x, *y) != Join::Already);
        // Where little can be forgotten, trying more often would cost time and gain nothing.
        self.held_max = self.held_max.max(2 * self.links.len());
    }
}

/// Orders links as [`super::one_to_one`] orders pairs: by rule, then by falling agreement. Bits of
/// numbers from 0 to 1 are in their order and below 2^62; link keys leave room for the rule by
/// dropping the last eight bits, which is 2^-44 of an agreement.
fn rank(link_rule: Option<u8>, score: f64) -> u64 {
    let tokens = 1_u64 << 62;
    // What is no number counts as no agreement.
    let score = if score > 0.0 { score.min(1.0) } else { 0.0 };
    let falling = tokens - 1 - score.to_bits();
    match link_rule {
        Some(rule) => u64::from(rule) << 54 | falling >> 8,
        None => tokens | falling,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    /// Two clusters became one.
    Made,
    /// The two records were in one cluster before.
    Already,
    /// One owner's records, or two in conflict, would have come together.
    Refused,
}

/// Clusters in the making.
struct Forest {
    components: Components,
    /// By root, a bit for each owner that the cluster has a record of; `width` bytes each.
    owners: Vec<u8>,
    width: usize,
    /// By root, the records that none of its cluster may be joined with.
    apart: HashMap<u32, Vec<u32>>,
}

impl Forest {
    fn new(records: &Records, apart: &[(u32, u32)]) -> Self {
        let width = records.owners().div_ceil(8);
        let mut owners = vec![0; records.count() as usize * width];
        let mut sets = owners.chunks_exact_mut(width.max(1));
        for (owner, rows) in records.rows().enumerate() {
            for set in sets.by_ref().take(rows) {
                if let Some(byte) = set.get_mut(owner / 8) {
                    *byte = 1 << (owner % 8);
                }
            }
        }
        let mut strangers: HashMap<u32, Vec<u32>> = HashMap::new();
        for (x, y) in apart {
            strangers.entry(*x).or_default().push(*y);
            strangers.entry(*y).or_default().push(*x);
        }
        Self {
            components: Components::new(records.count()),
            owners,
            width,
            apart: strangers,
        }
    }

    fn join(&mut self, x: u32, y: u32) -> Join {
        let (x, y) = (self.components.root(x), self.components.root(y));
        if x == y {
            return Join::Already;
        }
        if self.share_an_owner(x, y) || self.in_conflict(x, y) {
            return Join::Refused;
        }
        let root = self.components.join_roots(x, y);
        let other = if root == x { y } else { x };
        let (to, from) = (self.set(root), self.set(other));
        for (to, from) in to.zip(from) {
            let more = self.owners.get(from).copied().unwrap_or(0);
            if let Some(byte) = self.owners.get_mut(to) {
                *byte |= more;
            }
        }
        if let Some(strangers) = self.apart.remove(&other) {
            self.apart.entry(root).or_default().extend(strangers);
        }
        Join::Made
    }

    fn set(&self, root: u32) -> std::ops::Range<usize> {
        let start = root as usize * self.width;
        start..start + self.width
    }

    fn share_an_owner(&self, x: u32, y: u32) -> bool {
        let (x, y) = (self.owners.get(self.set(x)), self.owners.get(self.set(y)));
        let (x, y) = (x.unwrap_or(&[]), y.unwrap_or(&[]));
        x.iter().zip(y).any(|(x, y)| x & y != 0)
    }

    fn in_conflict(&mut self, x: u32, y: u32) -> bool {
        if self.apart.is_empty() {
            return false;
        }
        // The notes are mutual: those of the cluster that has fewer will do.
        let notes = |root: &u32| self.apart.get(root).map_or(0, Vec::len);
        let (one, other) = if notes(&x) <= notes(&y) {
            (x, y)
        } else {
            (y, x)
        };
        let strangers = self.apart.get(&one).map_or(&[][..], Vec::as_slice);
        let components = &mut self.components;
        strangers
            .iter()
            .any(|record| components.root(*record) == other)
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

    proptest! {
        #[test]
        fn links_are_ranked_by_rule_then_agreement(
            x in (prop::option::of(any::<u8>()), 0.0_f64..=1.0),
            y in (prop::option::of(any::<u8>()), 0.0_f64..=1.0),
        ) {
            let key = |(rule, score): (Option<u8>, f64)| (rule.map_or(256, u16::from), -score);
            let by_rank = rank(x.0, x.1) < rank(y.0, y.1);
            // Equal to the last bits, keyed links may tie.
            if key(x).0 != key(y).0 || x.0.is_none() || (x.1 - y.1).abs() > 1e-12 {
                prop_assert_eq!(by_rank, key(x) < key(y));
            }
        }

        #[test]
        fn links_that_agree_among_themselves_may_be_forgotten(
            entities in prop::collection::vec(0_u32..6, 40),
        ) {
            // Eight owners of five records each; every pair of one entity's records is linked.
            let rows = [5_usize; 8];
            let record = |at: usize| (at / 5, u32::try_from(at % 5).unwrap());
            let (mut all, mut few) = (Linker::new(&rows), Linker::holding(&rows, 8));
            for (x, one) in entities.iter().enumerate() {
                for (y, other) in entities.iter().enumerate().skip(x + 1) {
                    let ((owner_a, a), (owner_b, b)) = (record(x), record(y));
                    // Of several records of one owner, the first is the entity's.
                    let first = |at: usize| {
                        let start = at / 5 * 5;
                        entities[start..at].iter().all(|entity| entity != &entities[at])
                    };
                    if one == other && owner_a != owner_b && first(x) && first(y) {
                        let score = f64::from((a * 7 + b * 3) % 10) / 10.0;
                        let link = Link { owner_a, a, owner_b, b, link_rule: None, score };
                        all.link(&link);
                        few.link(&link);
                    }
                }
            }
            prop_assert_eq!(few.into_clusters(), all.into_clusters());
        }
    }

    #[test]
    fn forgetting_bounds_what_is_held() {
        let rows = [1_usize; 60];
        let mut linker = Linker::holding(&rows, 100);
        for owner_a in 0..60 {
            for owner_b in owner_a + 1..60 {
                let score = 0.5;
                linker.link(&Link {
                    owner_a,
                    a: 0,
                    owner_b,
                    b: 0,
                    link_rule: None,
                    score,
                });
                assert!(linker.links.len() < 200);
            }
        }
        let clusters = linker.into_clusters();
        assert_eq!((clusters.count(), clusters.refused()), (1, 0));
        assert_eq!(clusters.sizes().last(), Some(&1));
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
