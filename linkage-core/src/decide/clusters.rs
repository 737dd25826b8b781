//! A partition of all owners' records.

use std::collections::HashMap;

use super::components::Components;

/// A partition of all records: every record is in exactly one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    /// Cluster number by owner and row; numbers are dense from 0.
    of: Vec<Vec<u32>>,
    count: u32,
    refused: u64,
}

impl Clusters {
    /// The sets of `components` over all owners' records, numbered owner after owner.
    pub(super) fn of_components(components: &mut Components, rows: &[usize], refused: u64) -> Self {
        const NONE: u32 = u32::MAX;
        let mut number = vec![NONE; components.nodes() as usize];
        let (mut count, mut node) = (0, 0);
        let mut of = Vec::with_capacity(rows.len());
        for rows in rows {
            let mut numbers = Vec::with_capacity(*rows);
            for _ in 0..*rows {
                let root = components.root(node);
                if let Some(slot) = number.get_mut(root as usize) {
                    if *slot == NONE {
                        *slot = count;
                        count += 1;
                    }
                    numbers.push(*slot);
                }
                node += 1;
            }
            of.push(numbers);
        }
        Self { of, count, refused }
    }

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

    /// Links whose records are in different clusters after all: they would have brought two records
    /// of one owner together, or two in conflict, or clusters that agree too little as a whole.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Number of clusters of each size, up to the number of owners or the largest cluster; index 0
    /// counts the clusters of one record.
    pub fn sizes(&self) -> Vec<u64> {
        let mut members = vec![0_u32; self.count as usize];
        for cluster in self.of.iter().flatten() {
            if let Some(count) = members.get_mut(*cluster as usize) {
                *count += 1;
            }
        }
        let largest = members.iter().copied().max().unwrap_or(0) as usize;
        let mut sizes = vec![0; self.of.len().max(largest)];
        for size in members {
            if let Some(count) = (size as usize)
                .checked_sub(1)
                .and_then(|at| sizes.get_mut(at))
            {
                *count += 1;
            }
        }
        sizes
    }
}
