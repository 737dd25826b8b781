//! The masked table, from B to A: one re-randomised mask per column and one body per cell.

use zeroize::Zeroizing;

use crate::context::RunContext;
use crate::polynomial::BinaryPolynomial;
use crate::wire::{self, Kind};

/// Masks by column, and bodies by cell, row by row.
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
        let masks = (0..context.shape().columns())
            .map(|_| Zeroizing::new(words.by_ref().take(size).collect()))
            .collect();
        Ok(Self {
            masks,
            bodies: Zeroizing::new(words.collect()),
        })
    }

    /// Exact phases, row by row. Must not leave A: each is a linear equation in a secret key.
    pub(crate) fn phases(&self, keys: &[BinaryPolynomial]) -> Zeroizing<Vec<u64>> {
        let masked = keys
            .iter()
            .flat_map(|key| self.masks.iter().map(|mask| key.top_of_product(mask)));
        let phases = self
            .bodies
            .iter()
            .zip(masked)
            .map(|(body, key)| body.wrapping_sub(key));
        Zeroizing::new(phases.collect())
    }

    #[cfg(test)]
    pub(crate) fn masks(&self) -> &[Zeroizing<Vec<u64>>] {
        &self.masks
    }
}

fn payload_bytes(context: &RunContext) -> usize {
    let shape = context.shape();
    let mask_words = usize::from(shape.columns()) * context.parameters().polynomial_size;
    8 * (mask_words + shape.cells())
}
