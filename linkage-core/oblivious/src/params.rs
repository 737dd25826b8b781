//! Cryptographic parameters and the limits of one table.
//!
//! GLWE with dimension 1, modulus 2^64 and binary keys. What else a table needs depends on its
//! [`Measure`]:
//!
//! | | counts | sums | counts of three owners |
//! |---|---|---|---|
//! | polynomial size N | 2048 | 4096 | 4096 |
//! | errors | `TUniform(17)` | `TUniform(3)` | `TUniform(3)` |
//! | scale: phase of one unit | 2^40 | 2^27 | 2^42 |
//! | message space, in units | 24 bits | 37 bits | 22 bits |
//! | body on the wire | 5 bytes, rounded | 8 bytes | 5 bytes; 8 where it meets C's words |
//! | flood that A adds to a phase | up to 2^37 | up to 2^24 | up to 2^39 |
//!
//! `TUniform(b)` is uniform on the whole numbers from -2^b to 2^b, both ends half as likely. For
//! counts, b is what tfhe's `minimal_glwe_bound_for_132_bits_security_tuniform` gives for this size
//! and modulus. For N = 4096 that formula asks for no error at all; 3 is the smallest bound among
//! tfhe's own parameter sets.

/// Polynomial size of a table of counts: how many positions one ciphertext polynomial packs.
///
/// The other tables pack twice as many: see [`TableShape::positions_per_chunk`].
pub const POSITIONS_PER_CHUNK: usize = 2048;

/// Most positions one table may span, a multiple of the positions of a chunk.
///
/// Bounds owner B's memory: four bytes are kept per position.
pub const POSITIONS_MAX: u32 = 1 << 24;

/// Most categories (rows) of owner A. A chunk message stays below 4 MiB with it in a table of
/// counts, and reaches 8 MiB in one of sums.
pub const ROWS_MAX: u16 = 256;

/// Most categories (columns) of owner B. Bounds the masks sent back to 4 MiB, or 8 MiB for sums.
pub const COLUMNS_MAX: u16 = 256;

/// Most records owner B may place: the largest n with n < 2^22 - 2N - 1 for counts.
///
/// A phase is `units * scale + error`, and the units are exact while `|error|` stays below half of
/// the scale. The error of one cell with n records of B has these parts: at most n times the bound
/// of an encryption error, at most 2N + 1 times that bound from re-randomisation, A's flood, and,
/// for counts, at most `n * 2^23` from rounding bodies to 40 bits.
///
/// Sums: `n * 2^3 + 8193 * 2^3 + 2^24 < 2^26` up to this limit. Exact always.
///
/// Counts: `n * (2^17 + 2^23) + 4097 * 2^17 + 2^37` has to stay below 2^39.
/// * It does up to 48 332 records in a column: exact always.
/// * Above, up to this limit, a wrong count needs the zero-mean bounded errors to add up to
///   `2^39 - 2^37`; by Hoeffding's inequality (1963, theorem 2) that happens with probability below
///   2^-400 per cell when both owners follow the protocol.
pub const RECORDS_MAX: usize = (1 << 22) - 2 * POSITIONS_PER_CHUNK - 2;

/// Most records owner B may place in a table of three owners.
///
/// Leaves noise half of the message space, which counts share with it from -2^21 to 2^21. The error
/// of a cell with n records of B is at most `n * (2^3 + 2^23)` from the vectors that count B's
/// records, rounding included, `n * 2^3 * 2^22` from those that C's words of 22 bits weight,
/// `2 * 8193 * 2^3` from re-randomisation and 2^39 from A's flood, and has to stay below 2^41.
/// * It does up to 39 321 records in a column: exact always.
/// * Above, up to this limit, a wrong count has probability below 2^-1000 per cell, by the same
///   inequality as in [`RECORDS_MAX`].
pub const THREE_WAY_RECORDS_MAX: usize = 1 << 20;

/// Bits of C's words in a table of three owners: its message space.
pub(crate) const WORD_BITS: u32 = 22;

