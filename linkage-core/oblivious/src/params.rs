//! Cryptographic parameters and the limits of one table.
//!
//! GLWE with dimension 1, polynomial size 2048, modulus 2^64, binary keys and errors drawn from
//! `TUniform(17)`: the bound that tfhe's `minimal_glwe_bound_for_132_bits_security_tuniform`
//! gives for this size and modulus.

/// Polynomial size N: how many positions one ciphertext polynomial packs.
pub const POSITIONS_PER_CHUNK: usize = 2048;

/// Most positions one table may span, a multiple of [`POSITIONS_PER_CHUNK`].
///
/// Bounds owner B's memory: four bytes are kept per position.
pub const POSITIONS_MAX: u32 = 1 << 24;

/// Most categories (rows) of owner A. One chunk message stays below 4 MiB with it.
pub const ROWS_MAX: u16 = 256;

/// Most categories (columns) of owner B. Bounds the masks sent back to 4 MiB.
pub const COLUMNS_MAX: u16 = 256;

/// Most records owner B may place: the largest n with n < 2^22 - 2N - 1.
///
/// A phase is `count * 2^40 + error`, and a count is exact while `|error| < 2^39`. The error of
/// one cell with n records of B has these parts: at most `n * 2^17` from encryption, at most
/// `(2N + 1) * 2^17` from re-randomisation, at most `n * 2^23` from rounding bodies to 40 bits,
/// and at most 2^37 from A's flooding.
///
/// * Up to 48 332 records in a column the sum of the bounds stays below 2^39: exact always.
/// * Above, up to this limit, a wrong count needs the zero-mean bounded errors to add up to
///   `2^39 - 2^37`; by Hoeffding's inequality (1963, theorem 2) that happens with probability below
///   2^-400 per cell when both owners follow the protocol.
pub const RECORDS_MAX: usize = (1 << 22) - 2 * POSITIONS_PER_CHUNK - 2;

/// log2 of the phase that one joint record adds: noise is drawn in units of 2^-40 of a count.
pub const COUNT_SCALE_LOG2: u32 = 40;

/// log2 of the bound of encryption errors.
pub(crate) const ERROR_BOUND_LOG2: u32 = 17;

/// log2 of the bound of the uniform error that A adds to every phase it gives out.
///
/// An eighth of a count: hides the exact phase, which is a linear equation in A's key, and leaves
/// three quarters of the error budget.
pub(crate) const FLOOD_BOUND_LOG2: u32 = 37;

/// Bits of a ciphertext body that are dropped on the wire, with rounding (64 - 40).
pub(crate) const BODY_DROPPED_BITS: u32 = 24;

/// Bytes of one rounded ciphertext body on the wire.
pub(crate) const BODY_BYTES: usize = 5;

/// Why a table shape is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Positions are zero, more than [`POSITIONS_MAX`], or not a multiple of
    /// [`POSITIONS_PER_CHUNK`].
    #[error("{0} positions: need a positive multiple of 2048, at most 2^24")]
    Positions(u32),
    /// Rows are zero or more than [`ROWS_MAX`].
    #[error("{0} rows: need 1 to 256")]
    Rows(u16),
    /// Columns are zero or more than [`COLUMNS_MAX`].
    #[error("{0} columns: need 1 to 256")]
    Columns(u16),
}

/// Size of one table: positions of the run, categories of owner A (rows) and of owner B (columns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableShape {
    positions: u32,
    rows: u16,
    columns: u16,
}

impl TableShape {
    /// Checks a shape. `positions` counts all positions of the run, padding included.
    ///
    /// # Errors
    /// Refuses sizes outside the limits of this module.
    pub fn new(positions: u32, rows: u16, columns: u16) -> Result<Self, Error> {
        let whole_chunks = (positions as usize).is_multiple_of(POSITIONS_PER_CHUNK);
        if positions == 0 || positions > POSITIONS_MAX || !whole_chunks {
            return Err(Error::Positions(positions));
        }
        if rows == 0 || rows > ROWS_MAX {
            return Err(Error::Rows(rows));
        }
        if columns == 0 || columns > COLUMNS_MAX {
            return Err(Error::Columns(columns));
        }
        Ok(Self {
            positions,
            rows,
            columns,
        })
    }

    /// Positions of the run, padding included.
    pub fn positions(self) -> u32 {
        self.positions
    }

    /// Categories of owner A.
    pub fn rows(self) -> u16 {
        self.rows
    }

    /// Categories of owner B.
    pub fn columns(self) -> u16 {
        self.columns
    }

    /// Ciphertext chunks that A sends.
    pub fn chunks(self) -> u32 {
        self.positions / POSITIONS_PER_CHUNK as u32
    }

    /// Cells of the table: rows times columns.
    pub fn cells(self) -> usize {
        usize::from(self.rows) * usize::from(self.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfhe::core_crypto::commons::noise_formulas::secure_noise::minimal_glwe_bound_for_132_bits_security_tuniform as secure_bound;
    use tfhe::core_crypto::prelude::{GlweDimension, PolynomialSize};

    #[test]
    fn the_error_bound_is_the_one_tfhe_asks_for() {
        let size = PolynomialSize(POSITIONS_PER_CHUNK);
        assert_eq!(
            secure_bound(GlweDimension(1), size, 2f64.powi(64)),
            ERROR_BOUND_LOG2
        );
    }

    #[test]
    fn documented_exactness_bounds_hold() {
        let count = 1u64 << COUNT_SCALE_LOG2;
        let flood = 1u64 << FLOOD_BOUND_LOG2;
        let error = 1u64 << ERROR_BOUND_LOG2;
        let rounding = 1u64 << (BODY_DROPPED_BITS - 1);
        let fixed = (2 * POSITIONS_PER_CHUNK as u64 + 1) * error + flood;
        assert!(fixed + 48_332 * (error + rounding) < count / 2);
        assert!(fixed + 48_333 * (error + rounding) >= count / 2);

        let records = RECORDS_MAX as f64;
        let margin = (count / 2 - flood) as f64;
        let per_record = 2.0 * (error + rounding) as f64;
        let per_rerandomised = 2.0 * error as f64;
        let squares = records * per_record.powi(2) + 4097.0 * per_rerandomised.powi(2);
        let log2_failure = 1.0 - 2.0 * margin.powi(2) / squares * std::f64::consts::LOG2_E;
        assert!(log2_failure < -400.0, "{log2_failure}");
        assert_eq!(RECORDS_MAX, 4_190_206);
    }

    #[test]
    fn shapes_outside_the_limits_are_refused() {
        assert!(TableShape::new(2048, 1, 1).is_ok());
        assert!(TableShape::new(POSITIONS_MAX, ROWS_MAX, COLUMNS_MAX).is_ok());
        for positions in [0, 1, 2047, 2049, POSITIONS_MAX + 2048, u32::MAX] {
            assert_eq!(
                TableShape::new(positions, 1, 1),
                Err(Error::Positions(positions))
            );
        }
        for bad in [0, 257, u16::MAX] {
            assert_eq!(TableShape::new(2048, bad, 1), Err(Error::Rows(bad)));
            assert_eq!(TableShape::new(2048, 1, bad), Err(Error::Columns(bad)));
        }
    }
}
