//! Owner A: encrypts one category per position, and opens the masked table.

use rand::CryptoRng;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::context::RunContext;
use crate::keys::{PublicKey, sample_secret_keys};
use crate::masked::MaskedTable;
use crate::params::{
    BODY_BYTES, BODY_DROPPED_BITS, COUNT_SCALE_LOG2, FLOOD_BOUND_LOG2, POSITIONS_PER_CHUNK,
};
use crate::polynomial::{
    BinaryPolynomial, Generator, add_errors, expand_mask, generator, secret_generator,
};
use crate::shares::PhaseShare;
use crate::wire::{self, Kind};

/// Bytes of one encrypted row of a chunk.
pub(crate) const ROW_BYTES: usize = POSITIONS_PER_CHUNK * BODY_BYTES;

/// Bytes of the chunk number in front of the rows.
pub(crate) const INDEX_BYTES: usize = 4;

/// Why owner A stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The table has no chunk of this number.
    #[error("no chunk {0} in this table")]
    ChunkOutOfRange(u32),
    /// The chunk was encrypted before. A second ciphertext under the same mask would show the
    /// difference of both, so the caller keeps the bytes for a repeated upload.
    #[error("chunk {0} was encrypted before")]
    ChunkRepeated(u32),
    /// A chunk takes exactly one entry per position.
    #[error("{0} categories for the 2048 positions of a chunk")]
    ChunkLength(usize),
    /// A category isn't a row of the table.
    #[error("category {0} is not a row of this table")]
    Category(u16),
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
}

impl Encryptor {
    /// Draws fresh keys.
    pub fn new(context: &RunContext, rng: &mut impl CryptoRng) -> Self {
        let keys = sample_secret_keys(context, rng);
        let public_key = PublicKey::new(context, &keys, rng).encode(context);
        Self {
            context: context.clone(),
            keys,
            public_key,
            error_seeds: secret_generator(rng),
            encrypted: vec![false; context.shape().chunks() as usize],
        }
    }

    /// The public key message for B: 16 KiB per row. Encrypted once, so it may be sent again.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Encrypts one chunk: for each of its positions the row of A's record there, or `None`.
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
        if categories.len() != POSITIONS_PER_CHUNK {
            return Err(Error::ChunkLength(categories.len()));
        }
        let rows = self.context.shape().rows();
        if let Some(category) = categories
            .iter()
            .flatten()
            .find(|category| **category >= rows)
        {
            return Err(Error::Category(*category));
        }
        let encrypted = self
            .encrypted
            .get_mut(chunk as usize)
            .ok_or(Error::ChunkOutOfRange(chunk))?;
        if std::mem::replace(encrypted, true) {
            return Err(Error::ChunkRepeated(chunk));
        }

        let mask = expand_mask(self.context.chunk_mask_seed(chunk));
        let seeds: Zeroizing<Vec<u128>> = Zeroizing::new(
            (0..rows)
                .map(|_| self.error_seeds.random_uniform())
                .collect(),
        );
        let payload_bytes = chunk_payload_bytes(rows);
        Ok(self
            .context
            .envelope()
            .seal(Kind::Chunk, payload_bytes, |payload| {
                let (index, bodies) = payload.split_at_mut(INDEX_BYTES);
                index.copy_from_slice(&chunk.to_le_bytes());
                bodies
                    .par_chunks_exact_mut(ROW_BYTES)
                    .zip(&self.keys)
                    .zip(seeds.par_iter())
                    .zip(0..rows)
                    .for_each(|(((place, key), seed), row)| {
                        let errors = generator(seed.to_le_bytes());
                        encrypt_row(place, key, &mask, errors, row, categories);
                    });
            }))
    }

    /// Decrypts the masked table and adds A's noise to every cell.
    ///
    /// `noise` is called once per cell, row by row, and returns A's share of the noise in units of
    /// 2^-[`COUNT_SCALE_LOG2`] of a count: for epsilon-differential
    /// privacy a discrete Laplace sample of scale `2^40 / epsilon` over the integers, not a rounded
    /// count. Whatever it returns, a uniform error of up to an eighth of a count is added as well,
    /// so that no exact phase, which is a linear equation in A's key, ever leaves A.
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
        let mut phases = table.phases(&self.keys);
        blur(&mut phases, noise, rng);
        Ok(PhaseShare::new(*self.context.envelope(), phases))
    }
}

/// Bytes of a chunk message's payload.
pub(crate) fn chunk_payload_bytes(rows: u16) -> usize {
    INDEX_BYTES + usize::from(rows) * ROW_BYTES
}

/// Writes `mask * key + error + message`, rounded to 40 bits.
fn encrypt_row(
    place: &mut [u8],
    key: &BinaryPolynomial,
    mask: &[u64],
    mut errors: Generator,
    row: u16,
    categories: &[Option<u16>],
) {
    let mut body = key.times(mask);
    add_errors(&mut errors, &mut body);
    let (places, _) = place.as_chunks_mut::<BODY_BYTES>();
    for ((place, value), category) in places.iter_mut().zip(body.iter()).zip(categories) {
        let message = u64::from(*category == Some(row)) << COUNT_SCALE_LOG2;
        let half = 1 << (BODY_DROPPED_BITS - 1);
        let rounded = value.wrapping_add(message).wrapping_add(half) >> BODY_DROPPED_BITS;
        let [b0, b1, b2, b3, b4, ..] = rounded.to_le_bytes();
        *place = [b0, b1, b2, b3, b4];
    }
}

/// Adds to every phase A's noise and a uniform error of absolute value up to 2^37.
pub(crate) fn blur(phases: &mut [u64], mut noise: impl FnMut() -> i128, rng: &mut impl CryptoRng) {
    for phase in phases {
        let uniform = rng.next_u64() >> (u64::BITS - FLOOD_BOUND_LOG2 - 1);
        let flood = uniform.wrapping_sub(1 << FLOOD_BOUND_LOG2);
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