/// log2 of the phase that one joint record adds to a count: noise is drawn in units of 2^-40 of a
/// count.
pub const COUNT_SCALE_LOG2: u32 = 40;

/// log2 of the phase that one unit adds to a sum: noise is drawn in units of 2^-27 of a unit.
pub const SUM_SCALE_LOG2: u32 = 27;

/// Largest value, in units, of one record in a table of sums.
///
/// With [`ROW_TOTAL_MAX`] it leaves noise the room of 2^11 largest values on either side: two
/// Laplace samples of scale `VALUE_MAX / epsilon` with epsilon 0.1 need more with probability below
/// 2^-280.
pub const VALUE_MAX: u64 = 1 << 24;

/// Most units that the values of one row of a table of sums may add up to.
///
/// Sums wrap at -2^36 and 2^36 units; this is the part of the range that noise leaves to them.
pub const ROW_TOTAL_MAX: u64 = 1 << 35;

/// What the cells of a table hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// How many joint records a cell has.
    Count,
    /// Sum of owner A's values over the joint records of a cell, in units of the caller.
    Sum,
    /// How many records a cell has that three owners share.
    CountOfThree,
}

impl Measure {
    /// Positions that one ciphertext chunk packs: a table's positions are a multiple of it.
    ///
    /// Positions of a run beyond its last record hold nothing, so an owner may count more of them.
    pub fn positions_per_chunk(self) -> usize {
        self.parameters().polynomial_size
    }

    pub(crate) fn parameters(self) -> &'static Parameters {
        match self {
            Measure::Count => &COUNTS,
            Measure::Sum => &SUMS,
            Measure::CountOfThree => &COUNTS_OF_THREE,
        }
    }

    /// The measure's name in messages and seeds.
    pub(crate) fn code(self) -> u8 {
        match self {
            Measure::Count => 1,
            Measure::Sum => 2,
            Measure::CountOfThree => 3,
        }
    }
}

/// Cryptographic parameters of a measure.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// Polynomial size N.
    pub(crate) polynomial_size: usize,
    /// log2 of the bound of encryption errors.
    pub(crate) error_bound_log2: u32,
    /// log2 of the phase of one unit.
    pub(crate) scale_log2: u32,
    /// log2 of the bound of the uniform error that A adds to every phase it gives out.
    ///
    /// An eighth of a unit: hides the exact phase, which is a linear equation in A's key, and
    /// leaves three quarters of the error budget.
    pub(crate) flood_bound_log2: u32,
    /// How ciphertext bodies travel that meet no weights but 0 and 1.
    pub(crate) body_width: BodyWidth,
}

const COUNTS: Parameters = Parameters {
    polynomial_size: POSITIONS_PER_CHUNK,
    error_bound_log2: 17,
    scale_log2: COUNT_SCALE_LOG2,
    flood_bound_log2: COUNT_SCALE_LOG2 - 3,
    body_width: BodyWidth::Five,
};

const SUMS: Parameters = Parameters {
    polynomial_size: 2 * POSITIONS_PER_CHUNK,
    error_bound_log2: 3,
    scale_log2: SUM_SCALE_LOG2,
    flood_bound_log2: SUM_SCALE_LOG2 - 3,
    body_width: BodyWidth::Eight,
};

const COUNTS_OF_THREE: Parameters = Parameters {
    polynomial_size: 2 * POSITIONS_PER_CHUNK,
    error_bound_log2: 3,
    scale_log2: u64::BITS - WORD_BITS,
    flood_bound_log2: u64::BITS - WORD_BITS - 3,
    body_width: BodyWidth::Five,
};

/// Bytes of one ciphertext body on the wire: its highest ones, rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyWidth {
    Five,
    Eight,
}

impl BodyWidth {
    pub(crate) fn bytes(self) -> usize {
        match self {
            BodyWidth::Five => 5,
            BodyWidth::Eight => 8,
        }
    }
}

