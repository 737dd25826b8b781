//! Numbers for the records of all owners, owner after owner.

/// Where each owner's records begin.
#[derive(Debug, Clone)]
pub(super) struct Records {
    /// First record of each owner, then the number of records.
    bounds: Vec<u32>,
}

impl Records {
    /// `rows` is each owner's number of records. Records beyond 2^32 - 1 have no number: they are
    /// linked to none.
    pub fn new(rows: &[usize]) -> Self {
        let mut bounds = vec![0_u32];
        let mut total = 0_u32;
        for rows in rows {
            total = total.saturating_add(u32::try_from(*rows).unwrap_or(u32::MAX));
            bounds.push(total);
        }
        Self { bounds }
    }

    /// Number of owners.
    pub fn owners(&self) -> usize {
        self.bounds.len() - 1
    }

    /// Number of records.
    pub fn count(&self) -> u32 {
        self.bounds.last().copied().unwrap_or(0)
    }

    /// Each owner's number of records.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        self.bounds.windows(2).map(|bounds| match bounds {
            [start, end] => (end - start) as usize,
            _ => 0,
        })
    }

    /// A record's number.
    pub fn number(&self, owner: usize, row: u32) -> Option<u32> {
        let (start, end) = self.bounds.get(owner).zip(self.bounds.get(owner + 1))?;
        start.checked_add(row).filter(|number| number < end)
    }

    /// The numbers of two records, the lower first; none for a record and itself.
    pub fn pair(&self, (owner_a, a, owner_b, b): (usize, u32, usize, u32)) -> Option<(u32, u32)> {
        let (x, y) = (self.number(owner_a, a)?, self.number(owner_b, b)?);
        (x != y).then_some((x.min(y), x.max(y)))
    }

    /// The owner of a record.
    pub fn owner(&self, number: u32) -> usize {
        self.bounds
            .partition_point(|start| *start <= number)
            .saturating_sub(1)
    }
}
