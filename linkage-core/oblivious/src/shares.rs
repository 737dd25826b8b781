//! The two shares of a noised table, and how the analyst combines them.
//!
//! Each share alone is uniform: A's because B masked every phase by a value uniform modulo 2^64,
//! B's because it is that value. A's share must reach the analyst without passing B, and B's
//! without passing A.

use zeroize::Zeroizing;

use crate::context::RunId;
use crate::params::TableShape;
use crate::wire::{self, Envelope, Kind};

/// Why shares can't be combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The shares come from different tables.
    #[error("the shares come from different tables")]
    DifferentTables,
}

/// A's share: masked phases with A's noise, one 64-bit word per cell, row by row.
pub struct PhaseShare(Share);

impl PhaseShare {
    pub(crate) fn new(envelope: Envelope, cells: Zeroizing<Vec<u64>>) -> Self {
        Self(Share { envelope, cells })
    }

    /// The message for the analyst: 81 bytes and 8 per cell.
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode(Kind::PhaseShare)
    }

    /// Reads A's message for the given run and shape.
    ///
    /// # Errors
    /// Refuses any message that isn't exactly such a share.
    pub fn decode(message: &[u8], run_id: RunId, shape: TableShape) -> Result<Self, wire::Error> {
        Share::decode(Kind::PhaseShare, message, run_id, shape).map(Self)
    }
}

/// B's share: the masks of the phases, one 64-bit word per cell, row by row.
pub struct MaskShare(Share);

impl MaskShare {
    pub(crate) fn new(envelope: Envelope, cells: Zeroizing<Vec<u64>>) -> Self {
        Self(Share { envelope, cells })
    }

    /// The message for the analyst: 81 bytes and 8 per cell.
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode(Kind::MaskShare)
    }

    /// Reads B's message for the given run and shape.
    ///
    /// # Errors
    /// Refuses any message that isn't exactly such a share.
    pub fn decode(message: &[u8], run_id: RunId, shape: TableShape) -> Result<Self, wire::Error> {
        Share::decode(Kind::MaskShare, message, run_id, shape).map(Self)
    }
}

struct Share {
    envelope: Envelope,
    cells: Zeroizing<Vec<u64>>,
}

impl Share {
    fn encode(&self, kind: Kind) -> Vec<u8> {
        self.envelope.seal(kind, 8 * self.cells.len(), |payload| {
            wire::write_words(payload, self.cells.iter());
        })
    }

    fn decode(
        kind: Kind,
        message: &[u8],
        run_id: RunId,
        shape: TableShape,
    ) -> Result<Self, wire::Error> {
        let (tag, payload) = wire::unseal(kind, run_id, shape, 8 * shape.cells(), message)?;
        let cells = Zeroizing::new(wire::read_words(payload).collect());
        Ok(Self {
            envelope: Envelope { run_id, shape, tag },
            cells,
        })
    }
}

/// Noised counts or sums, row by row, within a row by column, then by layer, rounded to whole
/// counts or units.
///
/// Exact up to the owners' noise within the limits of [`crate::params::RECORDS_MAX`], as long as
/// value plus noise stays in the message space: -2^23 to 2^23 for counts, -2^36 to 2^36 for sums,
/// -2^21 to 2^21 for counts of three owners. Beyond, values wrap.
///
/// # Errors
/// [`Error::DifferentTables`] if the shares don't belong together.
pub fn combine(phases: &PhaseShare, masks: &MaskShare) -> Result<Vec<i64>, Error> {
    if phases.0.envelope != masks.0.envelope {
        return Err(Error::DifferentTables);
    }
    let scale_log2 = phases.0.envelope.shape.scale_log2();
    let round = |phase| round_to_unit(phase, scale_log2);
    Ok(unmasked(phases, masks).map(round).collect())
}

/// Noised phases, the mask taken off.
pub(crate) fn unmasked(phases: &PhaseShare, masks: &MaskShare) -> impl Iterator<Item = i64> {
    let cells = phases.0.cells.iter().zip(masks.0.cells.iter());
    cells.map(|(phase, mask)| phase.wrapping_sub(*mask).cast_signed())
}

/// Nearest whole unit; drops one bit less first, so that adding a half can't overflow.
fn round_to_unit(phase: i64, scale_log2: u32) -> i64 {
    ((phase >> (scale_log2 - 1)) + 1) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{COUNT_SCALE_LOG2, SUM_SCALE_LOG2};

    #[test]
    fn phases_round_to_the_nearest_unit() {
        for scale_log2 in [COUNT_SCALE_LOG2, SUM_SCALE_LOG2, 42] {
            let unit = 1i64 << scale_log2;
            let cases = [
                (0, 0),
                (unit / 2 - 1, 0),
                (unit / 2, 1),
                (-unit / 2, 0),
                (-unit / 2 - 1, -1),
                (5 * unit - 1, 5),
                (-7 * unit + 1, -7),
                (i64::MAX, 1 << (63 - scale_log2)),
                (i64::MIN, -(1 << (63 - scale_log2))),
            ];
            for (phase, expected) in cases {
                assert_eq!(round_to_unit(phase, scale_log2), expected, "{phase}");
            }
        }
    }
}
