//! The masked table, from B to A: one re-randomised mask per sum and one body per cell.

use zeroize::Zeroizing;

use crate::context::RunContext;
use crate::layout::Term;
use crate::params::TableShape;
use crate::polynomial::BinaryPolynomial;
use crate::wire::{self, Kind};

/// Masks by sum, in tables of two owners a column, and bodies by cell, row by row.
pub(crate) struct MaskedTable {
    masks: Vec<Zeroizing<Vec<u64>>>,
    bodies: Zeroizing<Vec<u64>>,
}

impl MaskedTable {
    pub(crate) fn new(masks: Vec<Zeroizing<Vec<u64>>>, bodies: Zeroizing<Vec<u64>>) -> Self {
        Self { masks, bodies }
    }

    pub(crate) fn encode(&self, context: &RunContext) -> Vec<u8> {
        context
            .envelope()
            .seal(Kind::MaskedTable, payload_bytes(context), |payload| {
                let masks = self.masks.iter().flat_map(|mask| mask.iter());
                wire::write_words(payload, masks.chain(self.bodies.iter()));
            })
    }

    pub(crate) fn decode(context: &RunContext, message: &[u8]) -> Result<Self, wire::Error> {
        let bytes = payload_bytes(context);
        let payload = context
            .envelope()
            .unseal(Kind::MaskedTable, bytes, message)?;
        let size = context.parameters().polynomial_size;
        let mut words = wire::read_words(payload);
        let masks = (0..context.shape().sums_made())
            .map(|_| Zeroizing::new(words.by_ref().take(size).collect()))
            .collect();
        Ok(Self {
            masks,
            bodies: Zeroizing::new(words.collect()),
        })
    }

    /// Exact phases, row by row. Must not leave A: each is a linear equation in secret keys.
    pub(crate) fn phases(
        &self,
        shape: TableShape,
        keys: &[BinaryPolynomial],
    ) -> Zeroizing<Vec<u64>> {
        let product = |term: Term| {
            let (key, mask) = (keys.get(term.vector), self.masks.get(term.sum));
            key.zip(mask)
                .map_or(0, |(key, mask)| key.top_of_product(mask))
        };
        let cells = self.bodies.iter().zip(shape.terms());
        let phases = cells.map(|(body, terms)| {
            terms.fold(*body, |phase, term| phase.wrapping_sub(product(term)))
        });
        Zeroizing::new(phases.collect())
    }

    #[cfg(test)]
    pub(crate) fn masks(&self) -> &[Zeroizing<Vec<u64>>] {
        &self.masks
    }
}

fn payload_bytes(context: &RunContext) -> usize {
    let shape = context.shape();
    let mask_words = shape.sums_made() * context.parameters().polynomial_size;
    8 * (mask_words + shape.cells())
}
