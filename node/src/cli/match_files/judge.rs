//! A matching against the truth.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use linkage_core::candidates::Candidates;
use linkage_core::quality::{Quality, Truth};

use super::super::truth::{Error, Known};
use super::inputs::Input;
use super::links::{Counts, LinkRow};

/// The truth about the records of the inputs, by row, and how much of it was found.
pub struct Judge {
    truth: Truth,
    /// True pairs among the candidates, by pair of data sets.
    candidates: Mutex<Counts>,
    /// Correct links, by pair of data sets.
    correct: Mutex<Counts>,
}

impl Judge {
    /// Reads the truth about `inputs` of so many rows each.
    ///
    /// # Errors
    /// [`Error`], naming the file.
    pub fn read(path: &Path, inputs: &[Input], rows: &[usize]) -> Result<Self, Error> {
        let known = Known::read(path)?;
        let mut entities = Vec::with_capacity(inputs.len());
        for (input, rows) in inputs.iter().zip(rows) {
            let owner = known.datasets.get(&input.name);
            let owner = *owner.ok_or_else(|| Error::Dataset {
                truth: path.to_owned(),
                dataset: input.name.clone(),
                known: known.names.join(", "),
            })?;
            let rows = u32::try_from(*rows).unwrap_or(u32::MAX);
            let entity = |row| known.entity(owner, &input.record(row));
            entities.push((0..rows).map(entity).collect());
        }
        Ok(Self {
            truth: Truth::new(entities),
            candidates: Mutex::default(),
            correct: Mutex::default(),
        })
    }

    /// Notes the candidates of two data sets, or of one.
    pub fn note(&self, owners: (usize, usize), found: &Candidates) {
        let (owner_a, owner_b) = owners;
        let pairs = found.pairs.iter();
        let right = pairs.filter(|pair| self.truth.together(owner_a, pair.a, owner_b, pair.b));
        let count = right.count() as u64;
        let mut candidates = self.candidates.lock();
        let candidates = candidates.as_mut().unwrap_or_else(PoisonError::get_mut);
        candidates.insert(owners, count);
    }

    /// Notes the links.
    pub fn note_links(&self, links: &[LinkRow]) {
        let mut counts = BTreeMap::new();
        for (owners, (a, b)) in links.iter().map(LinkRow::ends) {
            let right = self.truth.together(owners.0, a, owners.1, b);
            *counts.entry(owners).or_default() += u64::from(right);
        }
        let mut correct = self.correct.lock().unwrap_or_else(PoisonError::into_inner);
        *correct = counts;
    }

    /// The quality of so many links found, counted.
    pub fn quality(&self, owners: (usize, usize), found: u64) -> Quality {
        let correct = self.correct.lock().unwrap_or_else(PoisonError::into_inner);
        let correct = correct.get(&owners).copied().unwrap_or(0);
        Quality::of(self.truth.pairs(owners.0, owners.1), found, correct)
    }

    /// Share of the true pairs that were candidates; 1 where there are none.
    pub fn pair_completeness(&self, owners: (usize, usize)) -> f64 {
        let all = self.truth.pairs(owners.0, owners.1);
        let found = self
            .candidates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match (all, found.get(&owners)) {
            (0, _) => 1.0,
            (all, Some(found)) => *found as f64 / all as f64,
            (_, None) => 0.0,
        }
    }
}