/// Why a table shape is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Positions are zero, more than [`POSITIONS_MAX`], or not a multiple of a chunk's.
    #[error("{positions} positions: need a positive multiple of {chunk}, at most 2^24")]
    Positions {
        /// Positions asked for.
        positions: u32,
        /// Positions of a chunk, which the measure fixes.
        chunk: usize,
    },
    /// Rows are zero or more than [`ROWS_MAX`].
    #[error("{0} rows: need 1 to 256")]
    Rows(u16),
    /// Columns are zero or more than [`COLUMNS_MAX`].
    #[error("{0} columns: need 1 to 256")]
    Columns(u16),
    /// Layers are zero, or too many for so many rows or columns.
    #[error("{0} layers: need 1 or more, and one more times rows or columns at most 256")]
    Layers(u16),
}

/// What one table holds, and its size: positions of the run, categories of owner A (rows), of owner
/// B (columns) and, where there is one, of owner C (layers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableShape {
    measure: Measure,
    positions: u32,
    rows: u16,
    columns: u16,
    layers: u16,
}

impl TableShape {
    /// Checks the shape of a table of counts. `positions` counts all positions of the run, padding
    /// included.
    ///
    /// # Errors
    /// Refuses sizes outside the limits of this module.
    pub fn new(positions: u32, rows: u16, columns: u16) -> Result<Self, Error> {
        Self::of(Measure::Count, positions, [rows, columns, 1])
    }

    /// Checks the shape of a table of sums. `positions` counts all positions of the run, padding
    /// included, in whole chunks of 4096.
    ///
    /// # Errors
    /// Refuses sizes outside the limits of this module.
    pub fn sums(positions: u32, rows: u16, columns: u16) -> Result<Self, Error> {
        Self::of(Measure::Sum, positions, [rows, columns, 1])
    }

    /// Checks the shape of a table of counts of three owners. `positions` counts all positions of
    /// the run, padding included, in whole chunks of 4096.
    ///
    /// # Errors
    /// Refuses sizes outside the limits of this module, and more than 256 rows or columns times one
    /// more than the layers: so many vectors A encrypts, and so many masks B sends.
    pub fn three_way(positions: u32, rows: u16, columns: u16, layers: u16) -> Result<Self, Error> {
        let vectors = u32::from(rows.max(columns)) * (1 + u32::from(layers));
        let shape = Self::of(Measure::CountOfThree, positions, [rows, columns, layers])?;
        if layers == 0 || vectors > ROWS_MAX.into() {
            return Err(Error::Layers(layers));
        }
        Ok(shape)
    }

    fn of(measure: Measure, positions: u32, sizes: [u16; 3]) -> Result<Self, Error> {
        let [rows, columns, layers] = sizes;
        let chunk = measure.positions_per_chunk();
        let whole_chunks = (positions as usize).is_multiple_of(chunk);
        if positions == 0 || positions > POSITIONS_MAX || !whole_chunks {
            return Err(Error::Positions { positions, chunk });
        }
        if rows == 0 || rows > ROWS_MAX {
            return Err(Error::Rows(rows));
        }
        if columns == 0 || columns > COLUMNS_MAX {
            return Err(Error::Columns(columns));
        }
        Ok(Self {
            measure,
            positions,
            rows,
            columns,
            layers,
        })
    }

