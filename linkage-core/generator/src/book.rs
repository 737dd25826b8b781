//! A department's book: what its records have in common, whatever they are about.

use crate::permutation::Permutation;
use crate::plan::{Plan, Shape};
use crate::settings::{Error, ErrorLevel, Settings};
use crate::stream::{Purpose, Stream, happens, mix};

/// Duplicates within a source: 1.5 %, in units of 0.01 %.
const DUPLICATES: u64 = 150;

/// Where rows stand, what they are called, and a department's random draws.
pub(crate) struct Book {
    /// Where rows stand.
    pub(crate) plan: Plan,
    /// Whether its clerks make errors.
    pub(crate) careless: bool,
    pub(crate) seed: u64,
    scope: u64,
    copies: u64,
    duplicates: bool,
    record_ids: Permutation,
}

impl Book {
    /// The book of a department of this shape. Each entity has `copies` numbers, at least as many
    /// as it may have rows; record ids are drawn from a range far larger than any department, so
    /// they are not dense.
    pub(crate) fn open(
        settings: &Settings,
        shape: &Shape,
        copies: u64,
        record_ids: u64,
    ) -> Result<Self, Error> {
        let key = mix([settings.seed, Purpose::RecordId as u64, shape.scope, 0]);
        Ok(Self {
            plan: Plan::new(settings, shape)?,
            careless: settings.errors != ErrorLevel::None,
            seed: settings.seed,
            scope: shape.scope,
            copies,
            duplicates: settings.duplicates,
            record_ids: Permutation::new(record_ids, key),
        })
    }

    /// True with a probability of `rate` in 10 000, decided once per purpose and entity.
    pub(crate) fn happens(&self, purpose: Purpose, entity: u32, rate: u64) -> bool {
        happens(self.seed, purpose, self.scope, u64::from(entity), rate)
    }

    /// Whether the department has a second record of the entity by mistake.
    pub(crate) fn is_duplicated(&self, entity: u32) -> bool {
        self.duplicates && self.happens(Purpose::Duplicate, entity, DUPLICATES)
    }

    /// The draws of the clerk who writes a row, and the number in its record id.
    pub(crate) fn open_row(&self, entity: u32, copy: u64) -> (Stream, u64) {
        let row = u64::from(entity) * self.copies + copy;
        let stream = Stream::open(self.seed, Purpose::Copy, self.scope, row);
        (stream, self.record_ids.apply(row))
    }
}
