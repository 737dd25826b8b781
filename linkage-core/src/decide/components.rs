//! Union-find over numbered records.

#![allow(
    clippy::indexing_slicing,
    reason = "nodes are below the count given at the start; a parent is a node"
)]

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

    /// Number of nodes.
    pub fn nodes(&self) -> u32 {
        self.parent.len() as u32
    }
}
