//! Which of an owner's records are new, which are gone, and which only lie elsewhere.
//!
//! An owner that encodes its source again shuffles the rows anew, and the matcher knows no names of
//! records. But equal values under one key give equal tokens and equal keys, so that a record that
//! has not changed is known by its content.

use std::hash::Hasher as _;

use rayon::prelude::*;
use siphasher::sip::SipHasher13;

use crate::encode::Columns;

/// In place of a row: there is none.
const NONE: u32 = u32::MAX;

/// How one owner's records have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// By old row, the new one.
    after: Vec<u32>,
    gone: Vec<bool>,
    fresh: Vec<bool>,
}

impl Change {
    /// Finds the records of `old` again in `new`; of several with equal content, the first of the
    /// one is the first of the other. A changed record is one that is gone and one that is new.
    pub fn between(old: &Columns<'_>, new: &Columns<'_>) -> Self {
        let mut change = Self {
            after: vec![NONE; old.len()],
            gone: vec![true; old.len()],
            fresh: vec![true; new.len()],
        };
        let (old_rows, new_rows) = (by_content(old), by_content(new));
        let mut rest = new_rows.as_slice();
        for equal in old_rows.chunk_by(|x, y| x.0 == y.0) {
            let Some((hash, _)) = equal.first() else {
                continue;
            };
            rest = rest
                .get(rest.partition_point(|row| row.0 < *hash)..)
                .unwrap_or(&[]);
            let (same, behind) = rest.split_at(rest.partition_point(|row| row.0 == *hash));
            rest = behind;
            let mut taken = vec![false; same.len()];
            for (_, row) in equal {
                // Equal hashes are equal contents but for one pair of records in 2^64.
                let found = same
                    .iter()
                    .zip(&mut taken)
                    .find(|((_, other), taken)| !**taken && equal_rows((old, *row), (new, *other)));
                if let Some(((_, other), taken)) = found {
                    *taken = true;
                    change.keep(*row, *other);
                }
            }
        }
        change
    }

    fn keep(&mut self, row: u32, other: u32) {
        let (row, at) = (row as usize, other as usize);
        let places = (
            self.after.get_mut(row),
            self.gone.get_mut(row),
            self.fresh.get_mut(at),
        );
        if let (Some(after), Some(gone), Some(fresh)) = places {
            (*after, *gone, *fresh) = (other, false, false);
        }
    }

    /// Where the record of old row `row` is now; `None` if it is gone.
    pub fn now(&self, row: u32) -> Option<u32> {
        let row = *self.after.get(row as usize)?;
        (row != NONE).then_some(row)
    }

    /// By old row, whether the record is gone.
    pub fn gone(&self) -> &[bool] {
        &self.gone
    }

    /// By new row, whether the record is new.
    pub fn fresh(&self) -> &[bool] {
        &self.fresh
    }

    /// Number of records that are gone, and of new ones.
    pub fn counts(&self) -> (usize, usize) {
        let count = |marks: &[bool]| marks.iter().filter(|mark| **mark).count();
        (count(&self.gone), count(&self.fresh))
    }
}

/// Every row with a hash of its content, in order of hash and row.
fn by_content(columns: &Columns<'_>) -> Vec<(u64, u32)> {
    let rows = u32::try_from(columns.len()).unwrap_or(u32::MAX);
    let mut hashed: Vec<(u64, u32)> = (0..rows)
        .into_par_iter()
        .map(|row| (hash(columns, row as usize), row))
        .collect();
    hashed.par_sort_unstable();
    hashed
}

fn hash(columns: &Columns<'_>, row: usize) -> u64 {
    let mut hasher = SipHasher13::new();
    columns
        .token(row)
        .iter()
        .for_each(|word| hasher.write_u64(*word));
    for column in &columns.link_keys {
        hasher.write_u128(column.get(row).copied().unwrap_or(0));
    }
    for column in &columns.block_keys {
        hasher.write_u64(column.get(row).copied().unwrap_or(0));
    }
    for column in &columns.classes {
        hasher.write_u16(column.get(row).copied().unwrap_or(0));
    }
    hasher.finish()
}

fn equal_rows((x, row_x): (&Columns<'_>, u32), (y, row_y): (&Columns<'_>, u32)) -> bool {
    fn same<T: PartialEq>(x: &[&[T]], row_x: usize, y: &[&[T]], row_y: usize) -> bool {
        x.iter().zip(y).all(|(x, y)| x.get(row_x) == y.get(row_y))
    }
    let (row_x, row_y) = (row_x as usize, row_y as usize);
    x.token(row_x) == y.token(row_y)
        && same(&x.link_keys, row_x, &y.link_keys, row_y)
        && same(&x.block_keys, row_x, &y.block_keys, row_y)
        && same(&x.classes, row_x, &y.classes, row_y)
}
