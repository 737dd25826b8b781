//! Union-find over numbered records.

#![allow(
    clippy::indexing_slicing,
    reason = "nodes are below the count given at the start; a parent is a node"
)]

/// Pairs whose parents are read ahead: more than a core has memory reads under way.
const GROUP: usize = 32;

/// Disjoint sets of the nodes 0 to n - 1, four bytes a node. The smallest node of a set is its
/// root, so that the roots say nothing of the order in which sets were joined.
#[derive(Debug)]
pub struct Components {
    parent: Vec<u32>,
}

impl Components {
    /// Every node by itself.
    pub fn new(nodes: u32) -> Self {
        Self {
            parent: (0..nodes).collect(),
        }
    }

    /// The root of a node's set; path halving (Tarjan and van Leeuwen 1984).
    #[inline]
    pub fn root(&mut self, mut node: u32) -> u32 {
        loop {
            let up = self.parent[node as usize];
            if up == node {
                return node;
            }
            let above = self.parent[up as usize];
            self.parent[node as usize] = above;
            node = above;
        }
    }

    /// Makes one set of two roots; answers the new root.
    #[inline]
    pub fn join_roots(&mut self, x: u32, y: u32) -> u32 {
        let (low, high) = if x < y { (x, y) } else { (y, x) };
        self.parent[high as usize] = low;
        low
    }

    /// Makes one set of two nodes' sets; answers the new root.
    #[inline]
    pub fn join(&mut self, x: u32, y: u32) -> u32 {
        let (x, y) = (self.root(x), self.root(y));
        self.join_roots(x, y)
    }

    /// Makes one set of the two nodes of every pair. Of a group of pairs the parents are read
    /// first: they lie all over the memory, and so are fetched from it at the same time.
    pub fn join_all(&mut self, pairs: impl IntoIterator<Item = (u32, u32)>) {
        let mut pairs = pairs.into_iter();
        let mut group = [(0, 0); GROUP];
        loop {
            let mut count = 0;
            let mut read = 0;
            for (slot, (x, y)) in group.iter_mut().zip(&mut pairs) {
                *slot = (x, y);
                read ^= self.parent[x as usize] ^ self.parent[y as usize];
                count += 1;
            }
            // Keeps the reads, whose result nobody needs.
            std::hint::black_box(read);
            for (x, y) in &group[..count] {
                self.join(*x, *y);
            }
            if count < GROUP {
                return;
            }
        }
    }

    /// Number of nodes.
    pub fn nodes(&self) -> u32 {
        self.parent.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn joined_together_is_joined_one_by_one(
            pairs in prop::collection::vec((0_u32..200, 0_u32..200), 0..150),
        ) {
            let (mut together, mut one_by_one) = (Components::new(200), Components::new(200));
            together.join_all(pairs.iter().copied());
            for (x, y) in pairs {
                one_by_one.join(x, y);
            }
            for node in 0..200 {
                prop_assert_eq!(together.root(node), one_by_one.root(node));
            }
        }
    }
}
