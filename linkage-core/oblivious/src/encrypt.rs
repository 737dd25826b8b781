//! Owner A: encrypts one category per position, for sums with a value, and opens the masked
//! table.

use rand::CryptoRng;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::bodies;
use crate::context::RunContext;
use crate::keys::{PublicKey, sample_secret_keys};
use crate::layout::Vector;
use crate::masked::MaskedTable;
use crate::params::{BodyWidth, Measure, Parameters, ROW_TOTAL_MAX, VALUE_MAX};
use crate::polynomial::{
    BinaryPolynomial, Generator, add_errors, expand_mask, generator, secret_generator,
};
use crate::shares::PhaseShare;
use crate::three::SplitSeed;
use crate::wire::{self, INDEX_BYTES, Kind};

/// Why owner A stops. Names no value: they are attributes of single records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A table of sums takes values, one of three owners C's seed, a table of counts neither.
    #[error("the table holds another measure than the chunk")]
    Measure,
    /// The table has no chunk of this number.
    #[error("no chunk {0} in this table")]
    ChunkOutOfRange(u32),
    /// The chunk was encrypted before. A second ciphertext under the same mask would show the
    /// difference of both, so the caller keeps the bytes for a repeated upload.
    #[error("chunk {0} was encrypted before")]
    ChunkRepeated(u32),
    /// A chunk takes exactly one entry per position.
    #[error("{found} entries for the {expected} positions of a chunk")]
    ChunkLength {
        /// Positions of a chunk of this table.
        expected: usize,
        /// Entries given.
        found: usize,
    },
    /// A category isn't a row of the table.
    #[error("category {0} is not a row of this table")]
    Category(u16),
    /// A value is above [`VALUE_MAX`].
    #[error("a value is above 2^24 units: clip values, or take larger units")]
    Value,
    /// The values of a row add up to more than [`ROW_TOTAL_MAX`], so its cells could wrap.
    #[error("the values of row {0} add up to more than 2^35 units: take larger units")]
    RowTotal(u16),
    /// C's message is refused.
    #[error("seed of the split refused")]
    SplitSeed(#[source] wire::Error),
    /// A masked table came before all chunks were encrypted.
    #[error("masked table before all chunks were encrypted")]
    ChunksMissing,
    /// The masked table is refused.
    #[error("masked table refused")]
    MaskedTable(#[from] wire::Error),
}

/// Owner A's side of one table: fresh keys, used for this table only.
pub struct Encryptor {
    context: RunContext,
    pub(crate) keys: Vec<BinaryPolynomial>,
    public_key: Vec<u8>,
    error_seeds: Generator,
    encrypted: Vec<bool>,
    /// Units encrypted so far, by row, in a table of sums.
    row_totals: Zeroizing<Vec<u64>>,
}

impl Encryptor {
    /// Draws fresh keys.
    pub fn new(context: &RunContext, rng: &mut impl CryptoRng) -> Self {
        let keys = sample_secret_keys(context, rng);
        let public_key = PublicKey::new(context, &keys, rng).encode(context);
        let shape = context.shape();
        Self {
            context: context.clone(),
            keys,
            public_key,
            error_seeds: secret_generator(rng),
            encrypted: vec![false; shape.chunks() as usize],
            row_totals: Zeroizing::new(vec![0; usize::from(shape.rows())]),
        }
    }

    /// The public key message for B: 16 KiB per row for counts, 32 KiB for sums, and for three
    /// owners 32 KiB per row times one more than the layers. Encrypted once, so it may be sent
    /// again.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Encrypts one chunk of a table of counts: for each of its positions the row of A's record
    /// there, or `None`.
    ///
    /// The message has five bytes per position and row. Rows are encrypted in parallel on the
    /// current rayon pool.
    ///
    /// # Errors
    /// Refuses a chunk outside the table or encrypted before, and wrong categories; a refused
    /// call changes nothing.
    pub fn encrypt_chunk(
        &mut self,
        chunk: u32,
        categories: &[Option<u16>],
    ) -> Result<Vec<u8>, Error> {
        if self.context.shape().measure() != Measure::Count {
            return Err(Error::Measure);
        }
        let entries = categories.iter().map(|row| row.map(|row| (row, 1)));
        let entries: Zeroizing<Vec<_>> = Zeroizing::new(entries.collect());
        self.encrypt(chunk, &entries, &[])
    }

    /// Encrypts one chunk of a table of sums: for each of its positions the row of A's record there
    /// and its value in units, or `None`.
    ///
    /// What a unit is lies with the caller, who also clips values to a bound that both owners know:
    /// noise is calibrated to it. The message has eight bytes per position and row. Rows are
    /// encrypted in parallel on the current rayon pool.
    ///
    /// # Errors
    /// Refuses what [`Encryptor::encrypt_chunk`] refuses, values above [`VALUE_MAX`], and a chunk
    /// with which a row would exceed [`ROW_TOTAL_MAX`]; a refused call changes nothing.
    pub fn encrypt_values(
        &mut self,
        chunk: u32,
        entries: &[Option<(u16, u64)>],
    ) -> Result<Vec<u8>, Error> {
        if self.context.shape().measure() != Measure::Sum {
            return Err(Error::Measure);
        }
        let mut totals = self.row_totals.clone();
        for (row, value) in entries.iter().flatten() {
            let total = totals
                .get_mut(usize::from(*row))
                .ok_or(Error::Category(*row))?;
            if *value > VALUE_MAX {
                return Err(Error::Value);
            }
            *total += value;
            if *total > ROW_TOTAL_MAX {
                return Err(Error::RowTotal(*row));
            }
        }
        let message = self.encrypt(chunk, entries, &[])?;
        self.row_totals = totals;
        Ok(message)
    }

    /// Encrypts one chunk of a table of three owners: for each of its positions the row of A's
    /// record there, or `None`. `split_seed` is the message that C sent for this table.
    ///
    /// Per position the message has five bytes for each row and layer, and eight for each row.
    /// Vectors are encrypted in parallel on the current rayon pool.
    ///
    /// # Errors
    /// Refuses what [`Encryptor::encrypt_chunk`] refuses, and a foreign or damaged message of C; a
    /// refused call changes nothing.
    pub fn encrypt_split(
        &mut self,
        chunk: u32,
        categories: &[Option<u16>],
        split_seed: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let shape = self.context.shape();
        if shape.measure() != Measure::CountOfThree {
            return Err(Error::Measure);
        }
        let seed = SplitSeed::decode(&self.context, split_seed).map_err(Error::SplitSeed)?;
        let words: Vec<_> = (0..shape.layers())
            .map(|layer| seed.words(&self.context, chunk, layer))
            .collect();
        let entries = categories.iter().map(|row| row.map(|row| (row, 1)));
        let entries: Zeroizing<Vec<_>> = Zeroizing::new(entries.collect());
        self.encrypt(chunk, &entries, &words)
    }

    /// `words` are C's by layer, none in a table of two owners.
    fn encrypt(
        &mut self,
        chunk: u32,
        entries: &[Option<(u16, u64)>],
        words: &[Zeroizing<Vec<u32>>],
    ) -> Result<Vec<u8>, Error> {
        let shape = self.context.shape();
        if entries.len() != shape.positions_per_chunk() {
            return Err(Error::ChunkLength {
                expected: shape.positions_per_chunk(),
                found: entries.len(),
            });
        }
        let rows = shape.rows();
        if let Some((row, _)) = entries.iter().flatten().find(|(row, _)| *row >= rows) {
            return Err(Error::Category(*row));
        }
        let encrypted = self
            .encrypted
            .get_mut(chunk as usize)
            .ok_or(Error::ChunkOutOfRange(chunk))?;
        if std::mem::replace(encrypted, true) {
            return Err(Error::ChunkRepeated(chunk));
        }

        let parameters = shape.parameters();
        let mask = expand_mask(parameters, self.context.chunk_mask_seed(chunk));
        let seeds: Zeroizing<Vec<u128>> = Zeroizing::new(
            (0..shape.vectors())
                .map(|_| self.error_seeds.random_uniform())
                .collect(),
        );
        let [(counting, narrow), (_, wide)] = shape.widths();
        let payload_bytes = INDEX_BYTES + shape.vector_bytes();
        Ok(self
            .context
            .envelope()
            .seal(Kind::Chunk, payload_bytes, |payload| {
                let (index, vectors) = payload.split_at_mut(INDEX_BYTES);
                index.copy_from_slice(&chunk.to_le_bytes());
                let (first, second) = vectors.split_at_mut(counting * shape.body_bytes(narrow));
                of_width(first, shape.body_bytes(narrow), narrow)
                    .chain(of_width(second, shape.body_bytes(wide), wide))
                    .zip(&self.keys)
                    .zip(seeds.par_iter())
                    .enumerate()
                    .for_each(|(number, (((place, width), key), seed))| {
                        let mut body = key.times(&mask);
                        let mut errors = generator(seed.to_le_bytes());
                        add_errors(parameters, &mut errors, &mut body);
                        let Vector { row, layer } = shape.vector(number);
                        let words = layer.and_then(|layer| words.get(layer));
                        let words = words.map(|words| words.as_slice());
                        add_messages(&mut body, row, entries, words, parameters.scale_log2);
                        bodies::write(&body, width, place);
                    });
            }))
    }

    /// Decrypts the masked table and adds A's noise to every cell.
    ///
    /// `noise` is called once per cell, row by row, and returns A's share of the noise in units of
    /// `2^-`[`scale_log2`](crate::params::TableShape::scale_log2) of a count or unit. For
    /// epsilon-differential privacy it is a discrete Laplace sample of scale
    /// `sensitivity / epsilon` over the integers, not a rounded count. A record of A moves one
    /// cell, by at most the sensitivity: `2^40` for counts, `2^42` for counts of three owners, and
    /// for sums the bound that values were clipped to, times `2^27`.
    ///
    /// Whatever `noise` returns, a uniform error of up to an eighth of a unit is added as well, so
    /// that no exact phase, which is a linear equation in A's keys, ever leaves A.
    ///
    /// Consumes the keys, refusal included: opening twice would give two noised phases of the same
    /// cell, or of cells B chose with knowledge of the first. After a refusal a new run is due.
    ///
    /// # Errors
    /// Refuses a message of another table, a damaged one, and one that comes before all chunks
    /// were encrypted.
    pub fn open(
        self,
        masked_table: &[u8],
        noise: impl FnMut() -> i128,
        rng: &mut impl CryptoRng,
    ) -> Result<PhaseShare, Error> {
        if self.encrypted.contains(&false) {
            return Err(Error::ChunksMissing);
        }
        let table = MaskedTable::decode(&self.context, masked_table)?;
        let mut phases = table.phases(self.context.shape(), &self.keys);
        blur(self.context.parameters(), &mut phases, noise, rng);
        Ok(PhaseShare::new(*self.context.envelope(), phases))
    }
}

/// Places of the vectors that travel in one width.
fn of_width(
    places: &mut [u8],
    bytes: usize,
    width: BodyWidth,
) -> impl IndexedParallelIterator<Item = (&mut [u8], BodyWidth)> {
    places
        .par_chunks_exact_mut(bytes)
        .map(move |place| (place, width))
}

/// Adds the units of one row, times C's words where there are any, without branching on whose row
/// a record has.
fn add_messages(
    body: &mut [u64],
    row: u16,
    entries: &[Option<(u16, u64)>],
    words: Option<&[u32]>,
    scale_log2: u32,
) {
    for (slot, (coefficient, entry)) in body.iter_mut().zip(entries).enumerate() {
        let (of, value) = entry.unwrap_or_default();
        let weight = words.and_then(|words| words.get(slot)).unwrap_or(&1);
        let units = value * u64::from(*weight) * u64::from(of == row);
        *coefficient = coefficient.wrapping_add(units << scale_log2);
    }
}

/// Adds to every phase A's noise and a uniform error within the bound of the flood.
pub(crate) fn blur(
    parameters: &Parameters,
    phases: &mut [u64],
    mut noise: impl FnMut() -> i128,
    rng: &mut impl CryptoRng,
) {
    let bound_log2 = parameters.flood_bound_log2;
    for phase in phases {
        let uniform = rng.next_u64() >> (u64::BITS - bound_log2 - 1);
        let flood = uniform.wrapping_sub(1 << bound_log2);
        *phase = phase.wrapping_add(flood).wrapping_add(modulo_2_64(noise()));
    }
}

/// Noise as an element of Z modulo 2^64, the group that phases live in.
pub(crate) fn modulo_2_64(noise: i128) -> u64 {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "reduction modulo 2^64 is what is meant"
    )]
    let reduced = noise as u64;
    reduced
}
