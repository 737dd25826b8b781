//! What a limit of memory is divided into.

use linkage_core::encode::Header;

use crate::error::Error;

/// What the program itself takes: code, stacks, the allocator's rests.
const PROGRAM_BYTES: u64 = 24 << 20;

/// Rows that a count of pairs stands for, and whose pairs are held at once at the least.
pub(crate) const BUCKET_ROWS: u32 = 1024;

/// Most rows of a stripe: two rows and a byte fit one 64-bit number.
const STRIPE_ROWS_MAX: u64 = 1 << 28;

/// Most stripes of a data set: each pair of stripes has its own buffer in every thread.
const STRIPES_MAX: u64 = 64;

/// Largest buffer in front of one stream.
const BUFFER_BYTES_MAX: u64 = 256 << 10;

/// Bytes of a key and a row in memory, for the wider keys.
const ENTRY_BYTES: u64 = 32;

/// Bytes of a pair before it is scored.
const PAIR_BYTES: u64 = 8;

/// How the rows are divided: part of a run's identity, since its pieces are cut along it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Stripes {
    pub rows_a: u32,
    pub rows_b: u32,
    pub count_a: u32,
    pub count_b: u32,
}

impl Stripes {
    /// Number of pairs of stripes.
    pub fn cells(&self) -> usize {
        self.count_a as usize * self.count_b as usize
    }

    /// Number of the cell of stripes `a` and `b`.
    pub fn cell(&self, a: u32, b: u32) -> usize {
        a as usize * self.count_b as usize + b as usize
    }
}

/// What each part of a search may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub stripes: Stripes,
    /// Partitions of a column of keys.
    pub partitions: usize,
    /// Entries of one side's partition beyond which repeated keys are dropped.
    pub entries: usize,
    /// Bytes that a thread collects for a partition before it writes them.
    pub partition_buffer: usize,
    /// Bytes that a thread collects for a cell before it writes them.
    pub cell_buffer: usize,
    /// Pairs held at once.
    pub pairs: u64,
    /// Pairs whose scores are held at once.
    pub scores: usize,
}

impl Plan {
    /// Divides `memory` bytes for `rows` of two data sets under `header`.
    ///
    /// # Errors
    /// [`Error::Memory`] when a data set would have more than [`STRIPES_MAX`] stripes.
    pub fn new(
        header: &Header,
        rows: (u64, u64),
        memory: u64,
        threads: usize,
    ) -> Result<Self, Error> {
        let row = u64::from(header.token_bits).div_ceil(64) * 8 + 2 + 32;
        let rows_max = rows.0.max(rows.1).min(STRIPE_ROWS_MAX * STRIPES_MAX);
        let bucket = u64::from(BUCKET_ROWS);
        // A fifth for the tokens of one stripe.
        let least = rows_max.div_ceil(STRIPES_MAX).max(bucket) * row * 5 + PROGRAM_BYTES * 2;
        if memory < least {
            return Err(Error::Memory {
                given: memory,
                needed: least,
            });
        }
        let budget = memory - PROGRAM_BYTES;
        let stripe = |rows: u64| {
            let most = (budget / 5 / row).clamp(bucket, STRIPE_ROWS_MAX);
            let count = rows.div_ceil(most).max(1);
            let each = rows.div_ceil(count).next_multiple_of(bucket).max(bucket);
            (each as u32, rows.div_ceil(each).max(1) as u32)
        };
        let ((rows_a, count_a), (rows_b, count_b)) = (stripe(rows.0), stripe(rows.1));
        let stripes = Stripes {
            rows_a,
            rows_b,
            count_a,
            count_b,
        };
        let threads = threads.max(1) as u64;
        // Every thread joins a partition of each side within half of the budget. Partitions differ
        // by chance, hence the quarter more of them.
        let partition = (budget / 2 / threads).max(1);
        let partitions = ((rows.0 + rows.1) * ENTRY_BYTES * 5 / 4)
            .div_ceil(partition)
            .clamp(1, 4096);
        let buffer = |streams: u64, share: u64| {
            let each = share / (streams * threads).max(1);
            each.clamp(1 << 9, BUFFER_BYTES_MAX) as usize
        };
        Ok(Self {
            stripes,
            partitions: partitions as usize,
            entries: (partition / 2 / ENTRY_BYTES).max(1024) as usize,
            partition_buffer: buffer(partitions, budget / 2),
            cell_buffer: buffer(stripes.cells() as u64, budget / 4),
            pairs: (budget * 2 / 5 / PAIR_BYTES).max(1),
            scores: (budget / 32 / 32).clamp(1024, 1 << 16) as usize,
        })
    }

    /// Takes over the stripes of an earlier run if they fit this plan's memory.
    pub fn with_stripes(mut self, stripes: Stripes) -> Option<Self> {
        let fits = stripes.rows_a <= self.stripes.rows_a && stripes.rows_b <= self.stripes.rows_b;
        self.stripes = stripes;
        fits.then_some(self)
    }
}