    /// What the cells hold.
    pub fn measure(self) -> Measure {
        self.measure
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

    /// Categories of owner C, 1 in a table of two owners.
    pub fn layers(self) -> u16 {
        self.layers
    }

    /// Most records that owner B may place.
    pub fn records_max(self) -> usize {
        match self.measure {
            Measure::Count | Measure::Sum => RECORDS_MAX,
            Measure::CountOfThree => THREE_WAY_RECORDS_MAX,
        }
    }

    /// Positions that one ciphertext chunk packs.
    pub fn positions_per_chunk(self) -> usize {
        self.measure.positions_per_chunk()
    }

    /// Ciphertext chunks that A sends.
    pub fn chunks(self) -> u32 {
        self.positions / self.positions_per_chunk() as u32
    }

    /// Cells of the table: rows times columns times layers.
    pub fn cells(self) -> usize {
        usize::from(self.rows) * usize::from(self.columns) * usize::from(self.layers)
    }

    /// log2 of the phase of one count or unit: noise is drawn in units of `2^-scale_log2` of it.
    pub fn scale_log2(self) -> u32 {
        self.parameters().scale_log2
    }

    pub(crate) fn parameters(self) -> &'static Parameters {
        self.measure.parameters()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfhe::core_crypto::commons::noise_formulas::secure_noise::minimal_glwe_bound_for_132_bits_security_tuniform as secure_bound;
    use tfhe::core_crypto::prelude::{GlweDimension, PolynomialSize};

    #[test]
    fn error_bounds_are_what_tfhe_asks_for_or_more() {
        let asked = |parameters: &Parameters| {
            let size = PolynomialSize(parameters.polynomial_size);
            secure_bound(GlweDimension(1), size, 2f64.powi(64))
        };
        assert_eq!(asked(&COUNTS), COUNTS.error_bound_log2);
        for parameters in [SUMS, COUNTS_OF_THREE] {
            assert!(asked(&parameters) <= parameters.error_bound_log2);
        }
    }

    /// Largest error of a cell with `records` records of B, by the sum of all bounds.
    fn worst_error(parameters: &Parameters, records: u64) -> u64 {
        let error = 1u64 << parameters.error_bound_log2;
        let rounding = match parameters.body_width {
            BodyWidth::Five => 1u64 << 23,
            BodyWidth::Eight => 0,
        };
        let rerandomised = 2 * parameters.polynomial_size as u64 + 1;
        let flood = 1u64 << parameters.flood_bound_log2;
        records * (error + rounding) + rerandomised * error + flood
    }

    #[test]
    fn documented_exactness_bounds_hold() {
        let half_unit = |parameters: &Parameters| 1u64 << (parameters.scale_log2 - 1);
        assert!(worst_error(&COUNTS, 48_332) < half_unit(&COUNTS));
        assert!(worst_error(&COUNTS, 48_333) >= half_unit(&COUNTS));
        assert!(worst_error(&SUMS, RECORDS_MAX as u64) < half_unit(&SUMS));

        let (error, rounding) = (1u64 << 17, 1u64 << 23);
        let records = RECORDS_MAX as f64;
        let margin = (half_unit(&COUNTS) - (1 << COUNTS.flood_bound_log2)) as f64;
        let per_record = 2.0 * (error + rounding) as f64;
        let per_rerandomised = 2.0 * error as f64;
        let squares = records * per_record.powi(2) + 4097.0 * per_rerandomised.powi(2);
        let log2_failure = 1.0 - 2.0 * margin.powi(2) / squares * std::f64::consts::LOG2_E;
        assert!(log2_failure < -400.0, "{log2_failure}");
        assert_eq!(RECORDS_MAX, 4_190_206);
    }

    #[test]
    fn the_scale_of_sums_is_the_smallest_that_is_exact() {
        let records = RECORDS_MAX as u64;
        let half = Parameters {
            scale_log2: SUM_SCALE_LOG2 - 1,
            flood_bound_log2: SUM_SCALE_LOG2 - 4,
            ..SUMS
        };
        assert!(worst_error(&half, records) >= 1 << (half.scale_log2 - 1));
    }

    #[test]
    fn noise_has_the_documented_room_in_sums() {
        let range = 1u64 << (63 - SUM_SCALE_LOG2);
        let room = range - ROW_TOTAL_MAX;
        assert_eq!(room, VALUE_MAX << 11);
        // The sum of two Laplace samples of scale 1 exceeds t with probability (2 + t) e^-t / 4.
        let t = 0.1 * (room / VALUE_MAX) as f64;
        let log2_beyond = ((2.0 + t) / 4.0).log2() - t * std::f64::consts::LOG2_E;
        assert!(log2_beyond < -280.0, "{log2_beyond}");
    }

    #[test]
    fn shapes_outside_the_limits_are_refused() {
        assert!(TableShape::new(2048, 1, 1).is_ok());
        assert!(TableShape::sums(4096, 1, 1).is_ok());
        assert!(TableShape::new(POSITIONS_MAX, ROWS_MAX, COLUMNS_MAX).is_ok());
        assert!(TableShape::sums(POSITIONS_MAX, ROWS_MAX, COLUMNS_MAX).is_ok());
        for (measure, chunk) in [(Measure::Count, 2048), (Measure::Sum, 4096)] {
            assert_eq!(measure.positions_per_chunk(), chunk);
            let step = chunk as u32;
            for positions in [0, 1, step - 1, step + 1, POSITIONS_MAX + step, u32::MAX] {
                assert_eq!(
                    TableShape::of(measure, positions, [1; 3]),
                    Err(Error::Positions { positions, chunk })
                );
            }
            for bad in [0, 257, u16::MAX] {
                let shape = |rows, columns| TableShape::of(measure, 4096, [rows, columns, 1]);
                assert_eq!(shape(bad, 1), Err(Error::Rows(bad)));
                assert_eq!(shape(1, bad), Err(Error::Columns(bad)));
            }
        }
        assert!(TableShape::sums(3 * 2048, 1, 1).is_err());
        assert!(TableShape::three_way(3 * 2048, 1, 1, 1).is_err());
    }

    #[test]
    fn three_owners_have_as_many_vectors_and_masks_as_two() {
        let of = |rows, columns, layers| TableShape::three_way(4096, rows, columns, layers);
        for (rows, columns, layers) in
            [(1, 1, 1), (5, 5, 5), (128, 1, 1), (1, 1, 255), (15, 16, 15)]
        {
            let shape = of(rows, columns, layers).unwrap();
            assert!(shape.vectors() <= 256 && shape.sums_made() <= 256);
        }
        for (rows, columns, layers) in [
            (1, 1, 0),
            (129, 1, 1),
            (1, 129, 1),
            (1, 1, 256),
            (16, 16, 16),
        ] {
            assert_eq!(of(rows, columns, layers), Err(Error::Layers(layers)));
        }
        assert_eq!(of(0, 1, 1), Err(Error::Rows(0)));
        assert_eq!(of(1, 257, 1), Err(Error::Columns(257)));
    }

    #[test]
    fn documented_exactness_bounds_hold_for_three_owners() {
        let half_unit = 1u64 << (COUNTS_OF_THREE.scale_log2 - 1);
        let (error, rounding, flood) = (1u64 << 3, 1u64 << 23, 1u64 << 39);
        assert_eq!(flood, 1 << COUNTS_OF_THREE.flood_bound_log2);
        let per_record = error + rounding + (error << WORD_BITS);
        let fixed = 2 * 8193 * error + flood;
        assert!(39_321 * per_record + fixed < half_unit);
        assert!(39_322 * per_record + fixed >= half_unit);

        let squares = THREE_WAY_RECORDS_MAX as f64 * (2.0 * per_record as f64).powi(2)
            + 2.0 * 8193.0 * (2.0 * error as f64).powi(2);
        let margin = (half_unit - flood) as f64;
        let log2_failure = 1.0 - 2.0 * margin.powi(2) / squares * std::f64::consts::LOG2_E;
        assert!(log2_failure < -1000.0, "{log2_failure}");
        assert_eq!(2 * THREE_WAY_RECORDS_MAX, 1 << (WORD_BITS - 1));
    }

    #[test]
    fn a_shape_knows_its_chunks_and_scale() {
        let counts = TableShape::new(8192, 2, 3).unwrap();
        let sums = TableShape::sums(8192, 2, 3).unwrap();
        assert_eq!((counts.chunks(), sums.chunks()), (4, 2));
        assert_eq!((counts.cells(), sums.cells()), (6, 6));
        assert_eq!((counts.scale_log2(), sums.scale_log2()), (40, 27));
        assert_ne!(counts, sums);
    }
}
